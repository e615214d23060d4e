"""The embedded database: a PostgreSQL of our own in the data folder, started and stopped as it is needed.

Several processes may use one data folder. The first to come starts the server, the others join it, and the
last to leave stops it. Nothing of that depends on a process leaving in an orderly way, because it rests on
three file locks, which the kernel releases by itself:

- `users` is shared by every process that uses the database;
- `server` is held by the server's own processes, so it is free exactly when none of them is left;
- `gate` is held, briefly, by whoever looks at the other two to start or stop the server.
"""

import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NewType, NoReturn
from urllib.parse import quote

from postcall.database import locks
from postcall.database.cluster import (
    DATABASE,
    ROLE,
    check_version,
    cluster_name,
    create_cluster,
    drop_large_logs,
    log_sizes,
    log_tail,
    read_record,
    set_password,
)
from postcall.database.errors import EmbeddedDatabaseError, explained, failure
from postcall.database.folder import LOCKS, default_data_dir, open_private, prepare_data_dir, write_private
from postcall.database.processes import command_of, processes_named
from postcall.database.programs import Programs, programs_for
from postcall.database.replacing import finish_replacing, is_replacing
from postcall.database.secret_files import generated_secret, kept_secret
from postcall.database.sockets import PORT, clear_sockets, remove_socket_folder, socket_folder

__all__ = [
    "DatabaseUrl",
    "EmbeddedDatabase",
    "EmbeddedDatabaseError",
    "default_data_dir",
    "generated_secret",
    "prepare_data_dir",
    "running",
]

DatabaseUrl = NewType("DatabaseUrl", str)

PASSWORD = "database-password"  # noqa: S105  # a file's name

_START_LIMIT = 600.0  # seconds: a recovery after a crash may have much to read again
_STOP_LIMIT = 120.0  # seconds, for the last checkpoint
_ORPHAN_GRACE = 2.0  # seconds for what a killed server leaves behind to notice
_UNSEEN_LIMIT = 15.0  # seconds for a server in another container to answer after all
_PAUSE = 0.02  # seconds between two looks


