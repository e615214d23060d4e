"""The processes that `postcall up` runs: started together, restarted when one dies, stopped in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from postcall.cli.output import note

PARENT_PIPE = "POSTCALL_PARENT_PIPE"
STOP_S = 45.0
RESTART_PAUSE_S = 1.0
HEAL_S = 2.0


def end_with_parent() -> bool:
    """In a child of `postcall up`: ends this process in order when the parent is gone, however it went.

    Says whether this is such a child.
    """
    pipe = os.environ.pop(PARENT_PIPE, None)
    if pipe is None:
        return False

    def watch() -> None:
        os.read(int(pipe), 1)  # returns when the last writer, the parent, is gone
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
    return True


@dataclass
class Part:
    """One process of the whole, in a session of its own: a Ctrl-C reaches the parent alone."""

    name: str
    arguments: list[str]
    _process: subprocess.Popen[bytes] | None = None
    _started_at: float = 0.0

    def start(self, pipe: int) -> None:
        environment = os.environ | {PARENT_PIPE: str(pipe)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "postcall", *self.arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(pipe,),
        )
        self._started_at = time.monotonic()

    @property
    def dead(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    @property
    def restart_at(self) -> float:
        return self._started_at + RESTART_PAUSE_S

    def ask_to_stop(self) -> None:
        if self._process is not None and not self.dead:
            self._process.terminate()

    def wait(self, deadline: float) -> None:
        """Until it has ended; at the deadline it is killed, and what it had begun is found by its leases."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@dataclass
class Whole:
    """All parts. `stopping` is set by a signal; `heal` is called every HEAL_S to bring back what is no part."""

    parts: list[Part]
    heal: Callable[[], None] = lambda: None
    stopping: threading.Event = field(default_factory=threading.Event)
    _pipe: tuple[int, int] = field(default_factory=os.pipe)

    def start(self) -> None:
        for part in self.parts:
            part.start(self._pipe[0])

    def watch(self) -> None:
        """Restarts what dies, until `stopping`."""
        heal_at = time.monotonic() + HEAL_S
        while not self.stopping.wait(0.25):
            if time.monotonic() >= heal_at:
                self.heal()
                heal_at = time.monotonic() + HEAL_S
            for part in self.parts:
                if part.dead and time.monotonic() >= part.restart_at:
                    note(f"{part.name} ended unexpectedly; starting it again")
                    part.start(self._pipe[0])

    def stop(self) -> None:
        """Asks all to stop, then waits for each: the web process stops taking calls while workers finish."""
        for part in self.parts:
            part.ask_to_stop()
        deadline = time.monotonic() + STOP_S
        for part in self.parts:
            part.wait(deadline)
