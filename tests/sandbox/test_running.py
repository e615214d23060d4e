from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from postcall.sandbox.running import Sandbox, run

from .application import ANN, OURS, SERVICE
from .conftest import Connect

PROGRAM = """
import sys
from pathlib import Path
from postcall.sandbox.running import run
run(port=0, state=Path(sys.argv[1]), ready=lambda url: print(url, flush=True))
print("django" in sys.modules, flush=True)
"""


class Running:
    """The stand-in as a program of its own."""

    def __init__(self, state: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(state)], stdout=subprocess.PIPE, text=True
        )
        self.url = self.line()

    def line(self) -> str:
        output: IO[str] | None = self.process.stdout
        assert output is not None
        return output.readline().strip()

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly(tmp_path: Path, connect: Connect, number: signal.Signals) -> None:
    with Running(tmp_path / "state") as program:
        client = connect(program)
        assert client.messages.create(to=ANN, from_=OURS, body="Hi").sid
        assert program.end(number) == 0
        assert program.line() == "False"


def test_what_was_answered_outlives_a_kill(tmp_path: Path, connect: Connect) -> None:
    state = tmp_path / "state"
    with Running(state) as program:
        client = connect(program)
        sids = [client.messages.create(to=ANN, from_=OURS, body=f"no {n}").sid for n in range(20)]
        program.end(signal.SIGKILL)
    with Sandbox(state=state, pace=0.01).running() as sandbox:
        assert [message.sid for message in sandbox.messages] == sids
        sandbox.wait_until(lambda sandbox: {message.status for message in sandbox.messages} == {"delivered"})


def test_a_taken_port_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            Sandbox(port=port).start()
        with pytest.raises(OSError, match="in use"):
            run(port=port)


def test_a_bad_fault_is_said() -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        Sandbox(faults={"explode": 1}).start()


def test_it_can_be_stopped_twice_and_started_again(connect: Connect) -> None:
    sandbox = Sandbox(progress="manual")
    for _ in range(2):
        sandbox.start()
        assert connect(sandbox).messages.create(to=ANN, messaging_service_sid=SERVICE, body="Hi").sid
        sandbox.stop()
        sandbox.stop()
    with pytest.raises(RuntimeError, match="not running"):
        assert sandbox.messages


def test_waiting_gives_up_in_the_end(sandbox: Sandbox) -> None:
    with pytest.raises(TimeoutError):
        sandbox.wait_until(lambda sandbox: bool(sandbox.messages), timeout_s=0.01)


def test_two_stand_side_by_side(sandbox: Sandbox, connect: Connect) -> None:
    with Sandbox(progress="manual").running() as other:
        connect(other).messages.create(to=ANN, from_=OURS, body="Hi")
        assert (len(other.messages), len(sandbox.messages)) == (1, 0)
