"""`postcall` in processes of its own, on a data folder of its own, with the test's stand-in as its Twilio."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE_S = 120.0
KEY = "pc_keeping_key_0123456789"


def wait_until(holds: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if value := holds():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE_S:.0f} s in vain until {what}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Deployment:
    def __init__(self, data_dir: Path, sandbox_url: str, **extra: str) -> None:
        self.data_dir = data_dir
        self.port = _free_port()
        mine = ("POSTCALL_", "TWILIO_", "DATABASE_URL", "DJANGO_")
        bare = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        self.environment = bare | {
            "POSTCALL_DATA_DIR": str(data_dir),
            "POSTCALL_API_KEY": KEY,
            "POSTCALL_PORT": str(self.port),
            "POSTCALL_LOG_FORMAT": "json",
            "POSTCALL_RECONCILE_DELAYS": "0.5,1,1.5,2",
            "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
            "TWILIO_AUTH_TOKEN": "token-of-the-tests",
            "TWILIO_FROM_NUMBER": "+14155550100",
            "TWILIO_API_URL": sandbox_url,
            "COLUMNS": "300",
        }
        self.environment |= extra
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Deployment:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *arguments: str) -> Deployment:
        with (self.data_dir.parent / f"{self.data_dir.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "postcall", *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same data folder."""
        return subprocess.run(
            [sys.executable, "-m", "postcall", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "it ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def post(self, path: str, body: object) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())
