"""Waking the workers. Only an accelerator: a worker that merely polls misses nothing."""

from __future__ import annotations

from django.db import connection

from postcall.config import config

CHANNEL = "postcall_work"


def wake(lane: str) -> None:
    """Tells the workers, when this transaction commits, that a lane has something due.

    With POSTCALL_NOTIFY off nothing is said: notifications serialise commits and do not pass transaction pooling.
    """
    if not config().notify:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, lane])
