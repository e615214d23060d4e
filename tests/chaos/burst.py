"""A voice platform that reports ended calls: signed, several at once, and again until it hears a 2xx."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from standardwebhooks import Webhook

from .clinic import Call
from .deployment import SOURCE_SECRET, Deployment
from .waiting import PATIENCE_S, wait_until

ANSWER_S = 10.0


@dataclass
class Answers:
    """How the deliveries were answered; 0 is a connection that failed."""

    statuses: dict[int, int] = field(default_factory=dict)
    without_retry_after: int = 0

    def add(self, status: int, retry_after: str | None) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status == 503 and retry_after is None:
            self.without_retry_after += 1


class Burst:
    """Delivers `calls` from `senders` threads, each call until it is acknowledged.

    `twice`: every delivery goes to two web processes at the same instant. `pause_s` lies between two calls of one
    sender, so that a burst lasts long enough to be struck.
    """

    def __init__(
        self,
        deployment: Deployment,
        calls: Sequence[Call],
        seed: int,
        *,
        senders: int = 8,
        twice: bool = False,
        pause_s: float = 0.0,
        retry_s: float = 0.1,
    ) -> None:
        self.calls = calls
        self.answers = Answers()
        self.acknowledged: set[str] = set()
        self.ended_at = 0.0
        self._deployment = deployment
        self._twice = twice
        self._pause_s, self._retry_s = pause_s, retry_s
        self._chance = random.Random(seed)
        self._left = list(reversed(calls))
        self._lock = threading.Lock()
        self._failed: list[BaseException] = []
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(senders)]

    @contextmanager
    def running(self) -> Iterator[Burst]:
        """Sends for as long as the block and on, and returns when everything is acknowledged."""
        for thread in self._threads:
            thread.start()
        yield self
        self.finish()

    def finish(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE_S)
        if self._failed:
            raise self._failed[0]
        assert len(self.acknowledged) == len(self.calls), "not every call was acknowledged in time"
        self.ended_at = time.monotonic()

    def wait_for(self, share: float) -> None:
        """Until this share of the calls is acknowledged."""
        count = share * len(self.calls)
        wait_until(lambda: len(self.acknowledged) >= count, f"{share:.0%} of the calls were taken", every_s=0.002)

    def _send(self) -> None:
        try:
            while True:
                with self._lock:
                    if not self._left:
                        return
                    call = self._left.pop()
                    ports = self._chance.sample(self._deployment.ports, len(self._deployment.ports))
                if self._twice:
                    self._deliver_twice(call, ports)
                else:
                    self._deliver(call, ports)
                time.sleep(self._pause_s)
        except BaseException as error:
            self._failed.append(error)

    def _deliver_twice(self, call: Call, ports: list[int]) -> None:
        barrier = threading.Barrier(2)
        other = threading.Thread(target=self._deliver, args=(call, ports[::-1], barrier), daemon=True)
        other.start()
        self._deliver(call, ports, barrier)
        other.join(PATIENCE_S)

    def _deliver(self, call: Call, ports: list[int], together: threading.Barrier | None = None) -> None:
        """Until a web process acknowledges it; each try goes to the next one."""
        if together is not None:
            together.wait(PATIENCE_S)
        deadline = time.monotonic() + PATIENCE_S
        for turn in range(1_000_000):
            if self._try(call, ports[turn % len(ports)]):
                with self._lock:
                    self.acknowledged.add(call.external_id)
                return
            assert time.monotonic() < deadline, f"{call.external_id} was never acknowledged"
            time.sleep(self._retry_s)

    def _try(self, call: Call, port: int) -> bool:
        body = json.dumps({"type": "call.ended", "data": call.body})
        now = datetime.now(UTC)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": call.external_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(SOURCE_SECRET).sign(call.external_id, now, body),
        }
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
        try:
            connection.request("POST", self._deployment.webhook_path, body, headers)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            status, retry_after, said = 0, None, b""
        else:
            status, retry_after = answer.status, answer.getheader("Retry-After")
        finally:
            connection.close()
        with self._lock:
            self.answers.add(status, retry_after)
        assert status in (0, 200, 202) or status >= 500, f"{status}: {said[:300]!r}"
        return 200 <= status < 300
