"""Letting people in by a link: made for one e-mail address, shown once, open for a week."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from postcall.work import clock
from postcall.workspaces.members import CannotChange, address_of
from postcall.workspaces.models import Invitation, Membership, User, Workspace
from postcall.workspaces.scope import locked

LASTS: Final = timedelta(days=7)
MAX_OPEN: Final = 100
# So long one that nobody accepted is still listed.
SHOWN_OVER: Final = timedelta(days=30)


class InvitationOver(Exception):
    """It was accepted, revoked or replaced meanwhile, or its week is over."""


@transaction.atomic
def invite(workspace: Workspace, email: str, role: str, invited_by: str) -> tuple[Invitation, str]:
    """The invitation and, this once, the token of its link. An open one for the same address is replaced.

    Raises CannotChange.
    """
    address = address_of(email)
    _check(workspace, address, role)
    here = locked(workspace)
    token, now = secrets.token_urlsafe(32), clock.now()
    here_made = Invitation.objects.filter(workspace=here)
    here_made.filter(Q(email__iexact=address) | Q(expires_at__lt=now - SHOWN_OVER)).delete()
    if here_made.filter(expires_at__gt=now).count() >= MAX_OPEN:
        raise CannotChange(f"{MAX_OPEN} invitations are open: revoke those that nobody needs.", "email")
    made = Invitation.objects.create(
        workspace=here,
        email=address,
        role=role,
        digest=_digest_of(token),
        invited_by=invited_by,
        created_at=now,
        expires_at=now + LASTS,
    )
    return made, token


def _check(workspace: Workspace, email: str, role: str) -> None:
    if role not in Membership.Role.values:
        raise CannotChange("Choose a role.", "role")
    if workspace.memberships.filter(user__email__iexact=email).exists():
        raise CannotChange("They are a member already; change their role in the list.", "email")


def open_invitation(token: str) -> Invitation | None:
    rows = Invitation.objects.filter(digest=_digest_of(token), expires_at__gt=clock.now())
    return rows.select_related("workspace").first()


def is_for(invitation: Invitation, person: User) -> bool:
    return invitation.email.lower() == person.email.lower()


@transaction.atomic
def revoke(invitation: Invitation) -> None:
    """Raises InvitationOver where it was accepted, or revoked, before."""
    if not Invitation.objects.filter(pk=invitation.pk).delete()[0]:
        raise InvitationOver


@transaction.atomic
def accept(invitation: Invitation, person: User) -> Membership:
    """Closes the invitation. Who became a member meanwhile stays what they are.

    Raises InvitationOver, also for anybody but whom it was made for.
    """
    rows = Invitation.objects.select_for_update().filter(pk=invitation.pk, digest=invitation.digest)
    open_one = rows.filter(expires_at__gt=clock.now()).first()
    if open_one is None or not is_for(open_one, person) or not person.is_active:
        raise InvitationOver
    open_one.delete()
    membership, _ = Membership.objects.get_or_create(
        workspace=invitation.workspace, user=person, defaults={"role": open_one.role}
    )
    return membership


def _digest_of(token: str) -> str:
    """A plain hash suffices: a token carries 256 bits of randomness."""
    return hashlib.sha256(token.encode()).hexdigest()
