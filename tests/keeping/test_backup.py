"""A backup of a running Postcall becomes another one, with the same rows and secrets, that sends nothing twice."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet

from postcall.database.embedded import EmbeddedDatabase, running
from postcall.keeping.archive import DUMP, MANIFEST, Member, Reader, Writer, fingerprint, of_text
from postcall.keeping.archive import Manifest as AManifest
from postcall.keeping.files import Refused, whole
from postcall.keeping.restore import restore
from postcall.sandbox.running import Sandbox
from postcall.workspaces.encryption import _fernet_key

from .deployment import Deployment, wait_until

ANN = "+14155550132"


@dataclass(frozen=True)
class Kept:
    """A backup that was made while a text was waiting, which was sent afterwards, and what was in the database."""

    file: Path
    rows: dict[str, list[str]]
    sandbox: Sandbox
    data_dir: Path


def rows_of(url: str) -> dict[str, list[str]]:
    """Every row of every table; what a worker writes down about itself left out."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
        ).fetchall()
        return {
            name: sorted(row[0] for row in connection.execute(f'SELECT t::text FROM "{name}" t'))
            for (name,) in names
            if name not in ("worker", "restoration", "audit_entry")
        }


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("kept")
    file, data_dir = folder / "postcall.backup", folder / "data"
    with Sandbox().running() as sandbox, Deployment(data_dir, sandbox.url) as first:
        first.start("up")
        wait_until(first.is_ready, "it was ready")
        action = first.post(
            "/actions", {"type": "post_call_sms", "name": "Hello", "message": "Hi there.", "always": True}
        )
        agent = first.post("/agents", {"name": "Front desk", "external_ids": [{"source": "api", "id": "desk"}]})
        first.post(f"/agents/{agent['id']}/attachments", {"action_id": action["id"], "inputs": {}})
        sandbox.faults = {"refuse_429": 1, "retry_after_s": 6}
        first.post("/calls", {"external_id": "c-1", "agent": "desk", "customer_number": ANN,
                              "transcript": [{"role": "customer", "text": "Hello"}]})  # fmt: skip
        wait_until(lambda: sandbox.requests["create", 429], "Twilio refused")
        wait_until(lambda: "queued" in str(rows_of(url_of(data_dir))["message"]), "the text waits")
        made = first.run("backup", str(file))
        assert made.returncode == 0, made.stderr
        rows = rows_of(url_of(data_dir))
        sandbox.faults = {}
        wait_until(lambda: sandbox.creates[ANN, "Hi there."] == 1, "it was sent")
        first.stop()
        yield Kept(file, rows, sandbox, data_dir)


def url_of(data_dir: Path) -> str:
    return EmbeddedDatabase(data_dir).connection_url()


def known(file: Path) -> dict[str, set[str]]:
    with Reader(file) as backup:
        return {app: set(names) for app, names in backup.manifest.migrations.items()}


def test_it_restores_rows_and_secrets_and_sends_nothing_twice(kept: Kept, tmp_path: Path) -> None:
    with Deployment(tmp_path / "data", kept.sandbox.url) as second:
        done = second.run("restore", str(kept.file), "--yes")
        assert done.returncode == 0, done.stderr
        assert "Nothing is sent yet" in done.stderr
        secret = (second.data_dir / "secret-key").read_text().strip()
        with running(second.data_dir) as url:
            assert rows_of(url) == kept.rows
            with psycopg.connect(url, autocommit=True) as connection:
                (cipher,) = connection.execute("SELECT auth_token FROM twilio_account").fetchone() or ("",)
                assert Fernet(_fernet_key(secret)).decrypt(cipher.encode()) == b"token-of-the-tests"
                assert connection.execute("SELECT resumed_at FROM restoration").fetchall() == [(None,)]
            assert second.run("restore", "--resume").returncode == 0
            second.start("worker")
            wait_until(lambda: statuses(url) in (["sent"], ["delivered"]), "it found out that it had been sent")
            second.stop()
    assert kept.sandbox.creates[ANN, "Hi there."] == 1


def statuses(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT status FROM message")]


def test_it_is_one_file_for_its_owner_alone(kept: Kept) -> None:
    assert stat.S_IMODE(kept.file.stat().st_mode) == 0o600
    with Reader(kept.file) as backup:
        assert {"database.dump", "secret-key", "sign-in-password"} <= set(backup.manifest.members)
        assert backup.manifest.taken_at < datetime.now(UTC)
    assert [path.name for path in kept.file.parent.iterdir() if path.name.endswith(".part")] == []


def test_it_refuses_a_folder_that_holds_something(kept: Kept) -> None:
    before = sorted(path.name for path in kept.data_dir.iterdir())
    with Reader(kept.file) as backup, pytest.raises(Refused, match="not empty"):
        restore(backup, kept.data_dir, (), known(kept.file), force=False, resume=False)
    assert sorted(path.name for path in kept.data_dir.iterdir()) == before


def test_it_refuses_a_folder_in_use_even_when_forced(kept: Kept) -> None:
    with running(kept.data_dir), Reader(kept.file) as backup, pytest.raises(Refused, match="stop it first"):
        restore(backup, kept.data_dir, (), known(kept.file), force=True, resume=False)


def test_it_moves_aside_what_was_there(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "precious").write_text("kept")
    with Reader(kept.file) as backup:
        aside = restore(backup, tmp_path / "data", (), known(kept.file), force=True, resume=True)
    assert aside is not None
    assert (aside / "precious").read_text() == "kept"
    assert (tmp_path / "data" / "secret-key").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["data", aside.name])


