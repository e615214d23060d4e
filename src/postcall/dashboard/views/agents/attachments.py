"""What follows an agent's calls: its actions, and where their inputs come from."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.views.decorators.http import require_GET

from postcall.actions.models import Attachment
from postcall.agents.models import Agent
from postcall.dashboard.access import Visit, member
from postcall.dashboard.attached import mapped
from postcall.dashboard.views.agents.tabs import agent_page, living_agent


@require_GET
@member
def actions(visit: Visit, agent_id: UUID) -> HttpResponse:
    agent = living_agent(visit, agent_id)
    cards = [mapped(each, each.action.revision.inputs if each.action.revision else []) for each in _attached(agent)]
    return agent_page(visit, agent, "actions", {"cards": cards})


def _attached(agent: Agent) -> QuerySet[Attachment]:
    living = agent.attachments.filter(deleted_at=None)
    return living.select_related("action__revision").order_by("action__name", "pk")
