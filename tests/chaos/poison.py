"""A call that kills whoever works it."""

from __future__ import annotations

import time

from .ledger import Verdict
from .scenario import Run, Scenario
from .waiting import PATIENCE_S

# Beginnings without an end before a row is set aside.
_MAX_STARTS = 5


def _kills_its_worker(run: Run) -> Verdict:
    """Whenever a worker is about to commit what it decided about one call, it dies: the call is set aside in the
    end, with a reason, and every other one flows on."""
    deployment, server = run.deployment, run.deployment.server
    poison = run.chance.choice(run.calls)
    word = poison.body["variables"]["collected"]["word"]
    server.gate("follow_up", "INSERT", column="body", value=f"%{word}%")
    try:
        with server.shut_gate(), run.burst(spread_s=0.5).running() as burst:
            deadline = time.monotonic() + PATIENCE_S
            while not _set_aside(run, poison.external_id) and time.monotonic() < deadline:
                _kill_who_came(run)
                time.sleep(0.02)
    finally:
        server.ungate("follow_up")
    deployment.wait_until_ready()
    verdict = run.verdict(burst.ended_at)
    assert run.struck == _MAX_STARTS, f"killed {run.struck} workers before it was set aside"
    assert len(verdict.held) == len(poison.texts), f"held: {verdict.held}"
    held = deployment.ask("GET", "/follow-ups?reason=set_aside&outcome=held&limit=100")["items"]
    assert poison.external_id in {item["call"]["external_id"] for item in held}, "nobody is told"
    return verdict


def _kill_who_came(run: Run) -> None:
    for name in run.deployment.server.at_the_gate():
        for worker in run.deployment.workers:
            if worker.name == name:
                worker.kill()
                # The server sees only at its next word to it that nobody listens any more.
                run.deployment.server.cut_connections(name)
                run.struck += 1
                worker.start()


def _set_aside(run: Run, external_id: str) -> bool:
    return bool(
        run.deployment.server.value(
            "SELECT count(*) FROM call c JOIN follow_up f ON f.call_id = c.id"
            " WHERE c.external_id = %s AND f.reason = 'set_aside'",
            external_id,
        )
    )


ALL = (Scenario("kills-its-worker", "a call that kills its worker each time", _kills_its_worker),)
