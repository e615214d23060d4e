import os
import signal
import stat
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InsufficientPrivilege, InvalidTextRepresentation

from postcall.database.embedded import EmbeddedDatabase, EmbeddedDatabaseError, running
from postcall.database.processes import command_of

from .servers import (
    Spawn,
    copy_database,
    first_line,
    log_of,
    rows,
    server_pid,
    server_processes,
)


def test_it_makes_the_database_at_the_first_start(new_data_dir: Path) -> None:
    with running(new_data_dir) as url, psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_database(), current_user, 'É' ILIKE 'é'").fetchone()
    assert row == ("postcall", "postcall", True)


def test_it_keeps_rows_from_one_start_to_the_next(data_dir: Path) -> None:
    with running(data_dir) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO calls VALUES ('c-2')")
    with running(data_dir) as url:
        assert rows(url) == ["c-1", "c-2"]


def test_it_leaves_nothing_running(data_dir: Path) -> None:
    with running(data_dir):
        assert server_processes(data_dir)
    assert server_processes(data_dir) == []


def test_it_stops_even_while_connections_are_open(data_dir: Path) -> None:
    with running(data_dir) as url:
        connection = psycopg.connect(url)
    assert server_processes(data_dir) == []
    connection.close()


def test_it_stops_when_its_user_fails(data_dir: Path) -> None:
    with pytest.raises(ZeroDivisionError), running(data_dir):
        _ = 1 / 0
    assert server_processes(data_dir) == []


def test_it_keeps_its_address(data_dir: Path) -> None:
    with running(data_dir) as first:
        pass
    with running(data_dir) as second:
        assert first == second


def test_it_knows_its_address_only_while_it_runs(data_dir: Path) -> None:
    with running(data_dir) as url:
        assert EmbeddedDatabase(data_dir).connection_url() == url
    with pytest.raises(EmbeddedDatabaseError, match="not running"):
        EmbeddedDatabase(data_dir).connection_url()


def test_it_may_be_started_and_stopped_again_and_again(data_dir: Path) -> None:
    database = EmbeddedDatabase(data_dir)
    assert database.start() == database.start()
    pid = server_pid(data_dir)
    assert database.start()
    assert server_pid(data_dir) == pid
    database.stop()
    database.stop()
    assert server_processes(data_dir) == []


def test_it_joins_a_server_that_runs(data_dir: Path, spawn: Spawn) -> None:
    other = spawn(data_dir)
    url = first_line(other)
    pid = server_pid(data_dir)
    with running(data_dir) as joined:
        assert joined == url
    assert server_pid(data_dir) == pid
    assert rows(url) == ["c-1"]


def test_it_stops_with_its_last_user(data_dir: Path, spawn: Spawn) -> None:
    other = spawn(data_dir)
    first_line(other)
    with running(data_dir) as url:
        other.communicate()
        assert rows(url) == ["c-1"]
    assert server_processes(data_dir) == []


def test_it_starts_one_server_for_two_processes_at_once(new_data_dir: Path, spawn: Spawn) -> None:
    users = [spawn(new_data_dir), spawn(new_data_dir), spawn(new_data_dir)]
    urls = {first_line(user) for user in users}
    assert len(urls) == 1
    servers = [pid for pid in server_processes(new_data_dir) if "cluster_name=" in command_of(pid)]
    assert servers == [server_pid(new_data_dir)]
    for user in users:
        user.communicate()
    assert server_processes(new_data_dir) == []


def test_it_runs_two_data_folders_side_by_side(data_dir: Path, tmp_path: Path) -> None:
    copy_database(data_dir, tmp_path / "second")
    with running(data_dir) as first, running(tmp_path / "second") as second:
        with psycopg.connect(first, autocommit=True) as connection:
            connection.execute("DELETE FROM calls")
        assert first != second
        assert rows(second) == ["c-1"]
    assert server_processes(tmp_path / "second") == []


def test_it_is_stopped_by_nobody_but_its_user(data_dir: Path) -> None:
    database = EmbeddedDatabase(data_dir)
    url = database.start()
    child = os.fork()
    if child == 0:
        database.stop()
        os._exit(0)
    os.waitpid(child, 0)
    assert rows(url) == ["c-1"]
    database.stop()
    assert server_processes(data_dir) == []


def test_it_takes_settings_from_its_starter(data_dir: Path) -> None:
    with running(data_dir, settings={"fsync": "off"}) as url, psycopg.connect(url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("off",)


def test_it_commits_durably(data_dir: Path) -> None:
    with running(data_dir) as url, psycopg.connect(url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_it_listens_on_no_network_address(data_dir: Path) -> None:
    with running(data_dir) as url, psycopg.connect(url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_it_asks_every_connection_for_the_password(data_dir: Path) -> None:
    with running(data_dir) as url:
        wrong = url.replace(urlsplit(url).password or "", "guess")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url.replace("postcall:", "postgres:", 1))


def test_it_gives_postcall_no_power_over_the_server(data_dir: Path) -> None:
    with running(data_dir) as url, psycopg.connect(url) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute("COPY calls TO PROGRAM 'true'")


def test_it_ignores_postgresql_variables_of_the_environment(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGHOST": "nowhere", "PGUSER": "x"}.items():
        monkeypatch.setenv(name, value)
    with running(data_dir) as url:
        assert rows(url) == ["c-1"]


def test_it_logs_no_text_of_failed_statements(data_dir: Path) -> None:
    with running(data_dir) as url, psycopg.connect(url) as connection, pytest.raises(InvalidTextRepresentation):
        connection.execute("SELECT 'call 5555550123'::integer")
    assert "5555550123" not in log_of(data_dir)


def test_it_drops_a_log_that_grew_large(data_dir: Path) -> None:
    log = EmbeddedDatabase(data_dir).cluster / "log" / "postgres-Xyz.log"
    log.write_bytes(b"x" * 5_000_001)
    with running(data_dir):
        assert not log.exists()


@pytest.mark.parametrize("name", ["with space", 'it\'s "quoted" $HOME `id`', "Praxis-Köln-診療所", "a,b;c&d=%41"])
def test_it_works_in_a_folder_called(name: str, made_database: Path, tmp_path: Path) -> None:
    copy_database(made_database, tmp_path / name)
    with running(tmp_path / name) as url:
        assert rows(url) == ["c-1"]
    assert server_processes(tmp_path / name) == []


def test_it_makes_a_database_in_a_folder_with_a_very_long_name(tmp_path: Path) -> None:
    data_dir = tmp_path.joinpath(*["long" * 50] * 3)
    with running(data_dir) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert server_processes(data_dir) == []


def test_it_ends_in_order_on_a_second_signal(data_dir: Path, spawn: Spawn) -> None:
    process = spawn(data_dir)
    first_line(process)
    for _ in range(5):
        process.send_signal(signal.SIGTERM)
    process.wait()
    assert server_processes(data_dir) == []


def test_it_removes_the_folder_of_its_socket(data_dir: Path) -> None:
    with running(data_dir) as url:
        folder = Path(str(conninfo_to_dict(url)["host"]))
        assert stat.filemode(folder.stat().st_mode) == "drwx------"
    assert not folder.exists()
