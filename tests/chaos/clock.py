"""Clocks that are wrong, and texts whose time runs out. The database's clock only ends up later than it was, so
that what was put off meanwhile comes due."""

from __future__ import annotations

import time

from .ledger import Verdict
from .scenario import Run, Scenario
from .twilio import CUTS

_JUMPS = ("1 hour", "-1 hour", "1 day", "-1 day")


def _jumps(run: Run) -> Verdict:
    """Forwards and backwards under load, while some answers of Twilio are lost."""
    server = run.deployment.server
    run.deployment.sandbox.faults = CUTS
    start = server.ahead
    with run.burst(spread_s=1.5).running() as burst:
        for moment in run.moments(4):
            burst.wait_for(moment)
            run.shortly()
            server.set_clock(start, run.chance.choice(_JUMPS))
            run.struck += 1
    server.set_clock(start, "2 days")
    return run.verdict(burst.ended_at)


def _apart(run: Run) -> Verdict:
    """The machines' clocks and the database's differ all the time, and a worker is killed besides."""
    deployment = run.deployment
    deployment.sandbox.faults = CUTS
    start = deployment.server.ahead
    deployment.server.set_clock(start, run.chance.choice(_JUMPS))
    run.struck = 1
    with run.burst(spread_s=1.0).running() as burst:
        burst.wait_for(run.moments(1)[0])
        victim = run.chance.choice(deployment.workers)
        victim.kill()
        victim.start()
        deployment.wait_until_ready()
    verdict = run.verdict(burst.ended_at)
    deployment.server.set_clock(start, "2 days")
    return verdict


def _expired(run: Run) -> Verdict:
    """Twilio takes nothing until the texts' time is over: none may be sent late."""
    deployment = run.deployment
    deployment.sandbox.faults = {"refuse_429": 1.0, "retry_after_s": 0.0}
    with run.burst().running():
        pass
    while not (refused := deployment.sandbox.fired["refuse_429"]):
        time.sleep(0.02)
    run.struck = refused
    deployment.server.pass_time("2 hours")
    deployment.sandbox.faults = {}
    verdict = run.verdict()
    verdict.foreign += [f"sent late: {to}" for to, body in deployment.sandbox.creates if run.tag in body]
    assert all("expired" in line for line in verdict.held), verdict.held[:3]
    return verdict


ALL = (
    Scenario("clock-jumps", "the database's clock jumping by an hour and a day, both ways", _jumps),
    Scenario("clocks-apart", "the machines' clocks an hour or a day off the database's", _apart),
    Scenario("expired", "texts whose time runs out while Twilio refuses", _expired),
)
