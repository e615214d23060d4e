"""Threads that work one lane."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connections
from django.db.models import F

from postcall.pace import paced
from postcall.work import clock
from postcall.work.leases import MAX_STARTS, LostLease, is_suspect, renew
from postcall.work.models import Due
from postcall.worker.lanes import Lane

log = structlog.get_logger("postcall.worker")

# Longer than any work takes that goes on: a judge that is asked again and again, a text that waits for its turn.
LONGEST_S = paced(900)
# Beginnings of a row after which a connection that breaks on it is blamed on the row after all.
MOST_EXCUSED = 30
# A thread that has had nothing to do for so long gives its database connection back.
IDLE_S = 20.0


class Crew:
    """Works the rows of one lane in threads that start when there is work and end when there is none.

    `freed` is told whenever a thread has room; `cleared` when it was a suspect's work that ended.
    """

    def __init__(self, lane: Lane, freed: Callable[[], None], cleared: Callable[[], None] = lambda: None) -> None:
        self.lane = lane
        self._freed = freed
        self._cleared = cleared
        self._queue: queue.SimpleQueue[Due | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._in_hand: dict[Any, Due] = {}
        self._since: dict[Any, float] = {}
        self._stopped = False

    def room(self) -> int:
        """How many more rows could be begun at once."""
        with self._lock:
            return max(0, self.lane.threads - len(self._in_hand))

    def begin(self, row: Due) -> None:
        """Works `row`, at once where there is room, else after the rows before it."""
        with self._lock:
            self._in_hand[row.pk] = row
            self._since[row.pk] = clock.ticks()
            if (
                len(self._in_hand) > len(self._threads)
                and len(self._threads) < self.lane.threads
                and not self._stopped
            ):
                thread = threading.Thread(target=self._work, name=f"{self.lane.name}-{len(self._threads)}")
                self._threads.add(thread)
                thread.start()
        self._queue.put(row)

    def renew(self) -> None:
        """Prolongs the leases of the rows in hand: whoever stops calling this loses them within one lease.

        Not of those that are in hand for LONGEST_S: a thread that hangs must not keep its row from the others.
        """
        with self._lock:
            now = clock.ticks()
            rows = [row for pk, row in self._in_hand.items() if now - self._since[pk] < LONGEST_S]
        if rows:
            renew(self.lane.model, rows, self.lane.lease)

    def stop(self, timeout_s: float) -> None:
        """Lets every thread end what it has begun; rows not begun keep their lease until it runs out."""
        with self._lock:
            self._stopped = True
            threads = list(self._threads)
        for _ in threads:
            self._queue.put(None)
        for thread in threads:
            thread.join(timeout_s)

    def _work(self) -> None:
        try:
            while True:
                try:
                    row = self._queue.get(timeout=IDLE_S)
                except queue.Empty:
                    if self._leave():
                        return
                    continue
                if row is None:
                    return
                suspect = is_suspect(row)
                self._one(row)
                with self._lock:
                    self._in_hand.pop(row.pk, None)
                    self._since.pop(row.pk, None)
                if suspect:
                    self._cleared()
                self._freed()
        finally:
            connections.close_all()

    def _leave(self) -> bool:
        with self._lock:
            if self._in_hand:
                return False
            self._threads.discard(threading.current_thread())
            return True

    def _one(self, row: Due) -> None:
        log_fields = {"lane": self.lane.name, "row": str(row.pk)}
        try:
            if row.starts > MAX_STARTS:
                log.error("set aside: its work never ended", **log_fields, starts=row.starts)
                self.lane.set_aside(row)
                return
            self.lane.work(row)
        except LostLease:
            log.info("another worker has it", **log_fields)
        except (InterfaceError, DatabaseError) as error:
            # Its first line only: PostgreSQL's details quote the row, and so the text and the number.
            log.warning("the database refused; tried again", **log_fields, error=str(error).partition("\n")[0])
            gone = isinstance(error, InterfaceError | OperationalError)
            self._again_later(row, excused=gone and row.generation <= MOST_EXCUSED)
        except Exception:
            log.exception("failed; tried again", **log_fields)
            self._again_later(row)

    def _again_later(self, row: Due, *, excused: bool = False) -> None:
        """Lets go of the row, for another start after a pause that grows; the count of starts stays, unless the row
        is `excused`: that the database went away is not its doing."""
        connections.close_all()
        tries = row.generation if excused else row.starts
        pause = timedelta(seconds=paced(min(2 ** min(tries, 6), 60)))
        fields: dict[str, Any] = {"starts": F("starts") - 1} if excused else {}
        try:
            type(row)._default_manager.filter(pk=row.pk, generation=row.generation).update(
                lease_until=None, due_at=clock.now() + pause, **fields
            )
        except (InterfaceError, DatabaseError):
            connections.close_all()  # its lease runs out by itself
