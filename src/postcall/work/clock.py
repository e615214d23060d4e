"""The service's one clock: the database's, whatever the clocks of the machines say.

Leases, due times and what is said to have happened when are compared with one another by processes on many
machines, so they are all measured by one clock. Between two readings it is carried on by a clock that nobody sets
and that goes on while the machine sleeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import DatabaseError, InterfaceError, connection

from postcall.pace import paced

# How long a reading is carried on, in seconds. A database whose clock is set is followed within that.
READING_LASTS_S: Final = paced(2.0)
# Two readings may differ by how long their answers took; by so many seconds the clock is not turned back.
WITHIN_S: Final = 0.005

ticks: Final[Callable[[], float]] = (
    (lambda: time.clock_gettime(time.CLOCK_BOOTTIME)) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)
"""Seconds since some moment, on a clock that nobody sets: a laptop that was shut, or a paused virtual machine, sees
that it slept."""


@dataclass(frozen=True)
class _Reading:
    time: datetime
    at: float

    def carried_on(self) -> datetime:
        return self.time + timedelta(seconds=ticks() - self.at)


_reading: _Reading | None = None


def now() -> datetime:
    """The database's time, in microseconds.

    While the database does not answer, the last reading is carried on. Raises DatabaseError or InterfaceError
    when there is none.
    """
    global _reading
    known = _reading
    if known is not None and ticks() - known.at < READING_LASTS_S:
        return known.carried_on()
    try:
        read = _read()
        if known is not None and timedelta() < known.carried_on() - read.carried_on() < timedelta(seconds=WITHIN_S):
            read = _Reading(known.carried_on(), ticks())
        _reading = known = read
    except (DatabaseError, InterfaceError):
        if known is None or connection.in_atomic_block:
            raise
    return known.carried_on()


def _read() -> _Reading:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        # After the answer, so that the clock is at most the answer's way behind, never ahead.
        return _Reading(cursor.fetchone()[0], ticks())
