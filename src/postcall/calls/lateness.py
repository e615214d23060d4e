"""Until when a call is followed up that nobody had decided about when it ended: one rule for every door."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from postcall.calls.models import Call

# A text about a call of yesterday still makes sense to the caller, one of last week does not.
FOLLOWED_UP_WITHIN: Final = timedelta(hours=24)


def is_recent(call: Call, now: datetime) -> bool:
    """Whether it came in, and ended, during the last day: a call of last week may be reported today."""
    came_in = call.received_at >= now - FOLLOWED_UP_WITHIN
    return came_in and not ended_long_ago(call.started_at, call.ended_at, now)


def ended_long_ago(started_at: datetime | None, ended_at: datetime | None, now: datetime) -> bool:
    """False where no time is told. A call whose end is not told has ended when it began, give or take."""
    ended = ended_at or started_at
    return ended is not None and ended < now - FOLLOWED_UP_WITHIN


def recent(now: datetime) -> Q:
    """`is_recent`, of rows of calls."""
    since = now - FOLLOWED_UP_WITHIN
    ended = Q(ended_at__gte=since) | Q(ended_at=None, started_at__gte=since) | Q(ended_at=None, started_at=None)
    return Q(received_at__gte=since) & ended
