"""A backup of a running Postcall becomes another one, with the same rows and secrets, that sends nothing twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet
from database.servers import as_nobody, copy_database, processes_named

from postcall.database.cluster import cluster_name
from postcall.database.embedded import EmbeddedDatabase, running
from postcall.database.replacing import DRAFT, STEP, replace_content
from postcall.keeping.archive import DUMP, MANIFEST, Member, Reader, Writer, fingerprint, of_text
from postcall.keeping.files import Refused, whole
from postcall.keeping.restore import _nobody_in, restore
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
        # The text waits for as long as nobody calls it: nothing is written while rows are dumped and compared.
        sandbox.faults = {"refuse_429": 1, "retry_after_s": 3600}
        first.post("/calls", {"external_id": "c-1", "agent": "desk", "customer_number": ANN,
                              "transcript": [{"role": "customer", "text": "Hello"}]})  # fmt: skip
        wait_until(lambda: sandbox.requests["create", 429], "Twilio refused")
        wait_until(lambda: "queued" in str(rows_of(url_of(data_dir))["message"]), "the text waits")
        made = first.run("backup", str(file))
        assert made.returncode == 0, made.stderr
        rows = rows_of(url_of(data_dir))
        sandbox.faults = {}
        call_the_text(url_of(data_dir))
        wait_until(lambda: sandbox.creates[ANN, "Hi there."] == 1, "it was sent")
        first.stop()
        yield Kept(file, rows, sandbox, data_dir)


def call_the_text(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE message SET due_at = clock_timestamp() WHERE due_at IS NOT NULL")


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
            assert told(url) == ["restore", "resume"]
            call_the_text(url)
            second.start("worker")
            wait_until(lambda: statuses(url) in (["sent"], ["delivered"]), "it found out that it had been sent")
            second.stop()
    assert kept.sandbox.creates[ANN, "Hi there."] == 1


def told(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        verbs = connection.execute("SELECT verb FROM audit_entry WHERE actor_kind = 'cli' ORDER BY id")
        return [row[0] for row in verbs]


def test_it_tells_of_a_backup(kept: Kept) -> None:
    with running(kept.data_dir) as url:
        assert "backup" in told(url)


def statuses(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT status FROM message")]


def test_it_is_one_file_for_its_owner_alone(kept: Kept) -> None:
    assert stat.S_IMODE(kept.file.stat().st_mode) == 0o600
    with Reader(kept.file) as backup:
        assert {"database.dump", "secret-key"} <= set(backup.manifest.members)
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
        aside = restore(backup, tmp_path / "data", (), known(kept.file), force=True, resume=True).aside
    assert aside is not None
    assert aside.parent == tmp_path / "data"
    assert (aside / "precious").read_text() == "kept"
    assert (tmp_path / "data" / "secret-key").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.fixture
def others_folder() -> Iterator[Path]:
    """The data folder, with something in it, of an ordinary user, who may not write to the folder above."""
    with tempfile.TemporaryDirectory() as above:
        data_dir = Path(above) / "data"
        data_dir.mkdir(mode=0o700)
        (data_dir / "first").write_text("kept")
        if os.geteuid() == 0:
            for path in (data_dir, data_dir / "first"):
                shutil.chown(path, "nobody")
        Path(above).chmod(0o555)
        yield data_dir
        Path(above).chmod(0o755)


def as_its_owner(action: Callable[[], str]) -> str:
    return as_nobody(action) if os.geteuid() == 0 else action()


def test_it_needs_nothing_of_the_folder_above(kept: Kept, others_folder: Path) -> None:
    """That is root's where a service has an account of its own, and the folder a mount point in a container."""

    def restored() -> str:
        with Reader(file) as backup:
            done = restore(backup, others_folder, (), migrations, force=True, resume=False)
        assert done.aside is not None
        return " ".join([(done.aside / "first").read_text(), *sorted(os.listdir(others_folder))])

    migrations = known(kept.file)
    with tempfile.TemporaryDirectory() as public:
        file = Path(shutil.copy(kept.file, public))
        Path(public).chmod(0o755)
        file.chmod(0o644)
        said = as_its_owner(restored)
    assert said.startswith("kept before-"), said
    assert {"postgres", "secret-key"} <= set(said.split())
    assert not {DRAFT, STEP} & set(said.split())


