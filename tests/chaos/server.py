"""The deployment's own PostgreSQL, and what is done to it: cut, stopped, killed, its clock set, a gate put up."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from postcall.database.cluster import cluster_name, read_record
from postcall.database.embedded import EmbeddedDatabase
from postcall.database.processes import processes_named
from postcall.database.sockets import SOCKET

from .waiting import wait_until

# The schema's own functions stand before PostgreSQL's, so that every clock the service reads is this one.
_CLOCK = """
    CREATE TABLE IF NOT EXISTS public.chaos_clock (ahead interval NOT NULL);
    INSERT INTO public.chaos_clock SELECT interval '0' WHERE NOT EXISTS (SELECT FROM public.chaos_clock);
    CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
        'SELECT pg_catalog.clock_timestamp() + (SELECT ahead FROM public.chaos_clock)';
    CREATE OR REPLACE FUNCTION public.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
        'SELECT pg_catalog.statement_timestamp() + (SELECT ahead FROM public.chaos_clock)';
    CREATE OR REPLACE FUNCTION public.transaction_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
        'SELECT pg_catalog.transaction_timestamp() + (SELECT ahead FROM public.chaos_clock)';
    CREATE OR REPLACE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql STABLE AS
        'SELECT pg_catalog.now() + (SELECT ahead FROM public.chaos_clock)';
    ALTER DATABASE postcall SET search_path = public, pg_catalog;
"""

# A transaction that writes to the gated table waits, at its commit, while somebody holds the gate shut.
_GATE = """
    CREATE OR REPLACE FUNCTION public.chaos_gate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF current_setting('application_name') LIKE TG_ARGV[0]
           AND (TG_ARGV[1] = '' OR to_jsonb(NEW) ->> TG_ARGV[1] LIKE TG_ARGV[2]) THEN
            PERFORM pg_advisory_xact_lock_shared(hashtext('chaos gate'));
        END IF;
        RETURN NULL;
    END $$
"""


class Server:
    """A PostgreSQL in `data_dir`, started and joined as Postcall itself does it."""

    def __init__(self, data_dir: Path, settings: dict[str, str]) -> None:
        self._database = EmbeddedDatabase(data_dir, settings=settings)
        self._local = threading.local()

    def start(self) -> None:
        self.url = str(self._database.start())

    def join(self) -> None:
        """Looks at a server that somebody else runs."""
        self.url = str(self._database.connection_url())

    def stop(self) -> None:
        """In order; it answers nobody until `start`."""
        self._database.stop()

    @property
    def socket(self) -> Path:
        record = read_record(self._database.cluster)
        assert record is not None
        assert record.socket_folder is not None
        return record.socket_folder / SOCKET

    def kill(self) -> int:
        """kill -9 of the server and all its backends; returns how many there were."""
        pids = processes_named(cluster_name(self._database.cluster))
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(pids)

    def kill_postmaster(self) -> int:
        """kill -9 of the postmaster alone, as the kernel does that is out of memory; 0: it was dead already."""
        record = read_record(self._database.cluster)
        if record is None or record.pid not in processes_named(cluster_name(self._database.cluster)):
            return 0
        os.kill(record.pid, signal.SIGKILL)
        return 1

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """One statement in a transaction of its own; a server that is away is asked again until it is back."""
        return wait_until(lambda: self._try(sql, parameters), "the database answered")[0]

    def value(self, sql: str, *parameters: Any) -> Any:
        return self.rows(sql, *parameters)[0][0]

    def _try(self, sql: str, parameters: tuple[Any, ...]) -> tuple[list[tuple[Any, ...]]] | None:
        connection = getattr(self._local, "connection", None)
        try:
            if connection is None or connection.closed:
                connection = self._local.connection = psycopg.connect(
                    self.url, autocommit=True, connect_timeout=5, application_name="chaos"
                )
            cursor = connection.execute(sql, parameters or None)
            return (cursor.fetchall() if cursor.description else [],)
        except psycopg.OperationalError:
            if connection is not None:
                connection.close()
            return None

    def hang_up(self) -> None:
        """Closes this thread's own connection."""
        if connection := getattr(self._local, "connection", None):
            connection.close()

    def cut_connections(self, whose: str = "%") -> int:
        """pg_terminate_backend of every connection of those named like `whose`, but not this one."""
        return len(
            self.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND usename = current_user AND backend_type = 'client backend'"
                " AND application_name LIKE %s",
                whose,
            )
        )

    def own_clock(self) -> None:
        """Gives every later connection a clock that `set_clock` sets."""
        self.rows(_CLOCK)
        self.hang_up()

    @property
    def ahead(self) -> timedelta:
        """How far the database's clock is ahead of the true time."""
        ahead: timedelta = self.value("SELECT ahead FROM public.chaos_clock")
        return ahead

    def set_clock(self, start: timedelta, jump: str) -> None:
        """Puts the clock `start` and `jump` ("1 hour", "-1 day") ahead of the true time, for everybody at once."""
        self.rows("UPDATE public.chaos_clock SET ahead = %s + %s::interval", start, jump)

    def pass_time(self, duration: str) -> None:
        """So much time has passed, as far as the database knows."""
        self.set_clock(self.ahead, duration)

    def gate(self, table: str, event: str, who: str = "%", column: str = "", value: str = "") -> None:
        """Puts a gate before commits that `event` (INSERT, UPDATE) on `table`, of connections whose
        application_name is like `who` and, where given, of rows whose `column` is like `value`."""
        self.rows(_GATE)
        self.rows(f"DROP TRIGGER IF EXISTS chaos_{table} ON {table}")
        self.rows(
            f"CREATE CONSTRAINT TRIGGER chaos_{table} AFTER {event} ON {table} DEFERRABLE INITIALLY DEFERRED"
            f" FOR EACH ROW EXECUTE FUNCTION public.chaos_gate('{who}', '{column}', '{value}')"
        )

    def ungate(self, table: str) -> None:
        self.rows(f"DROP TRIGGER IF EXISTS chaos_{table} ON {table}")

    @contextmanager
    def shut_gate(self) -> Iterator[None]:
        """While the block lasts, whoever comes to a gate waits there."""
        with psycopg.connect(self.url, autocommit=True, application_name="chaos gate") as keeper:
            keeper.execute("SELECT pg_advisory_lock(hashtext('chaos gate'))")
            yield

    def at_the_gate(self) -> list[str]:
        """The application names of those who wait at a gate."""
        found = self.rows(
            "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE l.locktype = 'advisory' AND NOT l.granted AND l.mode = 'ShareLock'"
            " AND l.objid::bigint = (hashtext('chaos gate')::bigint & 4294967295)"
        )
        return [name for (name,) in found]
