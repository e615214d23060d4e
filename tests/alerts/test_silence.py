"""A platform is silent when it brings nothing for much longer than usual, and only then."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from postcall.alerts.silence import is_silent
from postcall.sources.models import Source
from postcall.work import clock
from postcall.workspaces.models import Workspace

from .times import calls_at

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def source(workspace: Workspace) -> Source:
    return Source.objects.create(workspace=workspace, kind="generic", name="Front desk")


@pytest.fixture
def now() -> datetime:
    return clock.now()


def silent(source: Source, now: datetime, ended: timedelta, every: timedelta, since: timedelta) -> bool:
    """After calls from `since` ago until `ended` ago."""
    count = (since - ended) // every
    calls_at([now - ended - number * every for number in range(count + 1)], source)
    return is_silent(source, now)


def test_it_waits_for_the_first_call(source: Source, now: datetime) -> None:
    assert not is_silent(source, now)


def test_it_hears_a_busy_platform_fall_silent(source: Source, now: datetime) -> None:
    assert silent(source, now, ended=2 * HOUR, every=10 * MINUTE, since=21 * DAY)


def test_it_gives_a_busy_platform_some_time(source: Source, now: datetime) -> None:
    assert not silent(source, now, ended=HOUR, every=10 * MINUTE, since=21 * DAY)


def test_it_knows_nights_and_weekends_by_the_weeks_before(source: Source, now: datetime) -> None:
    def is_quiet(at: datetime) -> bool:
        """The two days before `now`, in each week."""
        return (now - at) % (7 * DAY) < 2 * DAY

    times = [now - number * 10 * MINUTE for number in range(21 * 24 * 6)]
    calls_at([at for at in times if not is_quiet(at)], source)
    assert not is_silent(source, now)
    assert is_silent(source, now + 3 * HOUR)


def test_it_asks_of_one_holiday_alone_no_silence(source: Source, now: datetime) -> None:
    """A week earlier was a holiday: nothing came then either."""
    times = [now - 2 * HOUR - number * 20 * MINUTE for number in range(21 * 24 * 3)]
    calls_at([at for at in times if not 6 * DAY < now - at < 8 * DAY], source)
    assert not is_silent(source, now)


def test_it_hears_a_platform_with_few_calls_fall_silent(source: Source, now: datetime) -> None:
    assert silent(source, now, ended=4 * DAY, every=36 * HOUR, since=18 * DAY)


def test_it_gives_a_platform_with_few_calls_more_time(source: Source, now: datetime) -> None:
    assert not silent(source, now, ended=2 * DAY, every=36 * HOUR, since=16 * DAY)


def test_it_takes_an_afternoon_of_trials_for_no_habit(source: Source, now: datetime) -> None:
    assert not silent(source, now, ended=3 * DAY, every=5 * MINUTE, since=3 * DAY + 3 * HOUR)


def test_it_counts_the_calls_of_no_other_platform(workspace: Workspace, source: Source, now: datetime) -> None:
    other = Source.objects.create(workspace=workspace, kind="generic", name="Night desk")
    calls_at([now - 2 * HOUR - number * 10 * MINUTE for number in range(21 * 24 * 6)], other)
    calls_at([now - 2 * HOUR], source)
    assert not is_silent(source, now)
