"""A worker that is stopped (SIGSTOP) until others have taken its work, and then goes on as if nothing had been."""

from __future__ import annotations

import signal
import time

from .ledger import Verdict
from .programs import Program
from .scenario import Run, Scenario
from .waiting import wait_until

# The lease of an attempt, in the service's seconds, and some more for whoever takes over.
_PAST_EVERY_LEASE_S = 90.0


def _between_claim_and_request(run: Run) -> Verdict:
    """Every thread of one worker is brought to the commit of a claim; there the worker is stopped, and the commits
    are let through. So the attempts stand in the tables, and not one request has been made."""
    deployment, server = run.deployment, run.deployment.server
    victim = run.chance.choice(deployment.workers)
    server.gate("attempt", "INSERT", victim.name)
    try:
        with server.shut_gate():
            with run.burst().running():
                wait_until(server.at_the_gate, "a claim stood at the gate")
                run.shortly(0.5)
                victim.signal(signal.SIGSTOP)
            run.struck = len(server.at_the_gate())
        stopped = time.monotonic()
    finally:
        server.ungate("attempt")
    return _taken_over(run, victim, stopped)


def _taken_over(run: Run, victim: Program, stopped: float) -> Verdict:
    """What the others make of it while one is stopped, and whether it changes anything when it goes on."""
    verdict = run.ledger().settled(stopped)
    victim.signal(signal.SIGCONT)
    _until_it_beats(run, victim)
    run.deployment.sleep(10)
    after = run.verdict()
    after.seconds = verdict.seconds
    after.lost += [f"while stopped: {line}" for line in verdict.lost]
    return after


def _until_it_beats(run: Run, worker: Program) -> None:
    seen = "SELECT max(seen_at) FROM worker WHERE pid = %s"
    before = run.deployment.server.value(seen, worker.pid)
    wait_until(
        lambda: run.deployment.server.value(seen, worker.pid) != before, f"{worker.name} gave a sign of life"
    )


def _at_random(run: Run) -> Verdict:
    victim = run.chance.choice(run.deployment.workers)
    with run.burst(spread_s=1.0).running() as burst:
        burst.wait_for(run.moments(1)[0])
        run.shortly()
        victim.signal(signal.SIGSTOP)
        run.struck = 1
        stopped = time.monotonic()
        run.deployment.sleep(_PAST_EVERY_LEASE_S)
        burst.wait_for(1.0)
    return _taken_over(run, victim, max(stopped, burst.ended_at))


ALL = (
    Scenario("stopped-before-request", "worker stopped between claim and request", _between_claim_and_request),
    Scenario("stopped-at-random", "worker stopped at a random moment, past every lease", _at_random),
)
