"""Clocks that are wrong, and texts whose time runs out. The database's clock only ends up later than it was, so
that what was put off meanwhile comes due."""

from __future__ import annotations

from .ledger import Verdict
from .scenario import Run, Scenario
from .twilio import CUTS
from .waiting import wait_until

_FAR = ("1 hour", "1 day")
_OFF = ("1 hour", "-1 hour", "1 day", "-1 day")
# A process carries on what it read of the database's clock for not quite so long, as the service counts.
_READ_ANEW_S = 2.5
_FENCE_S = 12.0


def _jumps(run: Run) -> Verdict:
    """Forwards, back and forwards again under load, while some answers of Twilio are lost."""
    server = run.deployment.server
    run.deployment.sandbox.faults = CUTS
    start, far = server.ahead, run.chance.choice(_FAR)
    with run.burst(spread_s=2.0).running() as burst:
        for share, jump in zip((0.2, 0.5, 0.8), (far, "0", far), strict=True):
            burst.wait_for(share)
            run.shortly()
            server.set_clock(start, jump)
            run.struck += 1
    return run.verdict(burst.ended_at)


def _apart(run: Run) -> Verdict:
    """The machines' clocks and the database's differ all the time, and a worker is killed besides."""
    deployment = run.deployment
    deployment.sandbox.faults = CUTS
    start = deployment.server.ahead
    deployment.server.set_clock(start, run.chance.choice(_OFF))
    deployment.sleep(_READ_ANEW_S)
    run.struck = 1
    with run.burst(spread_s=1.0).running() as burst:
        burst.wait_for(run.moments(1)[0])
        victim = run.chance.choice(deployment.workers)
        victim.kill()
        victim.start()
        deployment.wait_until_ready()
    verdict = run.verdict(burst.ended_at)
    deployment.server.set_clock(start, "2 days")
    deployment.sleep(_READ_ANEW_S)
    return verdict


def _expired(run: Run) -> Verdict:
    """Twilio takes nothing until the texts' time is over: none may be sent late."""
    deployment = run.deployment
    deployment.sandbox.faults = {"refuse_429": 1.0, "retry_after_s": 0.0}
    with run.burst().running():
        pass
    texts = sum(len(call.texts) for call in run.calls)
    wait_until(lambda: deployment.sandbox.fired["refuse_429"] >= texts, "every text was refused")
    deployment.server.pass_time("2 hours")
    # What was claimed before that may still begin, as long as the fence allows.
    deployment.sleep(_FENCE_S)
    run.struck = deployment.sandbox.fired["refuse_429"]
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
