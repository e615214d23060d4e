"""Addresses without a workspace lead into the one where the person was last."""

from __future__ import annotations

from typing import Final, cast
from uuid import UUID

from django.contrib import messages as flashes
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST, require_safe

from postcall.bootstrap import is_unclaimed
from postcall.calls.models import Call
from postcall.dashboard.access import Visit, actor, anywhere, last_workspace
from postcall.dashboard.forms import Form
from postcall.dashboard.homes import homes_of
from postcall.dashboard.verbs import people as verbs
from postcall.dashboard.views.people.set_up import where_the_link_is
from postcall.workspaces.members import CannotChange, owns_something
from postcall.workspaces.models import User, Workspace
from postcall.workspaces.scope import open_to

PLACES: Final = ("calls", "review", "messages", "actions", "agents", "settings")


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The overview, or word that one is a member of nothing yet, or that nobody is."""
    if not request.user.is_authenticated and is_unclaimed():
        return where_the_link_is(request)
    return _known_place(request, "overview")


@require_GET
@anywhere
def every(visit: Visit) -> HttpResponse:
    """All workspaces of the person's, and what needs attention in each."""
    mine = homes_of(visit.person)
    context = {
        "mine": mine,
        "may_add": owns_something(visit.person),
        "waiting": sum(each.attention for each in mine),
    }
    return visit.page("people/workspaces.html", context, place="workspaces")


@require_GET
@anywhere
def new(visit: Visit) -> HttpResponse:
    return _new_page(visit, Form({"source": visit.request.GET.get("source", "")}))


def _new_page(visit: Visit, form: Form) -> HttpResponse:
    if not owns_something(visit.person):
        raise PermissionDenied
    sources = {"": "Nothing: it starts empty"} | {
        pk: f"Actions and sending rules of {each.name}" for pk, each in _mine(visit).items()
    }
    status = 200 if form.is_well else 422
    return visit.page("people/new_workspace.html", {"form": form, "sources": sources}, status=status)


@require_POST
@anywhere
def create(visit: Visit) -> HttpResponse:
    if not owns_something(visit.person):
        raise PermissionDenied
    form = Form.posted(visit.request)
    try:
        made = verbs.new_workspace(visit, form["workspace_name"], _source(visit, form))
    except CannotChange as refusal:
        form.refuse(refusal.field, str(refusal))
        return _new_page(visit, form)
    flashes.success(
        visit.request, f"{made.name} is made, and you own it. It sends nothing until Twilio is connected."
    )
    return redirect("overview", made.pk)


def _source(visit: Visit, form: Form) -> Workspace | None:
    """The one that was chosen, of those that the person is a member of. Raises CannotChange."""
    if not form["source"]:
        return None
    if (chosen := _mine(visit).get(form["source"])) is None:
        raise CannotChange("Choose one of your workspaces, or nothing.", "source")
    return chosen


def _mine(visit: Visit) -> dict[str, Workspace]:
    rows = Workspace.objects.filter(memberships__user=visit.person).order_by("name")
    return {str(each.pk): each for each in rows}


@require_POST
@actor
def dismiss_checklist(visit: Visit) -> HttpResponse:
    verbs.dismiss_checklist(visit)
    return visit.back(visit.to("overview"))


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
