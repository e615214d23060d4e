"""A backup of the embedded database with its secrets: consistent, while everything runs, in one file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg

from postcall.database.embedded import DatabaseUrl
from postcall.database.programs import POSTGRES_MAJOR, installed_programs
from postcall.database.secret_files import kept_secret
from postcall.keeping.archive import (
    DUMP,
    FORMAT,
    SANDBOX,
    SECRET_KEY,
    SECRETS,
    Manifest,
    Writer,
    fingerprint,
    keys_in,
    of_text,
)
from postcall.keeping.files import Refused
from postcall.keeping.unreadable import FIRST_SECRET, unreadable_columns

_LIBPQ: Final = {"PGCONNECT_TIMEOUT": "10", "PGAPPNAME": "postcall backup", "LC_ALL": "C", "PATH": os.defpath}


def back_up(
    data_dir: Path,
    url: DatabaseUrl,
    keys: tuple[str, ...],
    target: BinaryIO,
    progress: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Writes the database at `url`, which is that of `data_dir`, into `target`; `keys` are POSTCALL_SECRET_KEY's.

    The secret key itself is only in the backup where it is in a file of the data folder: what the environment gives
    is kept by whoever keeps the environment. Django is set up on that database. Raises Refused, also where the
    keys do not open what was encrypted there first.
    """
    if FIRST_SECRET in unreadable_columns():
        raise Refused(
            "POSTCALL_SECRET_KEY does not open what is encrypted in this database, nor would it in a backup: "
            "set it as the service has it"
        )
    with psycopg.connect(url, autocommit=True) as connection:
        taken_at = _now(connection)
        migrations = _migrations(connection)
    writer = Writer(target, progress)
    try:
        _add_members(writer, data_dir, url, keys)
    except BaseException:
        writer.give_up()
        raise
    manifest = Manifest(
        format=FORMAT,
        postcall=version("postcall"),
        postgres=POSTGRES_MAJOR,
        taken_at=taken_at,
        migrations=migrations,
        keys=[fingerprint(key) for key in keys],
        members=writer.members,
    )
    writer.close(manifest)
    return manifest


def _add_members(writer: Writer, data_dir: Path, url: str, keys: tuple[str, ...]) -> None:
    _add_dump(writer, url)
    for name in SECRETS:
        secret = kept_secret(data_dir / name)
        if secret is not None and (name != SECRET_KEY or keys[0] in keys_in(secret)):
            writer.add(name, of_text(secret + "\n"))
    if (data_dir / SANDBOX).exists():
        _add_sandbox(writer, data_dir / SANDBOX)


def libpq_environment(url: str) -> dict[str, str]:
    """The address as PostgreSQL's own programs read it: a password among the arguments would be seen by all."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    return _LIBPQ | {
        "PGHOST": query.get("host", [parts.hostname or ""])[0],
        "PGPORT": query.get("port", [str(parts.port or "")])[0],
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")),
    }


def _now(connection: psycopg.Connection[tuple[object, ...]]) -> datetime:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    assert isinstance(row[0], datetime)
    return row[0]


def _migrations(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, list[str]]:
    if connection.execute("SELECT to_regclass('django_migrations')").fetchone() == (None,):
        raise Refused("the database is still empty: there is nothing to back up")
    found: dict[str, list[str]] = {}
    for app, name in connection.execute("SELECT app, name FROM django_migrations ORDER BY app, name"):
        found.setdefault(str(app), []).append(str(name))
    return found


def _add_dump(writer: Writer, url: str) -> None:
    """One snapshot, taken by PostgreSQL's own program; nobody waits for it."""
    command = [str(installed_programs() / "pg_dump"), "--format=custom", "--no-owner", "--no-acl", "--no-password"]
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(  # noqa: S603  # our own program
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=libpq_environment(url)
        ) as dumping:
            assert dumping.stdout is not None
            try:
                writer.add(DUMP, dumping.stdout)
            except BaseException:
                dumping.kill()
                raise
        if dumping.returncode:
            said.seek(0)
            raise Refused(f"PostgreSQL's pg_dump failed: {said.read().decode(errors='replace').strip()}")


def _add_sandbox(writer: Writer, file: Path) -> None:
    """SQLite's own copy, which is consistent while the stand-in writes."""
    with tempfile.TemporaryDirectory(prefix="postcall-backup-") as folder:
        copy = Path(folder) / SANDBOX
        with (
            closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as to,
        ):
            source.backup(to)
        with copy.open("rb") as content:
            writer.add(SANDBOX, content)
