"""A whole Postcall to be broken: its own PostgreSQL, web and worker processes, and a Twilio that outlives them."""

from __future__ import annotations

import base64
import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from postcall.sandbox.running import Sandbox

from .clinic import MESSAGES
from .programs import Program, clean_environment, free_port
from .server import Server
from .waiting import wait_until

KEY = "pc_chaos_key_0123456789abcdef"
ACCOUNT_SID = "AC" + "1" * 32
SOURCE_SECRET = "whsec_" + base64.b64encode(b"chaos" * 6).decode()
# Of the real delays, where nobody measures how long finding out takes.
SHORT_DELAYS = "3,10,20,30"


class Deployment:
    """`webs` web and `workers` worker processes on one PostgreSQL.

    `pace` is the factor on every wait of the service. `delays` are the seconds, before that factor, after which
    Twilio's list is read (None: the service's own).
    """

    def __init__(
        self,
        folder: Path,
        *,
        pace: float,
        delays: str | None = None,
        webs: int = 2,
        workers: int = 2,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.pace = pace
        self.data_dir = folder / "data"
        self.server = Server(self.data_dir, {"max_connections": "200", **(settings or {})})
        self.sandbox_port = free_port()
        self.ports = [free_port() for _ in range(webs)]
        self.base = self._environment(delays)
        self.webs = [
            self.program(f"web-{n}", ["web"], POSTCALL_PORT=str(port)) for n, port in enumerate(self.ports)
        ]
        self.workers = [self.program(f"worker-{n}", ["worker"]) for n in range(workers)]
        self.sandbox = Sandbox(port=self.sandbox_port, pace=0.01)
        self._numbers = 0
        self._tags = 0
        self._lock = threading.Lock()

    # Life

    @contextmanager
    def running(self) -> Iterator[Deployment]:
        try:
            self.start()
            yield self
        finally:
            self.end()

    def start(self) -> None:
        self.sandbox.start()
        self.server.start()
        self.server.own_clock()
        migrating = self.program("migrate", ["migrate"])
        migrating.start()
        wait_until(lambda: not migrating.runs, "the tables were made")
        assert "The database is up to date" in migrating.said(), migrating.said()[-3000:]
        for program in self.programs:
            program.environment |= self._database_of(program.name)
            program.start()
        self.wait_until_ready()
        self._set_up()

    def end(self) -> None:
        for program in self.programs:
            program.end()
        self.server.hang_up()
        self.server.stop()
        self.sandbox.stop()

    @property
    def programs(self) -> list[Program]:
        return [*self.webs, *self.workers]

    def wait_until_ready(self) -> None:
        """Every web process answers and every worker has shown itself."""
        for port, web in zip(self.ports, self.webs, strict=True):
            self._wait_for(web, lambda port=port: status(f"http://127.0.0.1:{port}/healthz") == 200)
        for worker in self.workers:
            self._wait_for(worker, lambda pid=worker.pid: self.seen(pid))

    def _wait_for(self, program: Program, holds: Any) -> None:
        def ready() -> bool:
            assert program.runs, f"{program.name} ended:\n{program.said()[-3000:]}"
            return bool(holds())

        wait_until(ready, f"{program.name} was ready")

    def seen(self, pid: int) -> bool:
        """Whether the worker with this process id has given a sign of life."""
        return bool(self.server.value("SELECT count(*) FROM worker WHERE pid = %s", pid))

    # Parts

    def program(self, name: str, arguments: list[str], **environment: str) -> Program:
        return Program(
            name, arguments, self.base | self._database_of(name) | environment, self.folder / f"{name}.log"
        )

    def _database_of(self, name: str) -> dict[str, str]:
        """Every process has its name at the database, so that one of them alone can be struck there."""
        url = getattr(self.server, "url", "postgresql:///unknown")
        return {"DATABASE_URL": f"{url}&application_name={name}"}

    def _environment(self, delays: str | None) -> dict[str, str]:
        environment = clean_environment() | {
            "POSTCALL_DATA_DIR": str(self.data_dir),
            "POSTCALL_SECRET_KEY": "a-key-of-the-chaos-only-0123456789",
            "POSTCALL_API_KEY": KEY,
            "POSTCALL_PUBLIC_URL": f"http://127.0.0.1:{self.ports[0]}",
            "POSTCALL_LOG_FORMAT": "json",
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": "token-of-the-chaos",
            "TWILIO_FROM_NUMBER": "+14155550100",
            "TWILIO_API_URL": f"http://127.0.0.1:{self.sandbox_port}",
        }
        if self.pace != 1:
            environment["POSTCALL_TEST_PACE"] = str(self.pace)
        return environment | ({"POSTCALL_RECONCILE_DELAYS": delays} if delays else {})

    def new_twilio(self, seed: int, faults: Mapping[str, float] | None = None) -> None:
        """A stand-in that remembers nothing, at the same address."""
        self.sandbox.stop()
        self.sandbox = Sandbox(port=self.sandbox_port, pace=0.01, seed=seed, faults=faults)
        self.sandbox.start()

    # What is asked of it

    def ask(self, method: str, path: str, body: object = None, port: int | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port or self.ports[0]}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
            return json.loads(content) if content else None

    def _set_up(self) -> None:
        """Three agents with one, two and three actions that always text, and a signed source."""
        self.ask("PUT", "/settings/sending", self.ask("GET", "/settings/sending") | {"max_per_number_per_day": 20})
        source = self.ask(
            "POST", "/sources", {"kind": "generic", "name": "Front desk", "auth": {"secret": SOURCE_SECRET}}
        )
        self.webhook_path = "/in/generic/" + source["url"].rpartition("/")[2]
        actions = [
            self.ask(
                "POST", "/actions", {"type": "post_call_sms", "name": text[:20], "message": text, "always": True}
            )
            for text in MESSAGES
        ]
        for count in (1, 2, 3):
            agent = self.ask(
                "POST",
                "/agents",
                {
                    "name": f"Desk {count}",
                    "timezone": "America/New_York",
                    "external_ids": [{"source": "generic", "id": f"desk-{count}"}],
                },
            )
            for action in actions[:count]:
                inputs = {name: {"from": "collected", "name": name} for name in ("name", "word")}
                self.ask(
                    "POST",
                    f"/agents/{agent['id']}/attachments",
                    {"action_id": action["id"], "mode": "live", "inputs": inputs},
                )

    # What is nobody else's

    def numbers(self, count: int) -> int:
        """The first of `count` phone numbers that no other run uses."""
        with self._lock:
            first = self._numbers
            self._numbers += count
            return first

    def tag(self) -> str:
        """Letters that no other run's ids and texts begin with."""
        with self._lock:
            self._tags += 1
            chance = random.Random(self._tags)
            return "q" + "".join(chance.choice("bcdfghjklmnp") for _ in range(4)) + "x"

    def paced(self, seconds: float) -> float:
        return seconds * self.pace

    def sleep(self, seconds: float) -> None:
        """Lets as long pass as `seconds` are to the service."""
        time.sleep(self.paced(seconds))


def status(url: str) -> int:
    """The HTTP status that is answered; 0: none."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
