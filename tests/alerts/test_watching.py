"""Each thing is told once when it begins and once when it is over, whoever looks, and however it flaps."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from dashboard.factories import an_alert_channel
from django.db import connections

from postcall.alerts.editing import AlertContent, add_email, remove, set_watch
from postcall.alerts.matters import Kind, Matter, Target, Tone
from postcall.alerts.models import AlertChannel, AlertDelivery, AlertState, AlertWatch
from postcall.alerts.watching import calm_after, look
from postcall.keeping.models import Restoration
from postcall.work import clock
from postcall.work.leases import LostLease, take
from postcall.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
START = datetime.fromisoformat("2026-11-23T09:00:00+00:00")


def matter(key: str, kind: Kind = Kind.PAUSED, tone: Tone = "bad", **fields: Any) -> Matter:
    return Matter(kind, key, tone, f"{key} began", "Mend it.", Target(""), **fields)


class Watching:
    """A workspace that is looked at minute by minute, at times of the test's choosing."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.now = START
        self.there: list[Matter] = []
        self.channel = add_email(workspace, "desk@northgate.example")

    def minutes(self, count: int, *there: Matter) -> list[str]:
        """Looks for so many minutes while `there` is so; what was told, such as "+a,b" or "-a"."""
        return self.every(MINUTE, count, *there)

    def every(self, pause: timedelta, count: int, *there: Matter) -> list[str]:
        said = []
        for _ in range(count):
            self.now += pause
            for delivery in self.look(there):
                raised, settled = (delivery.content[which] for which in ("raised", "settled"))
                said += ["+" + ",".join(each["key"] for each in raised)] if raised else []
                said += ["-" + ",".join(each["key"] for each in settled)] if settled else []
        return said

    def look(self, there: tuple[Matter, ...]) -> list[AlertDelivery]:
        AlertWatch.objects.update(due_at=clock.now() - MINUTE, lease_until=None)
        (watch,) = take(AlertWatch, 1, MINUTE)
        return look(watch, self.now, lambda *_: list(there))


@pytest.fixture
def watching(workspace: Workspace) -> Watching:
    return Watching(workspace)


def test_it_tells_once_that_something_began_and_once_that_it_is_over(watching: Watching) -> None:
    assert watching.minutes(5, matter("a")) == ["+a"]
    assert watching.minutes(14) == ["-a"]


def test_it_keeps_quiet_of_what_is_gone_by_the_next_look(watching: Watching) -> None:
    assert watching.minutes(1, matter("a")) == []
    assert watching.minutes(5) == []
    assert not AlertState.objects.exists()


def test_it_gives_what_is_not_grave_more_time(watching: Watching) -> None:
    assert watching.minutes(4, matter("a", tone="wait")) == []
    assert watching.minutes(4, matter("a", tone="wait")) == ["+a"]


def test_it_calls_nothing_over_that_is_back_in_a_moment(watching: Watching) -> None:
    assert watching.minutes(10, matter("a")) == ["+a"]
    assert watching.minutes(9) == []
    assert watching.minutes(10, matter("a")) == []
    assert watching.minutes(9) == []
    assert watching.minutes(2, matter("a")) == []


def test_it_tells_of_what_comes_and_goes_less_and_less(watching: Watching) -> None:
    told = []
    for _ in range(5):
        told += watching.every(15 * MINUTE, 2, matter("a"))
        told += watching.every(15 * MINUTE, 2)
    assert told == ["+a", "-a", "+a"]
    assert [calm_after(times) // MINUTE for times in (1, 2, 3, 5, 9)] == [10, 20, 40, 160, 240]


def test_it_forgets_how_often_something_came_after_a_day(watching: Watching) -> None:
    watching.minutes(2, matter("a"))
    watching.minutes(12)
    assert AlertState.objects.get().times == 1
    watching.now += timedelta(days=2)
    watching.minutes(1)
    assert not AlertState.objects.exists()


def test_it_tells_of_many_things_at_once_in_one_alert(watching: Watching) -> None:
    assert watching.minutes(10, *(matter(key) for key in "abc")) == ["+a,b,c"]


def test_it_sends_at_most_one_alert_in_five_minutes(watching: Watching) -> None:
    assert watching.minutes(2, matter("a")) == ["+a"]
    assert watching.minutes(2, *(matter(key) for key in "ab")) == []
    assert watching.minutes(3, *(matter(key) for key in "abc")) == ["+b,c"]


def test_it_tells_no_light_matter_and_none_of_a_muted_kind(watching: Watching) -> None:
    set_watch(watching.workspace, AlertContent(muted=["failed"], held_over=3))
    assert watching.minutes(7, matter("a", weighty=False), matter("b", Kind.FAILED)) == []


def test_it_tells_nobody_that_a_muted_matter_is_over(watching: Watching) -> None:
    watching.minutes(5, matter("a"))
    set_watch(watching.workspace, AlertContent(muted=["paused"], held_over=3))
    assert watching.minutes(12) == []


def test_it_asks_for_what_is_held_by_the_workspaces_own_measure(watching: Watching) -> None:
    set_watch(watching.workspace, AlertContent(held_over=7))
    (watch,) = take(AlertWatch, 1, MINUTE)
    asked: list[int] = []
    look(watch, START, lambda _workspace, _now, held_over: asked.append(held_over) or [])  # type: ignore[func-returns-value]
    assert asked == [7]


def test_it_tells_a_webhook_of_beginning_and_end_apart(watching: Watching) -> None:
    channel = an_alert_channel(watching.workspace, "https://hooks.northgate.example/in")
    watching.minutes(2, matter("a"))
    watching.minutes(16, matter("b"))
    to_webhook = AlertDelivery.objects.filter(channel=channel).order_by("pk")
    assert [(len(each.content["raised"]), len(each.content["settled"])) for each in to_webhook] == [
        (1, 0),
        (1, 0),
        (0, 1),
    ]


def test_it_looks_at_nothing_for_nobody(watching: Watching) -> None:
    watching.minutes(5, matter("a"))
    remove(watching.channel)
    assert AlertWatch.objects.get().due_at is None
    assert not AlertState.objects.exists()


def test_it_floods_nobody_after_a_restoration(watching: Watching) -> None:
    watching.minutes(5, matter("a"))
    Restoration.objects.create(taken_at=watching.now, restored_at=watching.now + MINUTE)
    watching.now += 3 * MINUTE
    assert watching.minutes(15, matter("b"), matter("c")) == []
    assert watching.minutes(10, matter("b"), matter("c"), matter("d")) == ["+d"]


def test_it_writes_nothing_once_another_worker_has_the_watch(watching: Watching) -> None:
    (mine,) = take(AlertWatch, 1, MINUTE)
    watching.now += MINUTE
    watching.look((matter("a"),))
    with pytest.raises(LostLease):
        look(mine, watching.now + 5 * MINUTE, lambda *_: [matter("a")])
    assert not AlertDelivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_tells_once_however_many_workers_look(workspace: Workspace) -> None:
    watching = Watching(workspace)
    watching.minutes(1, matter("a"))
    watching.now += MINUTE
    AlertWatch.objects.update(due_at=clock.now() - MINUTE, lease_until=None)
    ready = threading.Barrier(4)

    def work() -> None:
        ready.wait()
        for watch in take(AlertWatch, 1, MINUTE):
            look(watch, watching.now, lambda *_: [matter("a")])
        connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert AlertDelivery.objects.count() == 1
    assert AlertChannel.objects.count() == 1
