"""A whole Postcall in processes of its own, as an operator runs it, beside a Twilio stand-in that outlives it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE_S = 120.0
KEY = "pc_whole_stack_key_0123456789"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(holds: Callable[[], Any], what: str) -> Any:
    """The first true value of `holds`; generous, so that no test depends on how fast the machine is."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if value := holds():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE_S:.0f} s in vain until {what}")


class Stack:
    """`postcall up` in `folder`. `extra` is more environment; `sandbox_url` makes it a deployment that has Twilio
    credentials, whose Twilio is the stand-in there."""

    def __init__(self, folder: Path, *arguments: str, sandbox_url: str | None = None, **extra: str) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.arguments = arguments
        self.environment = self._environment(sandbox_url) | extra
        self.process: subprocess.Popen[str] | None = None
        self.output = folder / "output"

    def _environment(self, sandbox_url: str | None) -> dict[str, str]:
        mine = ("POSTCALL_", "TWILIO_", "DATABASE_URL", "DJANGO_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        environment |= {
            "POSTCALL_DATA_DIR": str(self.data_dir),
            "POSTCALL_API_KEY": KEY,
            "POSTCALL_PORT": str(self.port),
            "POSTCALL_LOG_FORMAT": "json",
            "COLUMNS": "200",
        }
        if sandbox_url:
            environment |= {
                "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
                "TWILIO_AUTH_TOKEN": "token-of-the-tests",
                "TWILIO_FROM_NUMBER": "+14155550100",
                "TWILIO_API_URL": sandbox_url,
                "POSTCALL_RECONCILE_DELAYS": "1,2,3,4",
            }
        return environment

    def start(self) -> Stack:
        with self.output.open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "postcall", "up", *self.arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"postcall up ended:\n{self.said()[-3000:]}"
            return self.status("/readyz") == 200

        wait_until(ready, "the stack was ready")

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def ask(self, method: str, path: str, body: object = None, key: str = KEY) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
            return json.loads(content) if content else None

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another `postcall` command on the same data folder."""
        return subprocess.run(
            [sys.executable, "-m", "postcall", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    def processes(self) -> list[tuple[int, str]]:
        """Every process that has our data folder or port in its command line or environment, but this one."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            mark = str(self.data_dir).encode()
            if command and (mark in command or mark in environment):
                found.append((int(entry.name), command.replace(b"\0", b" ").decode(errors="replace").strip()))
        return found

    def kill(self, part: str) -> int:
        """kill -9 of every process of one part ("web", "worker"); returns how many there were."""
        killed = 0
        for pid, command in self.processes():
            if f"postcall {part}" in command:
                try:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    continue
        return killed

    def stop(self, number: int = signal.SIGINT) -> int:
        """Asks it to stop and returns its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def end(self) -> None:
        """Whatever happened, nothing stays."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        for pid, _ in self.processes():
            os.kill(pid, signal.SIGKILL)


def set_up_always(stack: Stack) -> str:
    """One agent with one `always` action attached; returns the agent's id."""
    agent = stack.ask("POST", "/agents", {"name": "Front desk", "timezone": "America/New_York"})
    action = stack.ask(
        "POST",
        "/actions",
        {"type": "post_call_sms", "name": "Thanks", "message": "Thanks for calling, <name>.", "always": True},
    )
    stack.ask(
        "POST",
        f"/agents/{agent['id']}/attachments",
        {"action_id": action["id"], "mode": "live", "inputs": {"name": {"from": "collected", "name": "name"}}},
    )
    return str(agent["id"])


def a_call(agent: str, number: int) -> dict[str, Any]:
    return {
        "external_id": f"c-{number}",
        "agent": agent,
        "customer_number": f"+1415555{number:04}",
        "connected": True,
        "transcript": [{"role": "customer", "text": "Hello, I would like to know your opening hours please."}],
        "variables": {"collected": {"name": f"Ann{number}"}},
    }
