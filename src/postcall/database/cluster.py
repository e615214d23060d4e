"""The files of one PostgreSQL cluster: how they are made, and what they say about a running server."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from postcall.database.errors import EmbeddedDatabaseError, explained
from postcall.database.folder import sync_folder
from postcall.database.programs import POSTGRES_MAJOR, Programs

ROLE = DATABASE = "postcall"
LARGEST_KEPT_LOG = 5_000_000  # bytes

# Small, quiet and safe. Errors of single statements are left out of the log: they reach the caller anyway,
# and their text may hold what a caller said.
_CONFIGURATION = """\
# Made by Postcall. Settings here are yours to change; the server reads them when it starts.
max_connections = 100
shared_buffers = 48MB
work_mem = 4MB
maintenance_work_mem = 32MB
huge_pages = off
io_method = sync
jit = off
max_worker_processes = 0
max_parallel_workers_per_gather = 0
max_parallel_maintenance_workers = 0
max_logical_replication_workers = 0
max_wal_senders = 0
wal_level = minimal
max_wal_size = 512MB
checkpoint_timeout = 15min
autovacuum_worker_slots = 4
autovacuum_max_workers = 2
fsync = on
synchronous_commit = on
timezone = 'UTC'
datestyle = 'iso, ymd'
default_text_search_config = 'pg_catalog.simple'

# One file a weekday, emptied when its day comes round again.
logging_collector = on
log_directory = 'log'
log_filename = 'postgres-%a.log'
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_timezone = 'UTC'
log_checkpoints = off
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
"""

_ACCESS = """\
# Made by Postcall: the socket is the only way in, and every connection shows a password.
local all all scram-sha-256
"""


@dataclass(frozen=True)
class ServerRecord:
    """What a server writes down about itself (postmaster.pid)."""

    pid: int
    socket_folder: Path | None
    ready: bool


def create_cluster(cluster: Path, programs: Programs, password: str) -> None:
    """Makes the cluster with the role and the database `postcall`; appears whole or not at all."""
    draft = cluster.with_name(f"{cluster.name}.new")
    with explained("The database cannot be made", draft):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(draft, programs.account.uid, programs.account.gid)
    # The superuser has no password, so nobody can sign in as it: Postcall's role owns its database, no more.
    programs.run(
        "initdb",
        *("--username=postgres", "--auth=reject", "--encoding=UTF8", "--locale=C"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions", "--no-sync"),
        folder=draft,
    )
    with explained("The database cannot be made", draft):
        _overwrite(draft / "postgresql.conf", _CONFIGURATION)
        _overwrite(draft / "pg_hba.conf", _ACCESS)
    run_alone(
        draft,
        programs,
        f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}'",
        f"GRANT pg_monitor TO {ROLE}",
        f"CREATE DATABASE {DATABASE} OWNER {ROLE}",
        fsync=False,
    )
    programs.run("initdb", "--sync-only", folder=draft)
    with explained("The database cannot be made", cluster):
        draft.rename(cluster)
        sync_folder(cluster.parent)


def set_password(cluster: Path, programs: Programs, password: str) -> None:
    """Gives the role a new password; the server must not be running."""
    run_alone(cluster, programs, f"ALTER ROLE {ROLE} PASSWORD '{password}'")


def run_alone(cluster: Path, programs: Programs, *statements: str, fsync: bool = True) -> None:
    """Runs SQL as the superuser in PostgreSQL's single-user mode, while no server runs."""
    programs.run(
        "postgres",
        *("--single", "-j", "-c", "exit_on_error=on", "-c", f"fsync={'on' if fsync else 'off'}"),
        *("-c", "logging_collector=off", "-c", "log_min_messages=error", "template1"),
        folder=cluster,
        stdin="".join(f"{statement};\n\n" for statement in statements),
    )


def check_version(cluster: Path) -> None:
    try:
        major = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        raise EmbeddedDatabaseError(
            f"{cluster} holds no PostgreSQL database.",
            "Move it away to start with an empty one, or put a copy of the data folder back.",
        ) from None
    if major != str(POSTGRES_MAJOR):
        raise EmbeddedDatabaseError(
            f"The database in {cluster} was made by PostgreSQL {major}; this Postcall runs {POSTGRES_MAJOR}.",
            "Dump it with pg_dump while the Postcall that made it runs; then move `postgres/` out of the data "
            "folder, start this one and load the dump.",
        )


def read_record(cluster: Path) -> ServerRecord | None:
    """What the server that runs, or ran until it was killed, wrote down; None if it said nothing (yet)."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    socket_folder = Path(lines[4]) if len(lines) > 4 and lines[4] else None
    return ServerRecord(pid, socket_folder, ready=len(lines) > 7 and lines[7].strip() == "ready")


def cluster_name(cluster: Path) -> str:
    """A name for the running processes that survives renaming the folder, and that no copy shares."""
    info = cluster.stat()
    return f"postcall-{info.st_dev:x}-{info.st_ino:x}"


def log_sizes(cluster: Path) -> dict[Path, int]:
    """How much PostgreSQL has written to each of its logs so far, in bytes."""
    return {log: log.stat().st_size for log in sorted((cluster / "log").glob("*.log"))}


def log_tail(cluster: Path, start_log: Path, since: dict[Path, int]) -> str:
    """What PostgreSQL said at its latest start, and in its logs beyond the sizes `since`."""
    said = start_log.read_bytes() if start_log.exists() else b""
    for log in log_sizes(cluster):
        said += log.read_bytes()[since.get(log, 0) :]
    return said.decode(errors="replace").strip()


def drop_large_logs(cluster: Path) -> None:
    """Keeps the logs bounded even if every start and stop falls on the same weekday."""
    for log, size in log_sizes(cluster).items():
        if size > LARGEST_KEPT_LOG:
            log.unlink()


def _overwrite(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW), "w", encoding="utf-8") as file:
        file.write(text)
