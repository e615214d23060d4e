"""How the database ends, or does not, when the process that uses it is ended from outside."""

import os
import signal
from pathlib import Path

import pytest

from postcall.database.embedded import running

from .servers import Spawn, first_line, log_of, rows, server_pid, server_processes


@pytest.mark.parametrize(
    ("signum", "exit_status"),
    [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 128 + signal.SIGHUP)],
)
def test_it_ends_with_its_user_on_a_signal(
    signum: signal.Signals, exit_status: int, data_dir: Path, spawn: Spawn
) -> None:
    process = spawn(data_dir)
    first_line(process)
    process.send_signal(signum)
    assert process.wait() == exit_status
    assert server_processes(data_dir) == []


def test_it_stops_in_order_when_ctrl_c_reaches_the_whole_process_group(data_dir: Path, spawn: Spawn) -> None:
    process = spawn(data_dir)
    first_line(process)
    os.killpg(process.pid, signal.SIGINT)
    process.wait()
    assert server_processes(data_dir) == []
    with running(data_dir):
        pass
    assert "was interrupted" not in log_of(data_dir)


def test_it_runs_in_a_session_of_its_own(data_dir: Path, spawn: Spawn) -> None:
    process = spawn(data_dir)
    first_line(process)
    assert os.getsid(server_pid(data_dir)) != os.getsid(process.pid)


def test_it_outlives_a_killed_user_and_ends_with_the_next(data_dir: Path, spawn: Spawn) -> None:
    process = spawn(data_dir)
    first_line(process)
    pid = server_pid(data_dir)
    process.kill()
    process.wait()
    with running(data_dir) as url:
        assert rows(url) == ["c-1"]
        assert server_pid(data_dir) == pid
    assert server_processes(data_dir) == []


@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.8, 1.2])
def test_it_starts_after_a_first_start_that_was_killed(seconds: float, new_data_dir: Path, spawn: Spawn) -> None:
    process = spawn(new_data_dir)
    with pytest.raises(Exception, match="timed out"):
        process.wait(timeout=seconds)
    process.kill()
    process.wait()
    with running(new_data_dir):
        assert server_processes(new_data_dir)
    assert server_processes(new_data_dir) == []
