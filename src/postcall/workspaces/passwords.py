"""Another password: by a link that works once for a day, and who may make one for whom."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils.encoding import force_str
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from postcall.work import clock
from postcall.workspaces.models import Membership, User

LASTS_H: Final = 24


class _Tokens(PasswordResetTokenGenerator):
    """As Django's: signed, and worthless once the password is another or the person has signed in. Ours also ends
    when the person joins or leaves a workspace, so that a link made while one tenant knew them opens no other's."""

    key_salt = "postcall.password-link"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        homes = sorted(map(str, user.memberships.values_list("workspace_id", flat=True)))
        return f"{super()._make_hash_value(user, timestamp)}{' '.join(homes)}"

    def _now(self) -> datetime:
        return clock.now().replace(tzinfo=None)


_tokens: Final = _Tokens()


def link_parts(person: User) -> tuple[str, str]:
    """Who and the token, for the link's address."""
    return urlsafe_base64_encode(str(person.pk).encode()), _tokens.make_token(person)


def person_of(who: str, token: str) -> User | None:
    """Whose link it is; None where it is none, was used, or is over."""
    try:
        person = User.objects.filter(pk=force_str(urlsafe_base64_decode(who)), is_active=True).first()
    except (ValueError, ValidationError):
        return None
    return person if person and _tokens.check_token(person, token) else None


def may_make_link(owner: User, person: User) -> bool:
    """Whoever has somebody's link can sign in as them: only an owner of every workspace of theirs may make one."""
    if not person.is_active:
        return False
    theirs = set(person.memberships.values_list("workspace_id", flat=True))
    owned = Membership.objects.filter(user=owner, role=Membership.Role.OWNER).values_list("workspace_id", flat=True)
    return bool(theirs) and theirs <= set(owned)


def link_by(owner: User, person: User) -> tuple[str, str] | None:
    """`link_parts` for an owner who may have it; None: they may not. That is looked at afterwards: a tenant that
    the person joins meanwhile is either seen, or voids the link."""
    parts = link_parts(person)
    return parts if may_make_link(owner, person) else None


@transaction.atomic
def use_link(who: str, token: str, password: str) -> User | None:
    """Sets the password, which ends every session; None where the link is over, also by another use meanwhile."""
    person = person_of(who, token)
    if person is None:
        return None
    User.objects.select_for_update().get(pk=person.pk)
    if (still := person_of(who, token)) is None:
        return None
    still.set_password(password)
    still.save(update_fields=["password"])
    return still


def end_sessions(person: User) -> None:
    """Ends every session of the person's; who goes on with theirs tells Django so."""
    User.objects.filter(pk=person.pk).update(signed_out_times=F("signed_out_times") + 1)
    person.refresh_from_db(fields=["signed_out_times"])
