"""The worker process: takes due rows lane by lane, woken by the database or by the clock."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, connection, connections

from postcall.config import config
from postcall.pace import paced
from postcall.work import clock
from postcall.work.leases import is_suspect, take
from postcall.work.models import Due, Worker
from postcall.work.seen import HEARTBEAT_S
from postcall.work.wake import CHANNEL
from postcall.worker.chores import every_hour, every_minute
from postcall.worker.crew import Crew
from postcall.worker.lanes import Lane, lanes

log = structlog.get_logger("postcall.worker")

POLL_S = 1.0
POLL_WITHOUT_NOTIFY_S = 0.1
# Longer than Twilio's whole deadline: what has begun is allowed to end.
STOP_S = 40.0


class Dispatcher:
    """Keeps one lane's crew supplied."""

    def __init__(self, lane: Lane, work: WorkerProcess) -> None:
        self.lane = lane
        self.woken = threading.Event()
        self.crew = Crew(lane, self.woken.set, work.clear_suspect)
        self._work = work

    def run(self) -> None:
        poll_s = POLL_S if config().notify else POLL_WITHOUT_NOTIFY_S
        while not self._work.stopping.is_set():
            self.woken.clear()
            if self._supply():
                continue
            self.woken.wait(poll_s)
        connections.close_all()

    def _supply(self) -> bool:
        """Begins what is due, as far as there is room; True: ask again at once."""
        room = self.crew.room()
        if not room:
            return False
        try:
            rows = self._work.take_for(self.lane, room)
            for row in rows:
                self.crew.begin(row)
            return len(rows) == room
        except (InterfaceError, DatabaseError) as error:
            log.warning("the database does not answer", lane=self.lane.name, error=str(error).partition("\n")[0])
            connections.close_all()
        except Exception:
            # A lane that stopped here would leave its work to nobody, in a process that looks alive.
            log.exception("could not begin what is due", lane=self.lane.name)
        self._work.stopping.wait(1.0)
        return False


class WorkerProcess:
    """All lanes, the listener, the heartbeat (which also renews leases) and the housekeeper, until `stop`."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._no_suspect = threading.Semaphore(1)
        self._dispatchers = {lane.name: Dispatcher(lane, self) for lane in lanes(self.pass_on)}

    def pass_on(self, lane: str, row: Due) -> None:
        """Rows that another lane's work has taken already."""
        self._dispatchers[lane].crew.begin(row)

    def take_for(self, lane: Lane, room: int) -> list[Due]:
        """Due rows of a lane, among them at most one suspect, and none while one of any lane is in hand: whoever is
        worked alone, and is innocent, comes to its end by itself."""
        alone = self._no_suspect.acquire(blocking=False)
        rows: list[Due] = []
        try:
            if lane.take is not None:
                rows = lane.take(room, lane.lease, suspects=int(alone))
            else:
                rows = take(lane.model, room, lane.lease, suspects=int(alone))
        finally:
            if alone and not any(map(is_suspect, rows)):
                self._no_suspect.release()
        return rows

    def clear_suspect(self) -> None:
        self._no_suspect.release()
        self._wake_all()

    def stop(self) -> None:
        self.stopping.set()
        for dispatcher in self._dispatchers.values():
            dispatcher.woken.set()

    def run(self) -> None:
        """Returns when `stop` was called and what had begun has ended."""
        threads = [
            threading.Thread(target=dispatcher.run, name=f"{name}-dispatcher")
            for name, dispatcher in self._dispatchers.items()
        ]
        threads.append(threading.Thread(target=self._beat, name="heartbeat"))
        threads.append(threading.Thread(target=self._keep_house, name="housekeeper"))
        if config().notify:
            threads.append(threading.Thread(target=self._listen, name="listener"))
        for thread in threads:
            thread.start()
        log.info("worker ready", threads={name: d.lane.threads for name, d in self._dispatchers.items()})
        self.stopping.wait()
        deadline = time.monotonic() + STOP_S
        for dispatcher in self._dispatchers.values():
            dispatcher.crew.stop(max(0.0, deadline - time.monotonic()))
        for thread in threads:
            thread.join(5)
        log.info("worker stopped")

    def _listen(self) -> None:
        while not self.stopping.is_set():
            try:
                with psycopg.connect(**_connection_parameters(), autocommit=True) as listening:
                    listening.execute(f"LISTEN {CHANNEL}")
                    self._wake_all()  # what was notified while nobody listened
                    while not self.stopping.is_set():
                        for notification in listening.notifies(timeout=1.0):
                            if dispatcher := self._dispatchers.get(notification.payload):
                                dispatcher.woken.set()
                            if self.stopping.is_set():
                                return
            except psycopg.Error as error:
                log.warning("not listening; polling goes on", error=str(error).partition("\n")[0])
                self.stopping.wait(1.0)

    def _wake_all(self) -> None:
        for dispatcher in self._dispatchers.values():
            dispatcher.woken.set()

    def _beat(self) -> None:
        """Shows that this worker lives, and keeps the leases of what it has in hand."""
        row = Worker(host=socket.gethostname(), pid=os.getpid())
        while not self.stopping.is_set():
            self._survive(self._one_beat, row)
            self.stopping.wait(HEARTBEAT_S)
        self._survive(lambda: Worker.objects.filter(pk=row.pk).delete())
        connections.close_all()

    def _one_beat(self, row: Worker) -> None:
        for dispatcher in self._dispatchers.values():
            dispatcher.crew.renew()
        # Read here, where a database that is away is survived: this thread must not end before it is back.
        row.seen_at = clock.now()
        row.started_at = row.started_at or row.seen_at
        row.save()

    def _keep_house(self) -> None:
        """In a thread of its own: what takes long here must not cost the leases."""
        minute, hour = _Every(paced(60)), _Every(3600)
        while not self.stopping.is_set():
            if minute.due():
                self._survive(every_minute)
            if hour.due():
                self._survive(_hourly)
            self.stopping.wait(HEARTBEAT_S)
        connections.close_all()

    def _survive(self, step: Callable[..., object], *arguments: object) -> None:
        """Takes a step that comes again anyway: whatever stops it this time is logged, and the thread goes on."""
        try:
            step(*arguments)
        except (InterfaceError, DatabaseError) as error:
            log.warning("the database refused", step=_name(step), error=str(error).partition("\n")[0])
            connections.close_all()
        except Exception:
            log.exception("failed; tried again later", step=_name(step))


def _hourly() -> None:
    every_hour(clock.now())


def _name(step: Callable[..., object]) -> str:
    return getattr(step, "__name__", "").strip("_")


class _Every:
    """True once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def due(self) -> bool:
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + self._seconds
        return True


def _connection_parameters() -> dict[str, Any]:
    return {
        name: value
        for name, value in connection.get_connection_params().items()
        if name not in ("cursor_factory", "context", "prepare_threshold")
    }
