"""A forgotten password: asking for a link, and using it. Whether an address is known is never told."""

from __future__ import annotations

import threading
from typing import Final

import structlog
from django.contrib import messages as flashes
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from postcall.dashboard.forms import Form
from postcall.dashboard.links import to_mail
from postcall.dashboard.new_passwords import new_password
from postcall.dashboard.signing_in import TOO_MANY, noted_too_often, tell
from postcall.dashboard.verbs import people as verbs
from postcall.mail import CannotMail, can_mail, send_mail
from postcall.workspaces.audit import Actor
from postcall.workspaces.models import AuditEntry, User
from postcall.workspaces.passwords import LASTS_H, link_parts, person_of

# Mails to one address in a quarter of an hour, whoever asks for them.
MAX_MAILS: Final = 3
# Each holds a connection to the database: whoever asks for thousands of links must not take them all.
MAX_AT_ONCE: Final = 8
mailing: Final = threading.BoundedSemaphore(MAX_AT_ONCE)

log = structlog.get_logger("postcall.dashboard")


@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """The same answer for a known and an unknown address, as soon: the link is made and mailed apart."""
    form = Form()
    asked = False
    if request.method == "POST":
        if not can_mail():
            return HttpResponseNotAllowed(["GET", "HEAD"])
        form = Form.posted(request)
        asked = _asked(request, form)
    context = {"form": form, "mails": can_mail(), "asked": asked, "hours": LASTS_H}
    return render(request, "dashboard/people/forgotten.html", context, status=200 if form.is_well else 422)


def _asked(request: HttpRequest, form: Form) -> bool:
    email = form["email"]
    if not email or len(email) > 254:
        form.refuse("email", "Type the e-mail address that you sign in with.")
        return False
    if noted_too_often(f"password link for {email.lower()}", request, MAX_MAILS, from_anywhere=True):
        form.refuse("", TOO_MANY)
        return False
    if not mailing.acquire(blocking=False):
        form.refuse("", "Many links are asked for at this moment. Try again in a minute.")
        return False
    address = str(request.META.get("REMOTE_ADDR", ""))
    threading.Thread(target=_mail_apart, args=(email, address), name="password mail").start()
    return True


def _mail_apart(email: str, address: str) -> None:
    try:
        mail_link(email, address)
    finally:
        connection.close()
        mailing.release()


def mail_link(email: str, address: str) -> None:
    """Mails a link to whoever signs in with `email`, at the address as they gave it; nothing to anybody else."""
    person = User.objects.filter(email__iexact=email, is_active=True).first()
    if person is None:
        return
    somebody = Actor(AuditEntry.Actor.SYSTEM, "", f"somebody at {address}")
    tell(person, "password_link", somebody, {"by": [None, "mail"]})
    text = (
        "Somebody, most likely you, asked for another password on Postcall.\n\n"
        f"Set it within {LASTS_H} hours:\n{to_mail(reverse('reset', args=link_parts(person)))}\n\n"
        "If it was not you, do nothing: your password stays as it is.\n"
    )
    try:
        send_mail(person.email, "Another password for Postcall", text)
    except CannotMail as problem:
        log.warning("password link was not mailed", why=str(problem))


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def reset(request: HttpRequest, who: str, token: str) -> HttpResponse:
    """Sets another password by a link, once; every session of the person's ends."""
    person = person_of(who, token)
    if person is None:
        return _over(request)
    form = Form()
    if request.method == "POST":
        form = Form.posted(request)
        password = new_password(form, person)
        if form.is_well:
            if verbs.use_password_link(who, token, password) is None:
                return _over(request)
            flashes.success(request, "Your password is changed. Sign in with it.")
            return redirect("sign-in")
    context = {"form": form, "person": person}
    return render(request, "dashboard/people/reset.html", context, status=200 if form.is_well else 422)


def _over(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/people/link_over.html", {"what": "password"}, status=404)
