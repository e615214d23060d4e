"""The person's own page: name, password, workspaces, where they are signed in."""

from __future__ import annotations

from django.contrib import messages as flashes
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from postcall.dashboard.access import Visit, anywhere
from postcall.dashboard.forms import Form
from postcall.dashboard.homes import homes_of
from postcall.dashboard.new_passwords import name_of_person, new_password
from postcall.dashboard.signing_in import MAX_TRIES, TOO_MANY, forget_tries, noted_too_often
from postcall.dashboard.verbs import people as verbs
from postcall.messages.own_phone import phone_of


@require_GET
@anywhere
def me(visit: Visit) -> HttpResponse:
    return _page(visit, Form({"name": visit.person.name}))


def _page(visit: Visit, form: Form) -> HttpResponse:
    return visit.page(
        "people/me.html",
        {"form": form, "mine": homes_of(visit.person), "phone": phone_of(visit.person)},
        place="me",
        status=200 if form.is_well else 422,
    )


@require_POST
@anywhere
def change_name(visit: Visit) -> HttpResponse:
    form = Form.posted(visit.request)
    name = name_of_person(form)
    if not form.is_well:
        return _page(visit, form)
    verbs.change_name(visit.person, name)
    flashes.success(visit.request, "Your name is saved.")
    return redirect("me")


@require_POST
@anywhere
def change_password(visit: Visit) -> HttpResponse:
    """Asks for the present one, so that a browser left open gives nobody the account; guesses are counted."""
    form = Form.posted(visit.request)
    form.typed.setdefault("name", visit.person.name)
    guesses = f"own password of {visit.person.pk}"
    if noted_too_often(guesses, visit.request, MAX_TRIES):
        form.refuse("current_password", TOO_MANY)
    elif not visit.person.check_password(form["current_password"]):
        form.refuse("current_password", "This is not your present password.")
    else:
        forget_tries(guesses, visit.request)
    password = new_password(form, visit.person)
    if not form.is_well:
        return _page(visit, form)
    verbs.change_password(visit.person, password)
    update_session_auth_hash(visit.request, visit.person)
    flashes.success(visit.request, "Your password is changed. Everywhere else you are signed out.")
    return redirect("me")


@require_POST
@anywhere
def sign_out_elsewhere(visit: Visit) -> HttpResponse:
    verbs.sign_out_elsewhere(visit.person)
    update_session_auth_hash(visit.request, visit.person)
    flashes.success(visit.request, "You are signed out everywhere but here.")
    return redirect("me")
