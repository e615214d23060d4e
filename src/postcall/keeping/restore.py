"""What is in a data folder, from a backup: whole or not at all, and sending nothing before somebody says so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg

from postcall.database import locks
from postcall.database.embedded import EmbeddedDatabase
from postcall.database.folder import LOCKS, prepare_data_dir, write_private
from postcall.database.programs import POSTGRES_MAJOR, installed_programs
from postcall.database.replacing import DRAFT, content, finish_replacing, is_replacing, replace_content
from postcall.ids import new_id
from postcall.keeping.archive import (
    CHUNK,
    DUMP,
    SANDBOX,
    SECRET_KEY,
    SECRETS,
    Manifest,
    Reader,
    fingerprint,
    keys_in,
)
from postcall.keeping.backup import libpq_environment
from postcall.keeping.files import Refused

_RESTORE: Final = ("--no-owner", "--no-acl", "--no-password", "--exit-on-error", "--single-transaction")


@dataclass(frozen=True)
class Restored:
    """`aside` is where the old content went. `missing_keys`: how many of the backup's older keys are at hand
    nowhere; what they alone encrypted cannot be read."""

    aside: Path | None
    missing_keys: int


def restore(
    backup: Reader, data_dir: Path, keys: Sequence[str], known: dict[str, set[str]], *, force: bool, resume: bool
) -> Restored:
    """Puts the backup's database and secrets in the place of what is in `data_dir`, which only `force` moves aside,
    within it.

    `keys` are the environment's POSTCALL_SECRET_KEY, `known` this Postcall's migrations by app. Until `resume` the
    restored database sends nothing. A restoration that fails changes nothing; one that is killed among the last
    renames is finished by the next start. Raises Refused and EmbeddedDatabaseError.
    """
    data_dir = data_dir.absolute()
    _refuse_strange(backup.manifest, known)
    missing = _missing_keys(backup, keys)
    with _nobody_in(data_dir, force=force):
        draft = data_dir / DRAFT
        _remove_draft(draft)
        try:
            _fill(draft, backup, resume=resume)
            aside = replace_content(data_dir, f"before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        except BaseException:
            if not is_replacing(data_dir):
                shutil.rmtree(draft, ignore_errors=True)
            raise
    return Restored(aside, missing)


def mark_restored(connection: psycopg.Connection[tuple[object, ...]], taken_at: datetime, *, resume: bool) -> None:
    """Tells the database that it was restored from a backup of `taken_at`; it is paused unless `resume`."""
    with connection.transaction():
        connection.execute(
            "INSERT INTO restoration (taken_at, restored_at, resumed_at)"
            " VALUES (%s, clock_timestamp(), CASE WHEN %s THEN clock_timestamp() END)",
            [taken_at, resume],
        )
        _record(connection, "restore", {"taken_at": [None, taken_at.isoformat()], "sending": [None, resume]})


def resume_sending(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    """Lets a restored database send again; says whether it had been paused."""
    with connection.transaction():
        done = connection.execute("UPDATE restoration SET resumed_at = clock_timestamp() WHERE resumed_at IS NULL")
        if done.rowcount:
            _record(connection, "resume", {"sending": [False, True]})
    return done.rowcount > 0


def _record(
    connection: psycopg.Connection[tuple[object, ...]], verb: str, changes: dict[str, list[object]]
) -> None:
    """In the audit log of a database that Django is not set up on."""
    from postcall.workspaces.audit import Actor

    actor = Actor.at_command_line()
    connection.execute(
        "INSERT INTO audit_entry"
        " (id, at, actor_kind, actor_id, actor_name, verb, object_kind, object_id, object_name, changes)"
        " VALUES (%s, clock_timestamp(), %s, %s, %s, %s, 'database', '', '', %s::text::jsonb)",
        [new_id(), actor.kind, actor.id, actor.name, verb, json.dumps(changes)],
    )


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


def _missing_keys(backup: Reader, keys: Sequence[str]) -> int:
    """How many of the backup's older keys are at hand nowhere. Raises Refused where the newest is not: the
    environment's keys win over the folder's, so they have to be the right ones."""
    wanted = backup.manifest.keys
    if not keys and not backup.has(SECRET_KEY):
        raise Refused(
            "POSTCALL_SECRET_KEY: set it to the key that this backup was encrypted with; it came from the "
            "environment, so it is not in the backup"
        )
    present = {fingerprint(key) for key in keys or keys_in(backup.text(SECRET_KEY))}
    if wanted and wanted[0] not in present:
        raise Refused(
            "POSTCALL_SECRET_KEY is not the key that this backup was encrypted with: set that one (others may "
            "stand before it, with a comma)"
            + (", or unset it to use the one in the backup" if keys and backup.has(SECRET_KEY) else "")
        )
    return len(set(wanted) - present)


@contextmanager
def _nobody_in(data_dir: Path, *, force: bool) -> Iterator[None]:
    """While nobody uses `data_dir`, nor can begin to; made if need be, and gone again where nothing came into it.
    Raises Refused where somebody does use it, or where it holds something and `force` is not given."""
    if data_dir.exists() and not data_dir.is_dir():
        raise Refused(f"{data_dir} is no folder")
    new = not data_dir.exists()
    prepare_data_dir(data_dir)
    held = [locks.try_exclusive(data_dir / LOCKS / name) for name in ("users", "server")]
    try:
        if None in held:
            raise Refused(f"Postcall runs on {data_dir}, or is just restoring into it: stop it first")
        if is_replacing(data_dir):
            finish_replacing(data_dir)
        if not force and content(data_dir):
            raise Refused(
                f"{data_dir} is not empty: restore into another POSTCALL_DATA_DIR, or --force to move what it "
                f"holds into a folder in it"
            )
        yield
    except BaseException:
        if new and None not in held and not content(data_dir) and not is_replacing(data_dir):
            shutil.rmtree(data_dir, ignore_errors=True)
        raise
    finally:
        for lock in held:
            if lock is not None:
                lock.close()


def _remove_draft(draft: Path) -> None:
    """What a restoration that was killed left, the server that still runs on it included."""
    if not draft.exists():
        return
    if (draft / LOCKS).exists():
        unused = locks.try_exclusive(draft / LOCKS / "server")
        if unused is None:
            left = EmbeddedDatabase(draft)
            left.start()
            left.stop()
        else:
            unused.close()
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
