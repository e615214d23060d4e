"""kill -9 at random moments of a burst; what was killed is started again, as a supervisor would."""

from __future__ import annotations

import time
from collections.abc import Callable

from .ledger import Verdict
from .programs import Program
from .scenario import Run, Scenario
from .whole import Whole

_KILLS = 2
# Calls of which one kill is enough: each costs the start of a process.
_FEW = 30


def _killing(victims: Callable[[Run], list[Program]]) -> Callable[[Run], Verdict]:
    def strike(run: Run) -> Verdict:
        with run.burst(spread_s=1.0).running() as burst:
            for moment in run.moments(1 if len(run.calls) < _FEW else _KILLS):
                burst.wait_for(moment)
                run.shortly()
                chosen = victims(run)
                for program in chosen:
                    program.kill()
                run.struck += len(chosen)
                run.shortly(0.3)
                for program in chosen:
                    program.start()
            run.deployment.wait_until_ready()
        return run.verdict(burst.ended_at)

    return strike


def _one_web(run: Run) -> list[Program]:
    return [run.chance.choice(run.deployment.webs)]


def _one_worker(run: Run) -> list[Program]:
    return [run.chance.choice(run.deployment.workers)]


def _all(run: Run) -> list[Program]:
    return run.deployment.programs


def _everything(run: Run) -> Verdict:
    deployment = run.deployment
    with run.burst(spread_s=1.0).running() as burst:
        burst.wait_for(run.moments(1)[0])
        run.shortly()
        for program in deployment.programs:
            program.kill()
        run.struck = len(deployment.programs) + deployment.server.kill()
        deployment.server.start()
        for program in deployment.programs:
            program.start()
        deployment.wait_until_ready()
        back = time.monotonic()
    return run.verdict(max(back, burst.ended_at))


def _database(run: Run) -> Verdict:
    """`postcall up` brings its embedded database back by itself."""
    with run.burst(spread_s=2.0).running() as burst:
        for moment in run.moments(1 if len(run.calls) < _FEW else _KILLS):
            burst.wait_for(moment)
            run.shortly()
            if run.chance.random() < 0.5:
                run.struck += run.deployment.server.kill()
            else:
                run.struck += run.deployment.server.kill_postmaster()
    return run.verdict(burst.ended_at)


def _whole(run: Run) -> Verdict:
    """The machine's power fails, and comes back."""
    whole = run.deployment
    assert isinstance(whole, Whole)
    with run.burst(spread_s=1.0).running() as burst:
        burst.wait_for(run.moments(1)[0])
        run.shortly()
        run.struck = whole.kill_everything()
        whole.up.start()
        whole.wait_until_ready()
        back = time.monotonic()
    return run.verdict(max(back, burst.ended_at))


ALL = (
    Scenario("kill-web", "kill -9 of a web process", _killing(_one_web)),
    Scenario("kill-worker", "kill -9 of a worker", _killing(_one_worker)),
    Scenario("kill-both", "kill -9 of every web process and worker", _killing(_all)),
    Scenario("kill-everything", "kill -9 of everything at once, database included", _everything),
    Scenario("kill-database", "kill -9 of the embedded database under `postcall up`", _database, kind="up"),
    Scenario("kill-up", "kill -9 of `postcall up` and all it runs", _whole, kind="up"),
)
