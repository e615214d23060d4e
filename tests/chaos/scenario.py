"""The frame of every scenario: calls come in, something is struck, and the ledger is looked at."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from .burst import Burst
from .clinic import Call, calls
from .deployment import Deployment
from .ledger import Ledger, Verdict
from .table import Row

Kind = Literal["parts", "up", "small disk"]


class Run:
    """One seed's run on a deployment."""

    def __init__(self, deployment: Deployment, seed: int, size: int) -> None:
        self.deployment = deployment
        self.seed = seed
        self.chance = random.Random(seed)
        self.tag = deployment.tag()
        self.calls: Sequence[Call] = calls(self.tag, size, seed, deployment.numbers(size))
        self.struck = 0

    def burst(self, *, twice: bool = False, spread_s: float = 0.0, senders: int = 8) -> Burst:
        """`spread_s`: about how long the burst is drawn out to, so that there is time to strike it."""
        pause_s = spread_s * senders / len(self.calls)
        return Burst(self.deployment, self.calls, self.seed, twice=twice, pause_s=pause_s, senders=senders)

    def moments(self, count: int) -> list[float]:
        """Shares of the burst at which to strike, in their order."""
        return sorted(self.chance.uniform(0.05, 0.95) for _ in range(count))

    def shortly(self, longest_s: float = 0.05) -> None:
        """A moment that nothing in the service is in step with."""
        time.sleep(self.chance.uniform(0, longest_s))

    def ledger(self) -> Ledger:
        return Ledger(self.deployment, self.tag, self.calls)

    def verdict(self, since: float | None = None) -> Verdict:
        return self.ledger().settled(time.monotonic() if since is None else since)


@dataclass(frozen=True)
class Scenario:
    """`strike` breaks the deployment of a run, mends it again and returns the verdict; it counts what happened in
    `run.struck`. `kind` is the deployment it needs."""

    name: str
    title: str
    strike: Callable[[Run], Verdict]
    kind: Kind = "parts"

    def run(self, deployment: Deployment, seed: int, size: int) -> Row:
        deployment.new_twilio(seed)
        run = Run(deployment, seed, size)
        verdict = self.strike(run)
        return Row(self.name, seed, verdict, run.struck)
