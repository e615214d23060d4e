"""What the pages of one agent have in common: its head and its tabs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse

from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.dashboard.access import Visit


def living_agent(visit: Visit, agent_id: UUID) -> Agent:
    """The workspace's agent; one that is deleted is a 404 wherever it could be changed."""
    return visit.one(visit.rows(Agent).filter(deleted_at=None), agent_id)


def agent_page(
    visit: Visit, agent: Agent, tab: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """One of an agent's pages; `tab` names it and its template."""
    known = agent.external_ids.filter(live=True).order_by("pk")
    last = visit.rows(Call).filter(agent=agent).order_by("-pk").only("received_at").first()
    whole = {"agent": agent, "tab": tab, "known_as": known, "last_call": last and last.received_at}
    return visit.page(f"agents/{tab}.html", {**whole, **(context or {})}, place="agents", status=status)
