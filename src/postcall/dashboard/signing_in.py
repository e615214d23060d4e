"""Signing in and out. What is wrong with a sign-in is never told apart, and tries are counted before they count."""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from postcall.dashboard.models import SignInTry
from postcall.workspaces.audit import Actor, Changes, Thing, record
from postcall.workspaces.models import AuditEntry, User

# Failures allowed in a quarter of an hour, for one e-mail address from one place and for all from that place. The
# second is not counted of private addresses: a proxy's is everybody's, and one guesser would lock all out.
WITHIN = timedelta(minutes=15)
MAX_TRIES = 5
MAX_TRIES_FROM_ADDRESS = 100
KEEP = timedelta(days=1)

WRONG = "That e-mail address and password do not belong together."
TOO_MANY = "Too many tries. Wait a quarter of an hour, then try again."


class SignInForm(AuthenticationForm):
    """E-mail address and password. A try is written down before the password is looked at, so that tries at the
    same moment count too, and is struck out when it succeeds."""

    error_messages = {"invalid_login": WRONG, "inactive": WRONG}  # noqa: RUF012  # Django declares it per instance

    def clean(self) -> dict[str, Any]:
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not email or not password:
            return self.cleaned_data
        tried = note_try(email, self._address())
        count = tries_lately(tried)
        if is_throttled(tried):
            if count == MAX_TRIES + 1:  # the others say nothing new
                _tell(_known_as(email), "sign_in_throttled", tried, count - 1)
            raise forms.ValidationError(TOO_MANY, code="throttled")
        try:
            cleaned = super().clean()
        except forms.ValidationError:
            _tell(_known_as(email), "sign_in_failed", tried, count)
            raise
        _tell(self.get_user(), "sign_in", tried, count - 1)
        SignInTry.objects.filter(who=tried.who, address=tried.address).delete()
        return cleaned

    def _address(self) -> str:
        return str(self.request.META.get("REMOTE_ADDR", "")) if self.request else ""


class SignIn(LoginView):
    template_name = "dashboard/people/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """By POST only, so that no picture on another site signs anybody out."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if isinstance(request.user, User):
            tell(request.user, "sign_out", Actor.of_person(request.user))
        return super().post(request, *args, **kwargs)


def note_try(email: str, address: str) -> SignInTry:
    now = timezone.now()
    SignInTry.objects.filter(at__lt=now - KEEP).delete()
    return SignInTry.objects.create(who=_who(email), address=address[:45], at=now)


def noted_too_often(what: str, request: HttpRequest, limit: int, *, from_anywhere: bool = False) -> bool:
    """Notes that `what` is tried from where the request comes, and whether that is more than `limit` times in a
    quarter of an hour; `from_anywhere`: whoever tries."""
    tried = note_try(what, str(request.META.get("REMOTE_ADDR", "")))
    lately = SignInTry.objects.filter(who=tried.who, at__gt=tried.at - WITHIN)
    if not from_anywhere:
        lately = lately.filter(address=tried.address)
    return lately.count() > limit


def forget_tries(what: str, request: HttpRequest) -> None:
    """Strikes out what was noted of `what`, once it succeeded."""
    address = str(request.META.get("REMOTE_ADDR", ""))[:45]
    SignInTry.objects.filter(who=_who(what), address=address).delete()


def _who(what: str) -> str:
    return hashlib.sha256(what.strip().lower().encode()).hexdigest()


def tries_lately(tried: SignInTry) -> int:
    """How often it was tried with this e-mail address from this place, this try included."""
    lately = SignInTry.objects.filter(address=tried.address, at__gt=tried.at - WITHIN)
    return lately.filter(who=tried.who).count()


def is_throttled(tried: SignInTry) -> bool:
    """Whether this try, already written down, is one too many."""
    if tries_lately(tried) > MAX_TRIES:
        return True
    lately = SignInTry.objects.filter(address=tried.address, at__gt=tried.at - WITHIN)
    return _is_public(tried.address) and lately.count() > MAX_TRIES_FROM_ADDRESS


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _known_as(email: str) -> User | None:
    return User.objects.filter(email__iexact=email.strip()).first()


def _tell(person: User | None, verb: str, tried: SignInTry, failed: int) -> None:
    """A sign-in that failed was anybody's, so it is told as one by somebody at that address."""
    if person is None:
        return
    somebody = Actor(AuditEntry.Actor.SYSTEM, "", f"somebody at {tried.address}")
    actor = Actor.of_person(person) if verb == "sign_in" else somebody
    tell(person, verb, actor, {"address": [None, tried.address], "failed_tries": [None, failed]})


@transaction.atomic
def tell(person: User, verb: str, actor: Actor, changes: Changes | None = None) -> None:
    """Notes it in the audit log of every workspace that the person may enter."""
    homes: list[UUID | None] = [*person.memberships.values_list("workspace_id", flat=True)]
    for home in homes or [None]:
        record(home, actor, verb, Thing("user", person.pk, person.email), changes)
