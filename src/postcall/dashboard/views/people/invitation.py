"""An invitation's link: accepted by whom it was made for, as a new person or as one who is known."""

from __future__ import annotations

from django.contrib import messages as flashes
from django.contrib.auth import login
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from postcall.dashboard.forms import Form
from postcall.dashboard.new_passwords import name_of_person, new_password
from postcall.dashboard.verbs import people as verbs
from postcall.workspaces.invitations import InvitationOver, is_for, open_invitation
from postcall.workspaces.models import Invitation, User


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    found = open_invitation(token)
    if found is None:
        return _over(request)
    form = Form()
    if request.method == "POST":
        form = Form.posted(request)
        try:
            answer = _accepted(request, found, form)
        except InvitationOver:
            return _over(request)
        if answer is not None:
            return answer
    return _page(request, found, form)


def _accepted(request: HttpRequest, invitation: Invitation, form: Form) -> HttpResponse | None:
    """None where it is to be asked again: something typed is wrong, or the person has to sign in first."""
    if request.user.is_authenticated:
        if not is_for(invitation, request.user):
            return None
        verbs.accept(invitation, request.user)
    elif _is_known(invitation):
        return None
    else:
        person = _new_person(invitation, form)
        if person is None:
            return None
        login(request, person)
    flashes.success(request, f"Welcome to {invitation.workspace.name}.")
    return redirect("overview", invitation.workspace_id)


def _new_person(invitation: Invitation, form: Form) -> User | None:
    name = name_of_person(form)
    password = new_password(form, User(email=invitation.email, name=name))
    if not form.is_well:
        return None
    try:
        return verbs.join(invitation, name, password)
    except IntegrityError:  # they became known this very moment
        return None


def _is_known(invitation: Invitation) -> bool:
    return User.objects.filter(email__iexact=invitation.email).exists()


def _page(request: HttpRequest, invitation: Invitation, form: Form) -> HttpResponse:
    context = {
        "invitation": invitation,
        "form": form,
        "is_known": _is_known(invitation),
        "is_mine": request.user.is_authenticated and is_for(invitation, request.user),
    }
    return render(request, "dashboard/people/invitation.html", context, status=200 if form.is_well else 422)


def _over(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/people/link_over.html", {"what": "invitation"}, status=404)
