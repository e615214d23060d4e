"""Who is looking, at which workspace, and what they may do there. Every page's queries start here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRefresh

from postcall.dashboard.homes import homes_of
from postcall.followups.models import FollowUp
from postcall.messages.models import SendingAccount
from postcall.messages.pausing import pauses
from postcall.work import clock
from postcall.workspaces.audit import Actor, Changes, Thing, record
from postcall.workspaces.models import Membership, User, Workspace
from postcall.workspaces.scope import within

LAST_WORKSPACE = "workspace"
SEEN_TO: Final = timedelta(minutes=5)

P = ParamSpec("P")
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Visit:
    """One request by a member of one workspace."""

    request: HttpRequest
    person: User
    membership: Membership

    @property
    def workspace(self) -> Workspace:
        return self.membership.workspace

    @property
    def may_act(self) -> bool:
        """Viewers look; owners and editors press buttons."""
        return self.membership.role in (Membership.Role.OWNER, Membership.Role.EDITOR)

    @property
    def is_owner(self) -> bool:
        """Owners decide who may enter, what is paid for, and which keys open the doors."""
        return self.membership.role == Membership.Role.OWNER

    @property
    def initials(self) -> str:
        words = (self.person.name or self.person.email).split()
        return "".join(word[0] for word in words[:2]).upper()

    def to(self, name: str, *args: object) -> str:
        """The address of a page of this workspace."""
        return reverse(name, args=[self.workspace.pk, *args])

    def rows(self, model: type[M]) -> QuerySet[M]:
        """This workspace's rows."""
        return within(self.workspace, model)

    def record(self, verb: str, thing: Thing, changes: Changes | None = None) -> None:
        """Notes in the audit log what the person did; within the transaction in which they did it."""
        record(self.workspace, Actor.of_person(self.person), verb, thing, changes)

    def one(self, rows: QuerySet[M], pk: UUID) -> M:
        """The row with that id among `rows`, which are this workspace's; anybody else's is a 404."""
        row = rows.filter(pk=pk).first()
        if row is None:
            raise Http404
        return row

    def page(
        self, template: str, context: dict[str, Any] | None = None, *, place: str = "", status: int = 200
    ) -> HttpResponse:
        """A whole page in its frame; `place` is where in the sidebar one is. 422 for a form that was refused."""
        whole = {**frame(self), "place": place, **(context or {})}
        return render(self.request, f"dashboard/{template}", whole, status=status)

    def part(self, template: str, context: dict[str, Any]) -> HttpResponse:
        """A piece of a page, for htmx."""
        return render(self.request, f"dashboard/{template}", {"visit": self, **context})

    def back(self, otherwise: str) -> HttpResponse:
        """To the page of ours that the form names in `next`, else to `otherwise`."""
        target = self.request.POST.get("next", "")
        return redirect(target if is_local(self.request, target) else otherwise)


def is_local(request: HttpRequest, target: str) -> bool:
    """Whether an address that the browser gave us leads nowhere but here."""
    allowed = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return allowed and urlsplit(target).path.startswith("/")


def member(
    view: Callable[Concatenate[Visit, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Lets members of the workspace in; to everybody else it does not exist."""

    @wraps(view)
    def entered(request: HttpRequest, workspace_id: UUID, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return ask_to_sign_in(request)
        membership = (
            Membership.objects.filter(workspace_id=workspace_id, user=request.user)
            .select_related("workspace")
            .first()
        )
        if membership is None:
            raise Http404
        _remember(request, workspace_id)
        _note_seen(membership)
        return view(Visit(request, request.user, membership), *args, **kwargs)

    return entered


def actor(
    view: Callable[Concatenate[Visit, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """`member`, and one who may act: a viewer gets 403."""

    @wraps(view)
    def acting(visit: Visit, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not visit.may_act:
            raise PermissionDenied
        return view(visit, *args, **kwargs)

    return member(acting)


def owner(
    view: Callable[Concatenate[Visit, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """`member`, and an owner: everybody else gets 403."""

    @wraps(view)
    def owning(visit: Visit, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not visit.is_owner:
            raise PermissionDenied
        return view(visit, *args, **kwargs)

    return member(owning)


def anywhere(
    view: Callable[Concatenate[Visit, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Lets everybody in who is signed in: a page of the person's, in the frame of the workspace where they were
    last. Who is a member of none is told so."""

    @wraps(view)
    def entered(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return ask_to_sign_in(request)
        workspace = last_workspace(request)
        if workspace is None:
            return render(request, "dashboard/people/no_workspace.html")
        membership = Membership.objects.select_related("workspace").get(workspace=workspace, user=request.user)
        return view(Visit(request, request.user, membership), *args, **kwargs)

    return entered


def ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    """A page asks for its reader; a piece that htmx fetched lets the whole page ask."""
    if request.headers.get("HX-Request"):
        return HttpResponseClientRefresh()
    # What only takes a POST is no page to come back to.
    return redirect_to_login(request.get_full_path() if request.method in ("GET", "HEAD") else "/")


def _remember(request: HttpRequest, workspace_id: UUID) -> None:
    if request.session.get(LAST_WORKSPACE) != str(workspace_id):
        request.session[LAST_WORKSPACE] = str(workspace_id)


def _note_seen(membership: Membership) -> None:
    """To a few minutes, so that looking writes nothing most of the time."""
    now = clock.now()
    if membership.seen_at is None or now - membership.seen_at > SEEN_TO:
        Membership.objects.filter(pk=membership.pk).update(seen_at=now)


def last_workspace(request: HttpRequest) -> Workspace | None:
    """Where the person was last, else a workspace that has something to see; None: member of none."""
    memberships = Membership.objects.filter(user=cast(User, request.user)).select_related("workspace")
    mine = {str(row.workspace_id): row.workspace for row in memberships.order_by("workspace__created_at")}
    if (last := request.session.get(LAST_WORKSPACE)) in mine:
        return mine[last]
    busy = next((each for each in mine.values() if each.calls.exists()), None)
    return busy or next(iter(mine.values()), None)


def frame(visit: Visit) -> dict[str, Any]:
    """What stands around every page: the workspaces to go to, what waits, and how texts leave."""
    sending = visit.rows(SendingAccount).select_related("account").first()
    return {
        "visit": visit,
        "homes": homes_of(visit.person, but=visit.workspace.pk),
        "held_count": visit.rows(FollowUp).filter(outcome=FollowUp.Outcome.HELD).count(),
        "sending": sending,
        "pauses": pauses(visit.workspace.pk),
    }