class EmbeddedDatabase:
    """One process's use of the database in `data_dir`.

    `settings` are PostgreSQL settings that win over the ones in its postgresql.conf; they take effect if
    this object is the one that starts the server.
    """

    def __init__(self, data_dir: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.cluster = self.data_dir / "postgres"
        self._start_log = self.data_dir / "start.log"
        self._settings = dict(settings or {})
        self._sockets: Path | None = None  # known to the one who started the server
        self._use: locks.HeldLock | None = None

    def start(self) -> DatabaseUrl:
        """Returns when the database answers, started if need be; may be called again at any time.

        Raises EmbeddedDatabaseError, and then leaves nothing running that it started.
        """
        prepare_data_dir(self.data_dir)
        with explained("The database cannot be started", self.data_dir), self._gate():
            if self._use is None:
                self._use = locks.shared(self._lock("users"))
            try:
                return self._bring_up()
            except BaseException:
                self._leave()
                raise

    def stop(self) -> None:
        """Ends this use; the server is stopped, and gone on return, if nobody else uses it."""
        if self._use is None:
            return
        with explained("The database cannot be stopped", self.data_dir), self._gate():
            self._leave()

    def connection_url(self) -> DatabaseUrl:
        """The address, for psycopg, Django and every other client of libpq, of a server that runs."""
        record = read_record(self.cluster)
        if record is None or record.socket_folder is None:
            raise EmbeddedDatabaseError("The database is not running.", "Start it with `postcall up`.")
        password = kept_secret(self.data_dir / PASSWORD)
        if password is None:
            raise EmbeddedDatabaseError(
                f"{self.data_dir / PASSWORD} is gone.",
                "Stop every Postcall that uses this folder: the next start sets a new password.",
            )
        return _url(password, record.socket_folder)

    def _bring_up(self) -> DatabaseUrl:
        unused = self._settle()
        if unused is None:
            return self.connection_url()
        log_before = log_sizes(self.cluster)
        self._launch(unused)
        unused = self._settle()
        if unused is None:
            return self.connection_url()
        unused.close()
        raise failure("PostgreSQL did not start.", self._log_tail(log_before))

    def _settle(self) -> locks.HeldLock | None:
        """Waits until the server answers, or until nothing is left of it: then returns its lock."""
        waited = _Stopwatch()
        while True:
            unused = locks.try_exclusive(self._lock("server"))
            if unused is not None:
                return unused
            refusal = self._refusal()
            if refusal is None:
                return None
            self._end_orphans(waited)
            if waited.seconds > _START_LIMIT:
                log = self._log_tail({})
                raise failure(f"PostgreSQL runs but does not answer ({refusal}).", log)
            time.sleep(_PAUSE)

    def _refusal(self) -> str | None:
        """Why the server does not take connections; None if it does."""
        import psycopg  # here, because it takes longer to import than all the rest together

        record = read_record(self.cluster)
        if record is None or not record.ready:
            return "it is on its way up or down"
        try:
            psycopg.connect(self.connection_url(), connect_timeout=10).close()
        except psycopg.OperationalError as error:
            return _why_refused(str(error))
        return None

    def _launch(self, unused: locks.HeldLock) -> None:
        """Starts a server, which takes over the lock."""
        try:
            if is_replacing(self.data_dir):
                finish_replacing(self.data_dir)
            self._drop_stale_record()
            programs = programs_for(self.cluster, unused.descriptor)
            self._provide_cluster(programs)
            drop_large_logs(self.cluster)
            log = open_private(self._start_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            try:
                programs.start_server(self.cluster, self._fixed_settings(programs), log)
            finally:
                os.close(log)
        finally:
            unused.close()

    def _provide_cluster(self, programs: Programs) -> None:
        # The password is written down last: without it the next start sets another one.
        password = kept_secret(self.data_dir / PASSWORD)
        missing = not self.cluster.exists()
        if not missing:
            check_version(self.cluster)
        if password is not None and not missing:
            return
        password = secrets.token_urlsafe(32)
        provide = create_cluster if missing else set_password
        provide(self.cluster, programs, password)
        write_private(self.data_dir / PASSWORD, password + "\n")

    def _fixed_settings(self, programs: Programs) -> dict[str, str]:
        self._sockets = socket_folder(self.data_dir, programs.account)
        clear_sockets(self._sockets)
        quoted = str(self._sockets).replace('"', '""')
        return self._settings | {
            "listen_addresses": "",
            "unix_socket_directories": f'"{quoted}"',
            "unix_socket_permissions": "0700",
            "port": str(PORT),
            "cluster_name": cluster_name(self.cluster),
        }

    def _drop_stale_record(self) -> None:
        """Removes what a killed server wrote down: PostgreSQL believes it if the pid is in use again.

        Called only while no server that Postcall started is left. One that somebody started by hand on
        this very folder keeps its record, so that PostgreSQL refuses to start another.
        """
        record = read_record(self.cluster)
        command = command_of(record.pid) if record else ""
        if str(self.cluster) in command and command.split()[0].endswith("postgres"):
            return
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _leave(self) -> None:
        use, self._use = self._use, None
        if use is None:
            return
        try:
            if use.make_exclusive():
                self._shut_down()
        finally:
            use.close()

    def _shut_down(self) -> None:
        record = read_record(self.cluster)
        if not (self._ends_after(signal.SIGINT) or self._ends_after(signal.SIGQUIT)):
            log = self._log_tail({})
            raise failure(f"PostgreSQL in {self.data_dir} does not stop.", log)
        folder = self._sockets or (record and record.socket_folder)
        if folder:
            remove_socket_folder(folder, self.data_dir)

    def _ends_after(self, request: signal.Signals) -> bool:
        waited = _Stopwatch()
        asked = False
        while waited.seconds < _STOP_LIMIT:
            unused = locks.try_exclusive(self._lock("server"))
            if unused is not None:
                unused.close()
                return True
            asked = asked or self._ask(request)
            self._end_orphans(waited)
            time.sleep(_PAUSE)
        return False

    def _ask(self, request: signal.Signals) -> bool:
        record = read_record(self.cluster)
        if record is None or not self._is_our_server(record.pid):
            return False
        os.kill(record.pid, request)
        return True

    def _end_orphans(self, waited: "_Stopwatch") -> None:
        """Kills the connections of a killed server that are too busy to notice its end."""
        record = read_record(self.cluster)
        if waited.seconds < _ORPHAN_GRACE or record is None or self._is_our_server(record.pid):
            return
        orphans = processes_named(cluster_name(self.cluster))
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not orphans and waited.seconds > _UNSEEN_LIMIT:
            raise EmbeddedDatabaseError(
                f"A server that cannot be seen from here uses {self.data_dir}.",
                "Stop Postcall in the other container, or give this one a data folder of its own.",
            )

    def _is_our_server(self, pid: int) -> bool:
        return f"cluster_name={cluster_name(self.cluster)}" in command_of(pid).split()

    def _log_tail(self, since: dict[Path, int]) -> str:
        return log_tail(self.cluster, self._start_log, since)

    def _gate(self) -> AbstractContextManager[None]:
        return locks.exclusive(self._lock("gate"))

    def _lock(self, name: str) -> Path:
        return self.data_dir / LOCKS / name


@contextmanager
def running(data_dir: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[DatabaseUrl]:
    """The database of `data_dir`, running for as long as the context lasts.

    Joins a server that runs; stops it at the end only if nobody else uses it. SIGTERM and SIGHUP, where
    they would have killed the process on the spot, end it as SystemExit instead (main thread only), so
    that they stop the server too.
    """
    database = EmbeddedDatabase(data_dir, settings=settings)
    with _ending_in_order():
        try:
            yield database.start()
        finally:
            database.stop()


@contextmanager
def _ending_in_order() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [s for s in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(s) is signal.SIG_DFL]
    for signum in ours:
        signal.signal(signum, _exit_for)
    try:
        yield
    finally:
        for signum in ours:
            signal.signal(signum, signal.SIG_DFL)


def _exit_for(signum: int, _frame: FrameType | None) -> NoReturn:
    # A second one must not interrupt what the first one set going.
    signal.signal(signum, signal.SIG_IGN)
    raise SystemExit(128 + signum)


class _Stopwatch:
    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start


def _why_refused(reply: str) -> str | None:
    if "password authentication failed" in reply:
        raise EmbeddedDatabaseError(
            "The database refuses the password in its data folder.",
            f"Stop every Postcall that uses this folder and remove its file {PASSWORD}: "
            "the next start sets a new one.",
        )
    if "No space left on device" in reply:
        # It would not get better by waiting.
        raise EmbeddedDatabaseError(
            "The disk of the database is full: PostgreSQL takes no connections.",
            "Make room on it; everything goes on by itself then.",
        )
    # With every connection taken it is very much alive.
    if "too many clients" in reply or "remaining connection slots" in reply:
        return None
    return reply.strip()


def _url(password: str, folder: Path) -> DatabaseUrl:
    host = quote(os.fsencode(folder), safe="/")
    return DatabaseUrl(f"postgresql://{ROLE}:{quote(password, safe='')}@/{DATABASE}?host={host}&port={PORT}")
