"""Looks at a workspace once a minute, and tells each matter once when it begins and once when it is over.

1. A matter is told when it has stood for PATIENCE: what comes and goes between two looks is nobody's business.
2. It is over when it has been gone for a while, the longer the oftener it came back within a day (`calm_after`).
3. All news of one look go out as one alert, and a workspace gets one alert in QUIET at most: what begins meanwhile
   is in the next one.
4. The first look after a restoration from a backup takes down what it finds, and tells nothing: whoever restored is
   looking. While a restored database sends nothing it tells nothing either: the original may still be at work.

The row of the watch is held by lease and generation, and locked while its news are written down: of any number of
workers one tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from postcall.alerts.attention import matters
from postcall.alerts.matters import Matter, Tone
from postcall.alerts.models import AlertChannel, AlertDelivery, AlertState, AlertWatch
from postcall.keeping.models import Restoration
from postcall.pace import paced_delta
from postcall.work.leases import lock_held, settle
from postcall.workspaces.models import Workspace

# A little less than the chore's minute, so that each minute looks.
LOOKS_EVERY: Final = paced_delta(seconds=50)
PATIENCE: Final[dict[Tone, timedelta]] = {
    "bad": paced_delta(seconds=45),
    "wait": paced_delta(minutes=5),
    "idle": paced_delta(minutes=5),
}
QUIET: Final = paced_delta(minutes=5)
FIRST_CALM: Final = paced_delta(minutes=10)
LONGEST_CALM: Final = paced_delta(hours=4)
REMEMBERED: Final = paced_delta(days=1)

Find = Callable[[Workspace, datetime, int], list[Matter]]


def find_matters(workspace: Workspace, now: datetime, held_over: int) -> list[Matter]:
    return matters(workspace, now, held_over=held_over)


@dataclass
class News:
    raised: list[AlertState]
    settled: list[AlertState]

    def __bool__(self) -> bool:
        return bool(self.raised or self.settled)


@transaction.atomic
def look(watch: AlertWatch, now: datetime, find: Find = find_matters) -> list[AlertDelivery]:
    """Takes down what there is now, and makes the alerts that tell its news. The caller holds the watch by lease.

    Raises LostLease.
    """
    lock_held(watch)
    channels = list(AlertChannel.objects.filter(workspace_id=watch.workspace_id).order_by("pk"))
    if not channels:
        AlertState.objects.filter(workspace_id=watch.workspace_id).delete()
        settle(watch, due_at=None, looked_at=None)
        return []
    found = {
        matter.key: matter
        for matter in find(watch.workspace, now, watch.held_over)
        if matter.weighty and matter.kind not in watch.muted
    }
    known = {state.key: state for state in _states(watch)}
    news = News(list(_begun(watch, found, known, now)), list(_over(found, known, now)))
    if _is_restored_since(watch):
        _take_as_told(watch, found, now)
        news = News([], [])
    told_at = watch.told_at
    made: list[AlertDelivery] = []
    if news and (told_at is None or now - told_at >= QUIET):
        _tell(news, now)
        made, told_at = _deliveries(channels, news, now), now
    settle(watch, due_at=now + LOOKS_EVERY, looked_at=now, told_at=told_at)
    return made


def _states(watch: AlertWatch) -> Iterable[AlertState]:
    states = AlertState.objects.filter(workspace_id=watch.workspace_id)
    states.filter(kind__in=watch.muted).delete()
    return states.order_by("pk")


def _begun(
    watch: AlertWatch, found: dict[str, Matter], known: dict[str, AlertState], now: datetime
) -> Iterator[AlertState]:
    """Takes down what is there; yields what is to be told."""
    for key, matter in found.items():
        state = known.get(key) or AlertState(workspace_id=watch.workspace_id, key=key, since=now)
        if state.over_at is not None:
            state.since, state.told_at, state.over_at = now, None, None
        state.kind, state.tone, state.gone_at = matter.kind, matter.tone, None
        state.title, state.mend = matter.title[:300], matter.mend
        state.save()
        if state.told_at is None and now - state.since >= PATIENCE[matter.tone]:
            yield state


def _over(found: dict[str, Matter], known: dict[str, AlertState], now: datetime) -> Iterator[AlertState]:
    """Notes what is not there; yields what is over."""
    for key, state in known.items():
        if key in found:
            continue
        if state.over_at is not None:
            if now - state.over_at >= REMEMBERED:
                state.delete()
            continue
        if state.told_at is None:
            _forget_untold(state, now)
            continue
        if state.gone_at is None:
            state.gone_at = now
            state.save(update_fields=["gone_at"])
        if now - state.gone_at >= calm_after(state.times):
            yield state


def _forget_untold(state: AlertState, now: datetime) -> None:
    if state.times:
        state.over_at = now
        state.save(update_fields=["over_at"])
    else:
        state.delete()


def calm_after(times: int) -> timedelta:
    """How long a matter that was told so often has to be gone before it is over."""
    doubled: int = 2 ** min(max(times - 1, 0), 10)
    return min(FIRST_CALM * doubled, LONGEST_CALM)


def _tell(news: News, now: datetime) -> None:
    for state in news.raised:
        state.told_at, state.times = now, min(state.times + 1, 1000)
        state.save(update_fields=["told_at", "times"])
    for state in news.settled:
        state.over_at, state.gone_at = now, None
        state.save(update_fields=["over_at", "gone_at"])


def _take_as_told(watch: AlertWatch, found: dict[str, Matter], now: datetime) -> None:
    states = AlertState.objects.filter(workspace_id=watch.workspace_id)
    states.filter(key__in=found, told_at=None).update(told_at=now, times=1)
    states.exclude(key__in=found).delete()


def _is_restored_since(watch: AlertWatch) -> bool:
    if watch.looked_at is None:
        return False
    return Restoration.objects.filter(restored_at__gt=watch.looked_at).exists()


def _deliveries(channels: list[AlertChannel], news: News, now: datetime) -> list[AlertDelivery]:
    """A mail tells all of it, a webhook what has begun and what is over apart: each has a type of its own."""
    raised, settled = [told(each) for each in news.raised], [told(each) for each in news.settled]
    contents: dict[str, list[dict[str, Any]]] = {
        AlertChannel.Kind.EMAIL: [{"raised": raised, "settled": settled}],
        AlertChannel.Kind.WEBHOOK: [
            *([{"raised": raised, "settled": []}] if raised else []),
            *([{"raised": [], "settled": settled}] if settled else []),
        ],
    }
    return AlertDelivery.objects.bulk_create(
        AlertDelivery(workspace_id=channel.workspace_id, channel=channel, content=content, made_at=now, due_at=now)
        for channel in channels
        for content in contents[channel.kind]
    )


def told(state: AlertState) -> dict[str, Any]:
    """A matter as an alert tells it."""
    return {
        "key": state.key,
        "kind": state.kind,
        "tone": state.tone,
        "title": state.title,
        "mend": state.mend,
        "since": state.since.isoformat(),
    }
