"""The list of actions."""

from __future__ import annotations

from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Lower
from django.http import HttpResponse, QueryDict
from django.views.decorators.http import require_GET

from postcall.actions.examples import EXAMPLES
from postcall.actions.models import Action, Attachment
from postcall.agents.models import Agent
from postcall.dashboard.access import Visit, member
from postcall.dashboard.paging import uuid_or_none
from postcall.dashboard.views.actions.finding import ATTACHED, last_week
from postcall.messages.segments import count
from postcall.shapes import storable

ARCHIVED: Final = "archived"
UNATTACHED: Final = "none"
ORDERS: Final = {"name": "By name", "met": "Most met"}
_MOST: Final = 500


@require_GET
@member
def every(visit: Visit) -> HttpResponse:
    asked = visit.request.GET
    archived = asked.get("shown") == ARCHIVED
    actions = visit.rows(Action).filter(deleted_at__isnull=not archived)
    rows = list(_narrowed(actions, asked).select_related("revision").prefetch_related(ATTACHED)[:_MOST])
    week = last_week(visit, rows)
    if asked.get("sort") == "met":
        rows.sort(key=lambda action: -week.get(action.pk, {}).get("met", 0))
    shown = [
        (action, week.get(action.pk, {}), count(action.revision.message)) for action in rows if action.revision
    ]
    return visit.page(
        "actions/list.html",
        {
            "rows": shown,
            "archived": archived,
            "asked": asked,
            "is_asking": any(asked.get(key) for key in ("q", "agent")),
            "counts": {
                "active": visit.rows(Action).filter(deleted_at=None).count(),
                "archived": visit.rows(Action).exclude(deleted_at=None).count(),
            },
            "agents": _agents(visit),
            "orders": ORDERS,
            "examples": EXAMPLES,
        },
        place="actions",
    )


def _narrowed(actions: QuerySet[Action], asked: QueryDict) -> QuerySet[Action]:
    for word in storable(asked.get("q", ""))[:200].split():
        actions = actions.filter(
            Q(name__icontains=word) | Q(revision__condition__icontains=word) | Q(revision__message__icontains=word)
        )
    using = Attachment.objects.filter(action=OuterRef("pk"), deleted_at=None, agent__deleted_at=None)
    if asked.get("agent") == UNATTACHED:
        actions = actions.filter(~Exists(using))
    elif (agent := uuid_or_none(asked.get("agent"))) is not None:
        actions = actions.filter(Exists(using.filter(agent=agent)))
    return actions.order_by(Lower("name"), "pk") if asked.get("sort") == "name" else actions.order_by("-updated_at")


def _agents(visit: Visit) -> dict[str, str]:
    agents = visit.rows(Agent).filter(deleted_at=None).order_by("name")
    return {**{str(agent.pk): agent.name for agent in agents}, UNATTACHED: "Not attached"}
