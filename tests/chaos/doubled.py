"""Everything is delivered twice: at the same instant to two web processes, and all of it again an hour later."""

from __future__ import annotations

from .ledger import Verdict
from .scenario import Run, Scenario


def _twice(run: Run) -> Verdict:
    with run.burst(twice=True).running() as burst:
        pass
    first = run.verdict(burst.ended_at)
    run.deployment.server.pass_time("1 hour")
    with run.burst(twice=True).running() as again:
        pass
    run.struck = 3 * len(run.calls)
    verdict = run.verdict(again.ended_at)
    verdict.seconds = first.seconds
    return verdict


ALL = (Scenario("delivered-twice", "every webhook twice at the same instant, and again an hour later", _twice),)
