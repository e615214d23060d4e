"""The worker process: takes due rows lane by lane, woken by the database or by the clock."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, connection, connections
from django.utils import timezone

from postcall.config import config
from postcall.work.leases import take
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
        self.crew = Crew(lane, work.pass_on, self.woken.set)
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
            rows = take(self.lane.model, room, self.lane.lease)
        except (InterfaceError, DatabaseError) as error:
            log.warning("the database does not answer", lane=self.lane.name, error=str(error).strip())
            connections.close_all()
            self._work.stopping.wait(1.0)
            return False
        for row in rows:
            self.crew.begin(row)
        return len(rows) == room


class WorkerProcess:
    """All lanes, the listener, the heartbeat (which also renews leases) and the hourly chores, until `stop`."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._minute, self._hour = _Every(60), _Every(3600)
        self._dispatchers = {lane.name: Dispatcher(lane, self) for lane in lanes()}

    def pass_on(self, lane: str, row: Due) -> None:
        """Rows that another lane's work has taken already."""
        self._dispatchers[lane].crew.begin(row)

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
                log.warning("not listening; polling goes on", error=str(error).strip())
                self.stopping.wait(1.0)

    def _wake_all(self) -> None:
        for dispatcher in self._dispatchers.values():
            dispatcher.woken.set()

    def _do_chores(self) -> None:
        if self._minute.due():
            every_minute()
        if self._hour.due():
            every_hour(timezone.now())

    def _beat(self) -> None:
        row = Worker(host=socket.gethostname(), pid=os.getpid(), started_at=timezone.now(), seen_at=timezone.now())
        while not self.stopping.is_set():
            try:
                Worker.objects.update_or_create(
                    pk=row.pk,
                    defaults={"seen_at": timezone.now()},
                    create_defaults={
                        "host": row.host,
                        "pid": row.pid,
                        "started_at": row.started_at,
                        "seen_at": timezone.now(),
                    },
                )
                for dispatcher in self._dispatchers.values():
                    dispatcher.crew.renew()
                self._do_chores()
            except (InterfaceError, DatabaseError) as error:
                log.warning("no heartbeat", error=str(error).strip())
                connections.close_all()
            self.stopping.wait(HEARTBEAT_S)
        try:
            Worker.objects.filter(pk=row.pk).delete()
        except (InterfaceError, DatabaseError):
            log.info("the database went first")
        connections.close_all()


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