def test_it_leaves_all_in_place_where_something_cannot_be_moved(others_folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make what its own user cannot move")
    (others_folder / "second").mkdir(mode=0o755)  # of root: another may not move it
    (others_folder / DRAFT).mkdir()
    shutil.chown(others_folder / DRAFT, "nobody")
    said = as_nobody(lambda: str(replace_content(others_folder, "before-20261123T100000Z")))
    assert said.startswith("PermissionError")
    assert sorted(os.listdir(others_folder)) == [DRAFT, "first", "second"]


@pytest.mark.parametrize("step", ["aside", "in"])
def test_a_start_finishes_what_a_kill_cut_short(kept: Kept, tmp_path: Path, step: str) -> None:
    data_dir, aside = tmp_path / "data", "before-20261123T100000Z"
    with Reader(kept.file) as backup:
        restore(backup, data_dir, (), known(kept.file), force=False, resume=False)
    (data_dir / DRAFT).mkdir(mode=0o700)
    for name in ("postgres", "database-password", "secret-key"):
        (data_dir / name).rename(data_dir / DRAFT / name)
    if step == "aside":
        (data_dir / "postgres").mkdir()  # of old, and not moved yet
    (data_dir / STEP).write_text(f"{step} {aside}\n")
    with running(data_dir) as url:
        assert rows_of(url) == kept.rows
    assert (data_dir / aside / "postgres").exists() == (step == "aside")
    assert not {DRAFT, STEP} & set(os.listdir(data_dir))


def test_it_ends_the_server_that_a_killed_restoration_left(kept: Kept, tmp_path: Path) -> None:
    draft = tmp_path / "data" / DRAFT
    (tmp_path / "data").mkdir(mode=0o700)
    left = subprocess.run(
        [sys.executable, "-c", LEAVES_A_SERVER, str(draft)], capture_output=True, text=True, check=False
    )
    assert left.returncode == -signal.SIGKILL, left.stderr
    name = cluster_name(EmbeddedDatabase(draft).cluster)
    assert processes_named(name)
    with Reader(kept.file) as backup:
        restore(backup, tmp_path / "data", (), known(kept.file), force=False, resume=False)
    assert not draft.exists()
    wait_until(lambda: not processes_named(name), "the server had ended")


LEAVES_A_SERVER = """
import os, signal, sys
from pathlib import Path
from postcall.database.embedded import EmbeddedDatabase
EmbeddedDatabase(Path(sys.argv[1])).start()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_waits_for_no_other_restoration(kept: Kept, tmp_path: Path) -> None:
    """Two into a folder that is still to be made: one of them is refused and leaves the other's draft alone."""
    data_dir = tmp_path / "data"
    with _nobody_in(data_dir, force=False):
        (data_dir / DRAFT).mkdir()
        with Reader(kept.file) as backup, pytest.raises(Refused, match="just restoring"):
            restore(backup, data_dir, (), known(kept.file), force=True, resume=False)
        assert (data_dir / DRAFT).exists()


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


def without_key(kept: Kept, target: Path, *keys: str) -> Path:
    """The same backup, as if made with these keys, none of them of the data folder's file."""
    with Reader(kept.file) as source, whole(target, force=False) as to:
        writer = Writer(to, lambda _: None)
        with source.open(DUMP) as dump:
            writer.add(DUMP, dump)
        made = {"members": writer.members, "keys": [fingerprint(key) for key in keys]}
        writer.close(source.manifest.model_copy(update=made))
    return target


def test_it_takes_a_key_that_is_only_in_the_environment(kept: Kept, tmp_path: Path) -> None:
    key = "a key of the environment"
    with Reader(without_key(kept, tmp_path / "b", key)) as backup:
        with pytest.raises(Refused, match="environment"):
            restore(backup, tmp_path / "data", (), known(kept.file), force=False, resume=False)
        given = ("newer key of the tests", key)
        done = restore(backup, tmp_path / "data", given, known(kept.file), force=False, resume=False)
    assert done.missing_keys == 0
    assert not (tmp_path / "data" / "secret-key").exists()


def test_it_wants_the_newest_key_and_counts_the_older_ones(kept: Kept, tmp_path: Path) -> None:
    new, old = "the newer key of the tests", "the older key of the tests"
    with Reader(without_key(kept, tmp_path / "b", new, old)) as backup:
        with pytest.raises(Refused, match="is not the key"):
            restore(backup, tmp_path / "data", (old,), known(kept.file), force=False, resume=False)
        done = restore(backup, tmp_path / "data", (new,), known(kept.file), force=False, resume=False)
    assert done.missing_keys == 1


NEW = "the-new-key-of-the-tests-0123456789"


def test_it_keeps_the_keys_of_a_file_that_holds_two(kept: Kept, tmp_path: Path) -> None:
    folder, file = tmp_path / "data", tmp_path / "b"
    copy_database(kept.data_dir, folder)
    old = (folder / "secret-key").read_text().strip()
    (folder / "secret-key").write_text(f"{NEW},{old}\n")
    made = Deployment(folder, kept.sandbox.url).run("backup", str(file))
    assert made.returncode == 0, made.stderr
    assert "is not in it" not in made.stderr
    with Reader(file) as backup:
        assert backup.text("secret-key") == f"{NEW},{old}"
        assert backup.manifest.keys == [fingerprint(NEW), fingerprint(old)]


def test_it_says_that_a_key_which_replaced_the_files_is_not_in_it(kept: Kept, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    copy_database(kept.data_dir, folder)
    old = (folder / "secret-key").read_text().strip()
    with_both = Deployment(folder, kept.sandbox.url, POSTCALL_SECRET_KEY=f"{NEW},{old}")
    with running(folder):
        assert with_both.run("rekey").returncode == 0
        made = with_both.run("backup", str(tmp_path / "b"))
        assert made.returncode == 0, made.stderr
        assert "is not in it: keep that as well" in made.stderr
        with Reader(tmp_path / "b") as backup:
            assert not backup.has("secret-key")
        # At a prompt without the service's key the file's opens nothing any more.
        refused = Deployment(folder, kept.sandbox.url).run("backup", str(tmp_path / "c"))
        assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
        assert "does not open what is encrypted" in refused.stderr.splitlines()[-1]
        assert not (tmp_path / "c").exists()
        # Nor is another key made where the file is gone.
        (folder / "secret-key").unlink()
        asked = Deployment(folder, kept.sandbox.url).run("key", "list")
        assert (asked.returncode, asked.stderr.count("\n")) == (1, 1)
        assert "set it as the service has it" in asked.stderr
        assert not (folder / "secret-key").exists()


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