def test_it_restores_nothing_where_a_restoration_fails(kept: Kept, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    with Reader(kept.file) as backup, whole(broken, force=False) as target:
        writer = Writer(target, lambda _: None)
        writer.add(DUMP, of_text("this is no dump"))
        writer.add("secret-key", of_text(backup.text("secret-key")))
        writer.close(backup.manifest.model_copy(update={"members": writer.members}))
    with Reader(broken) as backup, pytest.raises(Refused, match="pg_restore"):
        restore(backup, tmp_path / "data", (), known(kept.file), force=False, resume=False)
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


def altered(kept: Kept, target: Path, **changes: Any) -> Path:
    """The same backup with another manifest."""
    with zipfile.ZipFile(kept.file) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == MANIFEST:
                content = json.dumps(json.loads(content) | changes).encode()
            copy.writestr(name, content)
    return target


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"postgres": 99}, "PostgreSQL 99"),
        ({"format": 2}, "format 2"),
        ({"migrations": {"calls": ["0001_initial", "0999_later"]}}, "calls.0999_later"),
        ({"members": {}}, "damaged"),
        ({"members": {DUMP: Member(bytes=1, sha256="0" * 64).model_dump()}}, "damaged"),
    ],
)
def test_it_refuses_what_it_cannot_read(kept: Kept, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said), Reader(altered(kept, tmp_path / "b", **changes)) as backup:
        restore(backup, tmp_path / "data", (), known(kept.file), force=False, resume=False)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_it_notices_a_changed_byte(kept: Kept, tmp_path: Path, where: float) -> None:
    content = bytearray(kept.file.read_bytes())
    content[int(len(content) * where)] ^= 0x20
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(Refused):
        Reader(tmp_path / "b")


def test_it_notices_a_file_that_was_cut_short(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(kept.file.read_bytes()[:-100])
    with pytest.raises(Refused, match="cut short"):
        Reader(tmp_path / "b")


def test_it_wants_the_key_by_which_the_database_was_encrypted(kept: Kept, tmp_path: Path) -> None:
    with Reader(kept.file) as backup, pytest.raises(Refused, match="POSTCALL_SECRET_KEY is not the key"):
        restore(
            backup, tmp_path / "data", ("another key of the tests",), known(kept.file), force=False, resume=False
        )


def test_it_takes_a_key_that_is_only_in_the_environment(kept: Kept, tmp_path: Path) -> None:
    key = "a key of the environment"
    without = altered(kept, tmp_path / "b", keys=[fingerprint(key)])
    with Reader(without) as backup:
        shown = backup.manifest
        backup.manifest = AManifest(**shown.model_dump() | {"members": {DUMP: shown.members[DUMP]}})
        with pytest.raises(Refused, match="environment"):
            restore(backup, tmp_path / "data", (), known(kept.file), force=False, resume=False)
        restore(
            backup, tmp_path / "data", ("newer key of the tests", key), known(kept.file), force=False, resume=False
        )
    assert not (tmp_path / "data" / "secret-key").exists()


def test_it_does_not_keep_a_key_of_the_environment(kept: Kept, tmp_path: Path) -> None:
    file = tmp_path / "b"
    key = "a key of the environment 0123"
    deployment = Deployment(kept.data_dir, kept.sandbox.url, POSTCALL_SECRET_KEY=key)
    assert deployment.run("backup", str(file)).returncode == 0
    with Reader(file) as backup:
        assert "secret-key" not in backup.manifest.members
        assert backup.manifest.keys == [fingerprint(key)]


def write(file: Path, *contents: bytes, force: bool = False, meanwhile: bytes = b"", fail: bool = False) -> None:
    with whole(file, force=force) as target:
        for content in contents:
            target.write(content)
        if meanwhile:
            file.write_bytes(meanwhile)
        if fail:
            raise ZeroDivisionError


def test_it_leaves_no_half_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write(tmp_path / "f", b"half", fail=True)
    assert list(tmp_path.iterdir()) == []


def test_it_replaces_nothing_unasked(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"precious")
    with pytest.raises(Refused, match="there already"):
        write(file, b"new")
    assert file.read_bytes() == b"precious"
    write(file, b"new", force=True)
    assert file.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["f"]


def test_it_does_not_replace_what_appeared_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "f"
    with pytest.raises(Refused, match="meanwhile"):
        write(file, b"mine", meanwhile=b"theirs")
    assert file.read_bytes() == b"theirs"
