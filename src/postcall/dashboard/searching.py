"""The call log's search and filters, as they stand in the address."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from postcall.calls import finding
from postcall.calls.models import Call
from postcall.dashboard.paging import uuid_or_none
from postcall.dashboard.words import MESSAGE_STATUSES, OUTCOMES, REASONS
from postcall.followups.finding import with_follow_up
from postcall.ids import first_id
from postcall.shapes import storable
from postcall.sources.kinds import KINDS
from postcall.sources.models import Source
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

DATES: Final[dict[str, str]] = {"today": "Today", "7d": "Last 7 days", "30d": "Last 30 days"}
UNASSIGNED: Final = "unassigned"
BY_API: Final = "api"
_CHOICES: Final = (
    ("outcome", "outcome", OUTCOMES),
    ("reason", "reason", REASONS),
    ("message_status", "message__status", MESSAGE_STATUSES),
)
_NUMBER: Final = re.compile(r"[+\d][\d\s().-]{2,}")


def find_calls(workspace: Workspace, asked: QueryDict) -> QuerySet[Call]:
    """The workspace's calls that fit what the address asks for; what it asks wrongly is passed over."""
    calls = within(workspace, Call)
    if (agent := uuid_or_none(asked.get("agent"))) is not None:
        calls = calls.filter(agent_id=agent)
    if (source := asked.get("source")) == BY_API:
        calls = calls.filter(source=None, source_kind=BY_API)
    elif source in KINDS:
        calls = calls.filter(_through(workspace, source))
    elif (source_id := uuid_or_none(source)) is not None:
        calls = calls.filter(source_id=source_id)
    if since := since_of(asked.get("date", "")):
        calls = calls.filter(pk__gte=first_id(since), received_at__gte=since)
    if asked.get("outcome") == UNASSIGNED:
        calls = unassigned(calls)
    elif condition := _about_follow_ups(asked):
        calls = with_follow_up(calls, workspace, condition)
    return _with_words(calls, workspace, storable(asked.get("q", "")).strip()[:200])


def _through(workspace: Workspace, kind: str) -> Q:
    """Of a platform: through any source of it, disconnected ones too, or put in by hand without one."""
    sources = list(within(workspace, Source).filter(kind=kind).values_list("pk", flat=True))
    return Q(source__in=sources) | Q(source=None, source_kind=kind)


def unassigned(calls: QuerySet[Call]) -> QuerySet[Call]:
    """Those that wait for somebody to say whose they are; without an agent, so that its index finds them."""
    return calls.filter(agent=None, status=Call.Status.UNASSIGNED)


def number_in(text: str) -> str:
    """What somebody searches for, where that looks like a phone number; else empty."""
    return text.strip() if _NUMBER.fullmatch(text.strip()) else ""


def is_asking(asked: QueryDict) -> bool:
    """Whether anything narrows the list."""
    return any(asked.get(key) for key in ("q", "agent", "source", "outcome", "reason", "message_status", "date"))


def since_of(date: str) -> datetime | None:
    """When the named stretch of days began, in the reader's zone."""
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"today": 0, "7d": 6, "30d": 29}.get(date)
    return None if days is None else today - timedelta(days=days)


def _about_follow_ups(asked: QueryDict) -> Q | None:
    about = Q()
    for key, field, known in _CHOICES:
        if (value := asked.get(key)) in known:
            about &= Q(**{field: value})
    return about or None


def _with_words(calls: QuerySet[Call], workspace: Workspace, text: str) -> QuerySet[Call]:
    if not text:
        return calls
    if _NUMBER.fullmatch(text):
        return finding.with_number(calls, workspace, text, anywhere=True)
    if call_id := _id(text):
        return calls.filter(pk=call_id)
    return finding.with_words(calls, workspace, text)


def _id(text: str) -> UUID | None:
    return uuid_or_none(text) if len(text) >= 32 else None
