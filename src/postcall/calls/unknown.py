"""Calls whose agent nobody has told us of: which names platforms gave it, and giving them to an agent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Count, F, Max, QuerySet
from django.db.models.functions import Greatest

from postcall.agents.editing import add_external_id
from postcall.agents.models import Agent
from postcall.calls.lateness import recent
from postcall.calls.models import Call
from postcall.work import clock
from postcall.work.wake import wake
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

MOST_LISTED: Final = 100


@dataclass(frozen=True)
class UnknownAgent:
    """An agent as a platform names it; `ref` empty: the calls name none. `recent` of `calls`: came in, and ended,
    during the last day."""

    source_kind: str
    ref: str
    calls: int
    recent: int
    last: datetime


def unknown_agents(workspace: Workspace) -> list[UnknownAgent]:
    """Those for which calls of the workspace wait, the latest first."""
    counted = (
        _waiting(workspace)
        .values("source_kind", "agent_ref")
        .annotate(calls=Count("pk"), recent=Count("pk", filter=recent(clock.now())), last=Max("received_at"))
        .order_by("-last")
    )
    return [
        UnknownAgent(row["source_kind"], row["agent_ref"], row["calls"], row["recent"], row["last"])
        for row in counted[:MOST_LISTED]
    ]


def is_unknown(workspace: Workspace, source_kind: str, ref: str) -> bool:
    """Whether calls wait for somebody to say whose they are."""
    return _waiting(workspace).filter(source_kind=source_kind, agent_ref=ref).exists()


@transaction.atomic
def adopt(agent: Agent, source_kind: str, ref: str, *, follow_up: bool) -> int:
    """Says that a platform's `ref` is `agent`, and gives it the calls that wait for it; returns how many.

    `follow_up`: those of the last day are judged and may send texts; the others, and else all, are for the log
    only. Raises ExternalIdTaken.
    """
    if ref:
        add_external_id(agent, source_kind, ref)
    now = clock.now()
    waiting = _waiting(agent.workspace).filter(source_kind=source_kind, agent_ref=ref)
    judged = 0
    if follow_up:
        judged = waiting.filter(recent(now)).update(
            agent=agent, status=Call.Status.RECEIVED, due_at=Greatest(F("judge_after"), now), processed_at=None
        )
    filed = waiting.update(agent=agent, status=Call.Status.DONE, due_at=None, processed_at=now)
    if judged:
        wake("calls")
    return judged + filed


def _waiting(workspace: Workspace) -> QuerySet[Call]:
    return within(workspace, Call).filter(status=Call.Status.UNASSIGNED)
