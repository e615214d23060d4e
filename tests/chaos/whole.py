"""A deployment as `postcall up` runs it: database, web and worker in one, each brought back when it dies."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from .deployment import Deployment, status
from .programs import Program
from .small_disk import SmallDisk
from .waiting import wait_until


class Whole(Deployment):
    """One `postcall up`; the database is its own, and the harness only looks at it."""

    def __init__(
        self, folder: Path, *, pace: float, delays: str | None = None, disk: SmallDisk | None = None
    ) -> None:
        super().__init__(folder, pace=pace, delays=delays, webs=1, workers=0)
        self.disk = disk
        port = str(self.ports[0])
        environment = {name: value for name, value in self.base.items() if name != "DATABASE_URL"}
        self.up = Program("up", ["up"], environment | {"POSTCALL_PORT": port}, folder / "up.log")
        self.webs = []

    @property
    def programs(self) -> list[Program]:
        return [self.up]

    def start(self) -> None:
        self.sandbox.start()
        self.up.start()
        self.wait_until_ready()
        self.server.join()
        self._set_up()

    def wait_until_ready(self) -> None:
        url = f"http://127.0.0.1:{self.ports[0]}/readyz"
        self._wait_for(self.up, lambda: status(url) == 200)

    def end(self) -> None:
        self.server.hang_up()
        self.up.end()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.sandbox.stop()

    def kill_everything(self) -> int:
        """kill -9 of `up`, its parts and the database at once; returns how many processes there were."""
        pids = self.processes()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.up.kill()
        wait_until(lambda: not self.processes(), "nothing was left")
        return len(pids)

    def processes(self, part: str = "") -> list[int]:
        """Every process that has our data folder in its command line or environment, those of one part alone."""
        found = []
        mark = str(self.data_dir).encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                ours = mark in command or mark in (entry / "environ").read_bytes()
                if command and ours and part.encode() in command:
                    found.append(int(entry.name))
        return found

    def command(self, *arguments: str) -> Program:
        """Another `postcall` command on the same data folder, run to its end."""
        name = f"command-{arguments[0]}"
        program = Program(name, list(arguments), self.up.environment, self.folder / f"{name}.log")
        program.log.unlink(missing_ok=True)
        program.start()
        wait_until(lambda: not program.runs, f"`postcall {arguments[0]}` ended")
        return program
