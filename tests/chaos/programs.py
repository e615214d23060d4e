"""The processes of a deployment: each one real `postcall` command in a process group of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .waiting import PATIENCE_S

_OURS = ("POSTCALL_", "TWILIO_", "DATABASE_URL", "DJANGO_")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that configures Postcall."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


class Program:
    """`postcall ARGUMENTS`, to be started, killed and started again; what it says is added to `log`."""

    def __init__(self, name: str, arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.arguments = arguments
        self.environment = dict(environment)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "postcall", *self.arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def code(self) -> int | None:
        """What it ended with; None while it runs."""
        assert self._process is not None
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """To the whole group: the web process has a child that answers."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """kill -9, and gone on return."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(PATIENCE_S)

    def end(self) -> None:
        """In order where that works, by force where not; nothing of it stays."""
        if self._process is None:
            return
        self.signal(signal.SIGCONT)
        if self.runs:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
        self.kill()

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""
