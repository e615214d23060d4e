"""One clock for all processes: the database's, whatever the machines' clocks say."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection

from postcall.work import clock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_reading", None)


@pytest.fixture
def _database_hours_behind() -> None:
    """The database's clock, turned back for the rest of the test."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA turned")
        cursor.execute(
            "CREATE FUNCTION turned.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS"
            " $$ SELECT pg_catalog.clock_timestamp() - interval '5 hours' $$"
        )
        cursor.execute("SET LOCAL search_path = turned, pg_catalog, public")


@pytest.mark.usefixtures("_database_hours_behind")
def test_it_is_the_databases() -> None:
    behind = datetime.now(UTC) - clock.now()
    assert abs(behind - timedelta(hours=5)) < timedelta(seconds=30)


def test_it_does_not_follow_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    before = clock.now()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert timedelta() < clock.now() - before < timedelta(seconds=30)


def test_it_never_turns_back_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "READING_LASTS_S", 0.0)
    times = [clock.now() for _ in range(200)]
    assert times == sorted(times)


def test_it_asks_the_database_once_for_many(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]  # pytest-django's
        for _ in range(50):
            clock.now()


class _Away:
    """A connection to a server that does not answer."""

    in_atomic_block = False

    def cursor(self) -> None:
        raise OperationalError("away")


def test_it_goes_on_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    before = clock.now()
    monkeypatch.setattr(clock, "READING_LASTS_S", 0.0)
    monkeypatch.setattr(clock, "connection", _Away())
    assert timedelta() <= clock.now() - before < timedelta(seconds=30)


def test_it_says_so_when_it_never_knew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "connection", _Away())
    with pytest.raises(OperationalError):
        clock.now()
