"""The list of voice agents, and how one of them fares."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Max, Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from postcall.actions.models import Attachment
from postcall.agents.models import Agent, ExternalId
from postcall.calls.models import Call
from postcall.calls.unknown import unknown_agents
from postcall.dashboard.access import Visit, member
from postcall.dashboard.views.agents.lacks import lacks_of
from postcall.dashboard.views.agents.tabs import agent_page
from postcall.followups.models import FollowUp
from postcall.ids import first_id
from postcall.messages.models import Message
from postcall.shapes import storable

_WEEK: Final = timedelta(days=7)
_LAST_CALLS: Final = 8
_CALLS_A_PAGE: Final = 50
_IDS: Final = Prefetch("external_ids", ExternalId.objects.filter(live=True).order_by("pk"), to_attr="known_as")
_ATTACHED: Final = Prefetch(
    "attachments",
    Attachment.objects.filter(deleted_at=None, action__deleted_at=None)
    .select_related("action__revision")
    .order_by("action__name"),
    to_attr="attached",
)
_FOLLOW_UPS: Final = Prefetch(
    "follow_ups", FollowUp.objects.select_related("action", "message").defer("snapshot", "verdict").order_by("pk")
)


@require_GET
@member
def every(visit: Visit) -> HttpResponse:
    asked = storable(visit.request.GET.get("q", "")).strip()[:200]
    agents = _that_say(visit.rows(Agent).filter(deleted_at=None), asked)
    rows = list(agents.prefetch_related(_IDS, _ATTACHED).order_by("name"))
    week = _last_week(visit, rows)
    return visit.page(
        "agents/list.html",
        {
            "rows": [(agent, week.get(agent.pk, {})) for agent in rows],
            "asked": asked,
            "unknown": unknown_agents(visit.workspace),
        },
        place="agents",
    )


def _that_say(agents: QuerySet[Agent], words: str) -> QuerySet[Agent]:
    """Those of which every word stands in the name, the business's name or an id."""
    for word in words.split():
        known = ExternalId.objects.filter(live=True, external_id__icontains=word).values("agent_id")
        agents = agents.filter(Q(name__icontains=word) | Q(business_name__icontains=word) | Q(pk__in=known))
    return agents


def _last_week(visit: Visit, agents: Sequence[Agent]) -> dict[UUID, Any]:
    counted = (
        visit.rows(Call)
        .filter(agent__in=agents, pk__gte=first_id(timezone.now() - _WEEK))
        .values("agent_id")
        .annotate(calls=Count("pk"), last=Max("received_at"))
    )
    return {row["agent_id"]: row for row in counted}


@require_GET
@member
def summary(visit: Visit, agent_id: UUID) -> HttpResponse:
    """How an agent fares and what it lacks, also where it is deleted: its log still points at it."""
    agent = visit.one(visit.rows(Agent), agent_id)
    since = first_id(timezone.now() - _WEEK)
    figures = (
        visit.rows(FollowUp)
        .filter(call__agent=agent, pk__gte=since)
        .aggregate(
            judged=Count("pk", filter=~Q(result="")),
            met=Count("pk", filter=Q(result="met")),
            held=Count("pk", filter=Q(outcome=FollowUp.Outcome.HELD)),
            texts=Count("pk", filter=Q(message__isnull=False)),
            delivered=Count("pk", filter=Q(message__status=Message.Status.DELIVERED)),
            failed=Count("pk", filter=Q(message__status__in=(Message.Status.FAILED, Message.Status.UNDELIVERED))),
        )
    )
    return agent_page(
        visit,
        agent,
        "summary",
        {
            "week": {**figures, "calls": _calls(visit, agent).filter(pk__gte=since).count()},
            "calls": _calls(visit, agent)[:_LAST_CALLS],
            "lacks": [] if agent.deleted_at else lacks_of(visit, agent),
        },
    )


@require_GET
@member
def calls(visit: Visit, agent_id: UUID) -> HttpResponse:
    """An agent's latest calls; the whole log is where calls are searched."""
    agent = visit.one(visit.rows(Agent), agent_id)
    return agent_page(visit, agent, "calls", {"calls": _calls(visit, agent)[:_CALLS_A_PAGE]})


def _calls(visit: Visit, agent: Agent) -> QuerySet[Call]:
    found = visit.rows(Call).filter(agent=agent).select_related("agent")
    return found.defer("transcript").prefetch_related(_FOLLOW_UPS).order_by("-pk")
