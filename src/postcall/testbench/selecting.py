"""Which calls an action's words are tried on, and what asking about them will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from postcall.actions.models import Action, Attachment
from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.config import config
from postcall.judge.prices import cost
from postcall.workspaces.scope import within

# Calls of one run.
MOST: Final = 2_000
DEFAULT: Final = 100
# About what a model reads beside the transcript, and what it answers, in tokens; and characters a token.
_INSTRUCTIONS: Final = 1_200
_ANSWER: Final = 250
_PER_TOKEN: Final = 4


@dataclass(frozen=True)
class Selection:
    """Calls by when they arrived: from `since` on and before `until`, of them the newest `latest` (at most MOST).
    `agent` None: the calls of the agents that use the action, or of all where none does; or with `all_agents`."""

    agent: Agent | None = None
    since: datetime | None = None
    until: datetime | None = None
    latest: int = DEFAULT
    all_agents: bool = False


@dataclass(frozen=True)
class Expected:
    """About what asking takes: `tokens` and `cost` (USD) are a guess by the length of the calls; both None where
    the judge in force takes none, `cost` also where no price is known."""

    calls: int
    tokens: int | None
    cost: Decimal | None


def selected(action: Action, selection: Selection) -> list[UUID]:
    """The ids of the calls, the newest first."""
    calls = _calls(action, selection)
    return list(calls.values_list("pk", flat=True)[: min(MOST, max(1, selection.latest))])


def _calls(action: Action, selection: Selection) -> QuerySet[Call]:
    calls = within(action.workspace_id, Call).filter(forgotten_at=None).order_by("-pk")
    if selection.agent is not None:
        calls = calls.filter(agent=selection.agent)
    elif not selection.all_agents and (using := agents_using(action)):
        calls = calls.filter(agent__in=using)
    if selection.since is not None:
        calls = calls.filter(received_at__gte=selection.since)
    if selection.until is not None:
        calls = calls.filter(received_at__lt=selection.until)
    return calls


def agents_using(action: Action) -> list[UUID]:
    attachments = Attachment.objects.filter(action=action, deleted_at=None, agent__deleted_at=None)
    return list(attachments.values_list("agent_id", flat=True).order_by("agent_id"))


def expected(calls: Sequence[UUID]) -> Expected:
    """What asking the judge in force about `calls` will take."""
    model = config().judge_model
    if model == "offline" or not calls:
        return Expected(len(calls), None, None)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(length(transcript::text)), 0) FROM call WHERE id = ANY(%s)", [list(calls)]
        )
        characters = int(cursor.fetchone()[0])
    read = characters // _PER_TOKEN + _INSTRUCTIONS * len(calls)
    answered = _ANSWER * len(calls)
    return Expected(len(calls), read + answered, cost(model, read, answered))
