"""Whether a voice platform has fallen silent: it used to bring calls, and brings none for much longer than usual.

Calls follow the week: nights, Sundays and lunch breaks are quiet for everybody. So a silence is held against the
same hours of the two weeks before. A source is silent when

- in the hours since its last call it brought at least ENOUGH calls a week earlier, as many two weeks earlier; or
- it brought calls on at least DAYS different days of the two weeks before its last one, and the silence has lasted
  more than twice as long as the longest pause among them (for sources with few calls), but a day at least.

Of calls that come at random, none where ENOUGH are usual happens less than once in two thousand times. A source
that waits for its first call is not silent, and one whose calls were tried out on an afternoon is not either.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from postcall.calls.models import Call
from postcall.ids import first_id
from postcall.sources.models import Source
from postcall.workspaces.scope import within

ENOUGH: Final = 8
DAYS: Final = 5
LEAST: Final = timedelta(minutes=30)
WEEK: Final = timedelta(days=7)
_A_DAY: Final = timedelta(days=1)
_LOOKED_AT: Final = 200


def is_silent(source: Source, now: datetime) -> bool:
    last = source.last_received_at
    if last is None or now - last < LEAST:
        return False
    return _others_came_then(source, last, now) or _longest_pause_is_over(source, last, now)


def _others_came_then(source: Source, last: datetime, now: datetime) -> bool:
    until = min(now, last + WEEK)
    return all(
        _calls_between(source, last - weeks * WEEK, until - weeks * WEEK, ENOUGH) >= ENOUGH for weeks in (1, 2)
    )


def _calls_between(source: Source, since: datetime, until: datetime, most: int) -> int:
    calls = within(source.workspace_id, Call).filter(pk__gte=first_id(since), pk__lt=first_id(until), source=source)
    return len(calls.order_by("pk").values_list("pk")[:most])


def _longest_pause_is_over(source: Source, last: datetime, now: datetime) -> bool:
    if now - last < _A_DAY:
        return False
    calls = within(source.workspace_id, Call).filter(
        pk__gte=first_id(last - 2 * WEEK), pk__lt=first_id(last + timedelta(minutes=2)), source=source
    )
    came = sorted(calls.order_by("-pk").values_list("received_at", flat=True)[:_LOOKED_AT])
    if len({each.date() for each in came}) < DAYS:
        return False
    return now - last > 2 * max(later - earlier for earlier, later in pairwise(came))
