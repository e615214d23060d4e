"""The voice agents, and what follows after their calls."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Count, Max, Prefetch
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from postcall.actions.models import Attachment
from postcall.agents.models import Agent, ExternalId
from postcall.calls.models import Call
from postcall.dashboard.access import Visit, member
from postcall.dashboard.attached import mapped
from postcall.ids import first_id

_WEEK: Final = timedelta(days=7)
_IDS: Final = Prefetch("external_ids", ExternalId.objects.filter(live=True).order_by("pk"), to_attr="known_as")
_ATTACHED: Final = Prefetch(
    "attachments",
    Attachment.objects.filter(deleted_at=None, action__deleted_at=None)
    .select_related("action__revision")
    .order_by("action__name"),
    to_attr="attached",
)


@require_GET
@member
def every(visit: Visit) -> HttpResponse:
    agents = visit.rows(Agent).filter(deleted_at=None)
    rows = list(agents.prefetch_related(_IDS, _ATTACHED).order_by("name"))
    since = timezone.now() - _WEEK
    counted = (
        visit.rows(Call)
        .filter(agent__in=rows, pk__gte=first_id(since))
        .values("agent_id")
        .annotate(calls=Count("pk"), last=Max("received_at"))
    )
    week = {row["agent_id"]: row for row in counted}
    return visit.page(
        "agents/list.html", {"rows": [(agent, week.get(agent.pk, {})) for agent in rows]}, place="agents"
    )


@require_GET
@member
def one(visit: Visit, agent_id: UUID) -> HttpResponse:
    agent = visit.one(visit.rows(Agent).prefetch_related(_IDS, _ATTACHED), agent_id)
    attachments = [
        mapped(each, each.action.revision.inputs if each.action.revision else [])
        for each in agent.attached  # type: ignore[attr-defined]  # _ATTACHED sets it
    ]
    return visit.page("agents/agent.html", {"agent": agent, "attachments": attachments}, place="agents")
