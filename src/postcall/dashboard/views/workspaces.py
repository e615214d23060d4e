"""Addresses without a workspace lead into the one where the person was last."""

from __future__ import annotations

from typing import Final, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from postcall.calls.models import Call
from postcall.dashboard.access import last_workspace
from postcall.workspaces.models import User
from postcall.workspaces.scope import open_to

PLACES: Final = ("calls", "review", "messages", "actions", "agents", "settings")


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The overview, or word that one is a member of nothing yet."""
    return _into(request, "overview")


@require_safe
def place(request: HttpRequest, place: str) -> HttpResponse:
    """`/calls`, `/review` and so on, as one types them."""
    if place not in PLACES:
        raise Http404
    return _known_place(request, place)


@login_required
def _known_place(request: HttpRequest, place: str) -> HttpResponse:
    return _into(request, place)


@require_safe
@login_required
def call(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """A call by its id alone, in whichever workspace of the person's it is."""
    found = open_to(cast(User, request.user), Call).filter(pk=call_id).only("workspace_id").first()
    if found is None:
        raise Http404
    return redirect("call", found.workspace_id, call_id)


def _into(request: HttpRequest, name: str) -> HttpResponse:
    workspace = last_workspace(request)
    if workspace is None:
        return render(request, "dashboard/people/no_workspace.html")
    target = redirect(name, workspace.pk)
    if request.GET:
        target["Location"] += f"?{request.GET.urlencode()}"
    return target
