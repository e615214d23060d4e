"""What the next start finds after a crash."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from postcall.database.embedded import EmbeddedDatabase, EmbeddedDatabaseError, running
from postcall.database.processes import command_of

from .servers import Spawn, first_line, rows, server_pid, server_processes


def kill_server(data_dir: Path) -> int:
    pid = server_pid(data_dir)
    os.kill(pid, signal.SIGKILL)
    while "cluster_name=" in command_of(pid):
        pass
    return pid


def test_it_keeps_every_row_when_the_server_is_killed(data_dir: Path) -> None:
    with running(data_dir) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for number in range(2, 52):
                connection.execute("INSERT INTO calls VALUES (%s)", [f"c-{number}"])
        kill_server(data_dir)
    with running(data_dir) as url:
        assert len(rows(url)) == 51


def test_it_is_healed_by_starting_again_and_keeps_its_address(data_dir: Path) -> None:
    database = EmbeddedDatabase(data_dir)
    url = database.start()
    kill_server(data_dir)
    assert database.start() == url
    assert rows(url) == ["c-1"]
    database.stop()
    assert server_processes(data_dir) == []


def test_it_is_healed_for_a_user_that_goes_on(data_dir: Path, spawn: Spawn) -> None:
    process = spawn(data_dir)
    url = first_line(process)
    kill_server(data_dir)
    with running(data_dir):
        pass
    assert rows(url) == ["c-1"]
    process.communicate()
    assert server_processes(data_dir) == []


@pytest.fixture
def process_of() -> Iterator[Callable[[int], "subprocess.Popen[bytes]"]]:
    """Starts some other process of the user with this id."""
    started = []

    def start(uid: int) -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen(["sleep", "600"], user=uid if os.geteuid() == 0 else None))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_it_does_not_mistake_another_process_for_the_killed_server(
    data_dir: Path, process_of: Callable[[int], "subprocess.Popen[bytes]"]
) -> None:
    with running(data_dir):
        kill_server(data_dir)
    record = EmbeddedDatabase(data_dir).cluster / "postmaster.pid"
    stranger = process_of(record.stat().st_uid)
    record.write_text("\n".join([str(stranger.pid), *record.read_text().splitlines()[1:]]))
    with running(data_dir) as url:
        assert rows(url) == ["c-1"]
    assert stranger.poll() is None


def test_it_starts_over_an_empty_server_record(data_dir: Path) -> None:
    (EmbeddedDatabase(data_dir).cluster / "postmaster.pid").touch()
    with running(data_dir) as url:
        assert rows(url) == ["c-1"]


def test_it_ends_busy_connections_of_a_killed_server(data_dir: Path) -> None:
    with running(data_dir) as url:
        connection = psycopg.connect(url, autocommit=True)
        busy = connection.info.backend_pid
        connection.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")
        kill_server(data_dir)
        with running(data_dir) as again:
            assert rows(again) == ["c-1"]
            assert busy not in server_processes(data_dir)
        connection.close()


def test_it_refuses_a_folder_that_another_postgresql_uses(data_dir: Path) -> None:
    database = EmbeddedDatabase(data_dir)
    database.start()
    # To us it now looks like a server that somebody started by hand.
    (data_dir / "locks" / "server").unlink()
    with pytest.raises(EmbeddedDatabaseError, match="did not start is using this folder"):
        EmbeddedDatabase(data_dir).start()


def test_it_sets_a_new_password_when_the_old_one_is_lost(data_dir: Path) -> None:
    (data_dir / "database-password").unlink()
    with running(data_dir) as url:
        assert rows(url) == ["c-1"]


def test_it_says_how_to_mend_a_wrong_password(data_dir: Path) -> None:
    (data_dir / "database-password").write_text("guess")
    with pytest.raises(EmbeddedDatabaseError, match="remove its file database-password"), running(data_dir):
        pass
    assert server_processes(data_dir) == []


def test_it_recovers_when_one_connection_is_killed(data_dir: Path) -> None:
    database = EmbeddedDatabase(data_dir)
    url = database.start()
    pid = server_pid(data_dir)
    with psycopg.connect(url) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert rows(database.start()) == ["c-1"]
    assert server_pid(data_dir) == pid
    database.stop()
