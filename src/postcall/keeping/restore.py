"""A data folder made from a backup: whole or not at all, and sending nothing before somebody says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg

from postcall.database import locks
from postcall.database.embedded import EmbeddedDatabase
from postcall.database.folder import LOCKS, prepare_data_dir, sync_folder, write_private
from postcall.database.programs import POSTGRES_MAJOR, installed_programs
from postcall.keeping.archive import CHUNK, DUMP, SANDBOX, SECRET_KEY, SECRETS, Manifest, Reader, fingerprint
from postcall.keeping.backup import libpq_environment
from postcall.keeping.files import Refused

_RESTORE: Final = ("--no-owner", "--no-acl", "--no-password", "--exit-on-error", "--single-transaction")


def restore(
    backup: Reader, data_dir: Path, keys: Sequence[str], known: dict[str, set[str]], *, force: bool, resume: bool
) -> Path | None:
    """Puts the backup's database and secrets in the place of `data_dir`; returns where the old folder went, which
    only `force` moves aside.

    `keys` are the environment's POSTCALL_SECRET_KEY, `known` this Postcall's migrations by app. Until `resume` the
    restored database sends nothing. A restoration that fails changes nothing. Raises Refused and
    EmbeddedDatabaseError.
    """
    data_dir = data_dir.absolute()
    _refuse_strange(backup.manifest, known)
    _refuse_other_key(backup, keys)
    with _nobody_in(data_dir, force=force):
        draft = data_dir.with_name(f".{data_dir.name}.restoring")
        _remove_draft(draft)
        try:
            _fill(draft, backup, resume=resume)
            return _put_in_place(draft, data_dir)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def mark_restored(connection: psycopg.Connection[tuple[object, ...]], taken_at: datetime, *, resume: bool) -> None:
    """Tells the database that it was restored from a backup of `taken_at`; it is paused unless `resume`."""
    connection.execute(
        "INSERT INTO restoration (taken_at, restored_at, resumed_at)"
        " VALUES (%s, clock_timestamp(), CASE WHEN %s THEN clock_timestamp() END)",
        [taken_at, resume],
    )


def resume_sending(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    """Lets a restored database send again; says whether it had been paused."""
    done = connection.execute("UPDATE restoration SET resumed_at = clock_timestamp() WHERE resumed_at IS NULL")
    return done.rowcount > 0


def _refuse_strange(manifest: Manifest, known: dict[str, set[str]]) -> None:
    if manifest.postgres > POSTGRES_MAJOR:
        raise Refused(
            f"the backup was made with PostgreSQL {manifest.postgres}; this Postcall has PostgreSQL "
            f"{POSTGRES_MAJOR}, which cannot read it: restore it with Postcall {manifest.postcall} or newer"
        )
    unknown = [
        f"{app}.{name}"
        for app, names in manifest.migrations.items()
        for name in names
        if name not in known.get(app, ())
    ]
    if unknown:
        raise Refused(
            f"the backup was made by a newer Postcall ({manifest.postcall}; this one does not know "
            f"{unknown[0]}): restore it with that version or a newer one"
        )


def _refuse_other_key(backup: Reader, keys: Sequence[str]) -> None:
    """The environment's key wins over the folder's, so it has to be the right one."""
    if keys:
        if not {fingerprint(key) for key in keys} & set(backup.manifest.keys):
            raise Refused(
                "POSTCALL_SECRET_KEY is not the key that this backup was encrypted with: set that one (others may "
                "stand before it, with a comma), or unset it to use the one in the backup"
            )
    elif not backup.has(SECRET_KEY):
        raise Refused(
            "POSTCALL_SECRET_KEY: set it to the key that this backup was encrypted with; it came from the "
            "environment, so it is not in the backup"
        )


@contextmanager
def _nobody_in(data_dir: Path, *, force: bool) -> Iterator[None]:
    """While nobody uses `data_dir`, nor can begin to. Raises Refused where somebody does, or where it holds
    something and `force` is not given."""
    if data_dir.exists() and not data_dir.is_dir():
        raise Refused(f"{data_dir} is no folder")
    if not data_dir.exists() or not any(data_dir.iterdir()):
        yield
        return
    prepare_data_dir(data_dir)
    held = [locks.try_exclusive(data_dir / LOCKS / name) for name in ("users", "server")]
    try:
        if None in held:
            raise Refused(f"Postcall runs on {data_dir}: stop it first, wherever it was started")
        if not force and any(entry.name != LOCKS for entry in data_dir.iterdir()):
            raise Refused(
                f"{data_dir} is not empty: restore into another POSTCALL_DATA_DIR, or --force to move it aside"
            )
        yield
    finally:
        for lock in held:
            if lock is not None:
                lock.close()


def _remove_draft(draft: Path) -> None:
    """What a restoration that was killed left."""
    if not draft.exists():
        return
    with _nobody_in(draft, force=True):
        shutil.rmtree(draft)


def _fill(draft: Path, backup: Reader, *, resume: bool) -> None:
    prepare_data_dir(draft)
    for name in SECRETS:
        if backup.has(name):
            write_private(draft / name, backup.text(name) + "\n")
    if backup.has(SANDBOX):
        with backup.open(SANDBOX) as content:
            _copy(content.read, draft / SANDBOX)
    database = EmbeddedDatabase(draft)
    url = database.start()
    try:
        _load(url, backup)
        with psycopg.connect(url, autocommit=True) as connection:
            mark_restored(connection, backup.manifest.taken_at, resume=resume)
            connection.execute("ANALYZE")
    finally:
        database.stop()


def _copy(read: object, target: Path) -> None:
    assert callable(read)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        while chunk := read(CHUNK):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _load(url: str, backup: Reader) -> None:
    """In one transaction, by PostgreSQL's own program."""
    environment = libpq_environment(url)
    command = [str(installed_programs() / "pg_restore"), *_RESTORE, f"--dbname={environment['PGDATABASE']}"]
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(  # noqa: S603  # our own program
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, env=environment
        ) as restoring:
            assert restoring.stdin is not None
            try:
                with backup.open(DUMP) as dump:
                    shutil.copyfileobj(dump, restoring.stdin, CHUNK)
                restoring.stdin.close()
            except BrokenPipeError:
                pass  # it says why itself
            except BaseException:
                restoring.kill()
                raise
        if restoring.returncode:
            said.seek(0)
            raise Refused(f"PostgreSQL's pg_restore failed: {said.read().decode(errors='replace').strip()}")


def _put_in_place(draft: Path, data_dir: Path) -> Path | None:
    aside: Path | None = None
    if data_dir.exists() and all(entry.name == LOCKS for entry in data_dir.iterdir()):
        shutil.rmtree(data_dir)
    elif data_dir.exists():
        aside = data_dir.with_name(f"{data_dir.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        data_dir.rename(aside)
    try:
        draft.rename(data_dir)
    except OSError:
        if aside is not None:
            aside.rename(data_dir)
        raise
    sync_folder(data_dir.parent)
    return aside
