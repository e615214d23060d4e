"""The first person of all, made by the link that Postcall prints as it starts."""

from __future__ import annotations

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from postcall.bootstrap import AlreadyClaimed, claim, is_unclaimed, opens_unclaimed
from postcall.dashboard.forms import Form
from postcall.dashboard.new_passwords import name_of_person, new_password
from postcall.workspaces.members import CannotChange, address_of
from postcall.workspaces.models import User


def where_the_link_is(request: HttpRequest, status: int = 200) -> HttpResponse:
    """What stands at `/` while nobody can sign in."""
    return render(request, "dashboard/people/unclaimed.html", status=status)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest, token: str) -> HttpResponse:
    if not is_unclaimed():
        return redirect("home")
    if not opens_unclaimed(token):
        return where_the_link_is(request, 404)
    form = Form()
    if request.method == "POST":
        form = Form.posted(request)
        person = _first_person(form)
        if person is not None:
            login(request, person)
            return redirect("home")
    return render(request, "dashboard/people/set_up.html", {"form": form}, status=200 if form.is_well else 422)


def _first_person(form: Form) -> User | None:
    name, email = name_of_person(form), form["email"]
    try:
        email = address_of(email)
    except CannotChange as refusal:
        form.refuse(refusal.field, str(refusal))
    password = new_password(form, User(email=email, name=name))
    if not form["workspace_name"]:
        form.refuse("workspace_name", "Give the workspace a name, such as that of your business.")
    if not form.is_well:
        return None
    try:
        return claim(email, password, name, form["workspace_name"])
    except CannotChange as refusal:
        form.refuse(refusal.field, str(refusal))
    except AlreadyClaimed:
        form.refuse("", "Somebody else was faster: this Postcall has an owner now.")
    return None
