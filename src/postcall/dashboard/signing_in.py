"""Signing in and out. What is wrong with a sign-in is never told apart, and tries are counted before they count."""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.utils import timezone

from postcall.dashboard.models import SignInTry

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
        if is_throttled(tried):
            raise forms.ValidationError(TOO_MANY, code="throttled")
        cleaned = super().clean()
        SignInTry.objects.filter(who=tried.who, address=tried.address).delete()
        return cleaned

    def _address(self) -> str:
        return str(self.request.META.get("REMOTE_ADDR", "")) if self.request else ""


class SignIn(LoginView):
    template_name = "dashboard/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """By POST only, so that no picture on another site signs anybody out."""


def note_try(email: str, address: str) -> SignInTry:
    now = timezone.now()
    SignInTry.objects.filter(at__lt=now - KEEP).delete()
    who = hashlib.sha256(email.strip().lower().encode()).hexdigest()
    return SignInTry.objects.create(who=who, address=address[:45], at=now)


def is_throttled(tried: SignInTry) -> bool:
    """Whether this try, already written down, is one too many."""
    lately = SignInTry.objects.filter(address=tried.address, at__gt=tried.at - WITHIN)
    if lately.filter(who=tried.who).count() > MAX_TRIES:
        return True
    return _is_public(tried.address) and lately.count() > MAX_TRIES_FROM_ADDRESS


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False
