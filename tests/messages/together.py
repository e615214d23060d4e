"""Works begun at the same instant, each in a thread with a database connection of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, connections, transaction

from postcall.messages.models import Message

PATIENCE_S = 60.0


class Running:
    """A work that runs in a thread of its own; `raised` is what it raised."""

    def __init__(self, work: Callable[[], object], ready: Callable[[], object] = lambda: None) -> None:
        self.raised: Exception | None = None
        self._work, self._ready = work, ready
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._ready()
            self._work()
        except Exception as error:
            self.raised = error
        finally:
            connections.close_all()

    def join(self) -> Exception | None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "a work never ended"
        return self.raised


def at_once(*works: Callable[[], object]) -> list[Exception]:
    """Runs the works, begun together; returns what they raised."""
    together = threading.Barrier(len(works))
    running = [Running(work, together.wait) for work in works]
    return [error for one in running if (error := one.join())]


def waiting_for_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])


def database_time() -> datetime:
    """This instant by the clock that claims are dated by."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]  # type: ignore[no-any-return]  # timestamptz


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def held(message: Message) -> Iterator[None]:
    """Keeps everybody else from the message until the block ends."""
    with transaction.atomic():
        Message.objects.select_for_update().get(pk=message.pk)
        yield


def one_after_the_other(message: Message, *works: Callable[[], object]) -> list[Exception | None]:
    """Has the works meet at the message's lock, which lets them pass in this order; returns what each raised."""
    running: list[Running] = []
    with held(message):
        for work in works:
            running.append(Running(work))
            wait_until(lambda: waiting_for_locks() == len(running))
    return [one.join() for one in running]
