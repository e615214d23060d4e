"""As whom PostgreSQL runs."""

import os
import pwd
import stat
from pathlib import Path

import psycopg
import pytest

from postcall.database.embedded import (
    EmbeddedDatabase,
    EmbeddedDatabaseError,
    default_data_dir,
    prepare_data_dir,
    running,
)
from postcall.database.processes import command_of
from postcall.database.programs import SYSTEM_ACCOUNT

from .servers import as_nobody, copy_database, rows, server_pid, server_processes

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
needs_no_root = pytest.mark.skipif(os.geteuid() == 0, reason="root has another default")


def uid_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1])


@pytest.fixture
def nobodys_dir(public_dir: Path, made_database: Path) -> Path:
    """A folder of the user `nobody`; a database was made before, so all is loaded that it could not read."""
    nobody = pwd.getpwnam("nobody")
    folder = public_dir / "nobody"
    folder.mkdir()
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return folder


def use_once(data_dir: Path) -> str:
    with running(data_dir) as url, psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_database()").fetchone()
        return f"{row} {stat.filemode(os.stat(data_dir).st_mode)} {uid_of(server_pid(data_dir)) == os.getuid()}"


@needs_root
def test_it_runs_for_an_ordinary_user(nobodys_dir: Path) -> None:
    data_dir = nobodys_dir / "data"
    assert as_nobody(lambda: use_once(data_dir)) == "('postcall',) drwx------ True"
    assert server_processes(data_dir) == []


@needs_root
def test_it_runs_for_an_ordinary_user_in_a_folder_with_a_very_long_name(nobodys_dir: Path) -> None:
    data_dir = nobodys_dir / ("long" * 50)
    assert as_nobody(lambda: use_once(data_dir)) == "('postcall',) drwx------ True"
    assert server_processes(data_dir) == []


@needs_root
def test_it_serves_root_and_the_folders_owner_alike(nobodys_dir: Path) -> None:
    data_dir = nobodys_dir / "data"
    as_nobody(lambda: use_once(data_dir))
    with running(data_dir) as url, psycopg.connect(url) as connection:
        assert uid_of(server_pid(data_dir)) == pwd.getpwnam("nobody").pw_uid
        connection.execute("CREATE TABLE calls (id text)")
    assert as_nobody(lambda: use_once(data_dir)) == "('postcall',) drwx------ True"


@needs_root
def test_it_tells_an_ordinary_user_that_the_folder_is_read_only(public_dir: Path, made_database: Path) -> None:
    said = as_nobody(lambda: use_once(public_dir / "data"))
    assert said.startswith("EmbeddedDatabaseError: The data folder cannot be used (Permission denied")
    assert "set POSTCALL_DATA_DIR to one of its own" in said
    assert len(said.splitlines()) == 1


@needs_root
def test_it_tells_an_ordinary_user_that_the_folder_is_roots(public_dir: Path, made_database: Path) -> None:
    copy_database(made_database, public_dir / "data")
    said = as_nobody(lambda: use_once(public_dir / "data"))
    assert said.startswith("EmbeddedDatabaseError: The data folder cannot be used (Permission denied")


@needs_root
def test_it_refuses_a_socket_folder_that_somebody_else_made(nobodys_dir: Path) -> None:
    data_dir = nobodys_dir / ("long" * 50)
    as_nobody(lambda: str(prepare_data_dir(data_dir)))
    info = data_dir.stat()
    squatted = Path(f"/tmp/postcall-{info.st_uid}-{info.st_dev:x}-{info.st_ino:x}")
    squatted.mkdir(mode=0o777)
    try:
        said = as_nobody(lambda: use_once(data_dir))
    finally:
        squatted.rmdir()
    assert f"The folder {squatted} is not ours alone" in said
    assert server_processes(data_dir) == []


@needs_root
def test_it_runs_as_the_system_account_for_root(data_dir: Path) -> None:
    with running(data_dir):
        assert uid_of(server_pid(data_dir)) == pwd.getpwnam(SYSTEM_ACCOUNT).pw_uid
        assert command_of(server_pid(data_dir)).startswith("/var/lib/postcall/postgresql/")


@needs_root
def test_it_opens_no_folder_of_root_to_the_account(tmp_path: Path, made_database: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    copy_database(made_database, closed / "data")
    with running(closed / "data") as url:
        assert rows(url) == ["c-1"]
    for folder in (closed, closed / "data"):
        info = folder.stat()
        assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (0, 0o700)


@needs_root
def test_it_keeps_roots_data_below_var_lib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "checkout").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "one" / "checkout")
    first = default_data_dir()
    monkeypatch.chdir(tmp_path / "two" / "checkout")
    assert default_data_dir() != first
    assert first.parent == Path("/var/lib/postcall/data")
    assert first.name.startswith("checkout-")


@needs_no_root
def test_it_keeps_a_users_data_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_data_dir() == tmp_path / ".postcall"


@needs_root
@pytest.mark.parametrize("place", [".", "data"])
def test_it_leaves_a_services_folder_to_its_account(
    public_dir: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    home, nobody = public_dir / "home", pwd.getpwnam("nobody")
    (home / place / "locks").mkdir(parents=True)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    home.chmod(0o700)
    monkeypatch.setattr("postcall.database.folder.ROOT_HOME", home)
    with pytest.raises(
        EmbeddedDatabaseError, match=r"data folder of the account nobody\. Run this command as that"
    ):
        prepare_data_dir(home / "data" / "checkout-0123")
    assert (home.stat().st_uid, stat.S_IMODE(home.stat().st_mode)) == (nobody.pw_uid, 0o700)


def test_it_needs_no_account_of_its_own_for_a_user() -> None:
    assert EmbeddedDatabase(Path("data")).data_dir.is_absolute()
