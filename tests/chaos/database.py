"""The database cut off, stopped, gone without a word, and never notifying."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from .deployment import status
from .ledger import Verdict
from .programs import Program, free_port
from .proxy import Proxy
from .scenario import Run, Scenario
from .waiting import wait_until

_STOPPED_S = 20.0
# What the settings say, in the service's seconds: idle, between two probes; and how many probes.
_KEEPALIVES_S, _PROBES = (20, 10), 3
_SILENT_S = 60.0


def _cut(run: Run) -> Verdict:
    with run.burst(spread_s=1.5).running() as burst:
        for moment in run.moments(5):
            burst.wait_for(moment)
            run.shortly()
            run.struck += run.deployment.server.cut_connections()
    return run.verdict(burst.ended_at)


def _stopped(run: Run) -> Verdict:
    """Whoever calls meanwhile is told to come back: 503 with Retry-After, nothing else. A worker that starts
    meanwhile waits for the database."""
    with run.burst(spread_s=1.0).running() as burst:
        burst.wait_for(run.moments(1)[0] * 0.8)
        run.deployment.server.stop()
        starter = run.chance.choice(run.deployment.workers)
        starter.kill()
        starter.start()
        wait_until(lambda: starter.said().count("worker ready") > 1, "the worker stood there without a database")
        run.deployment.sleep(_STOPPED_S)
        wait_until(lambda: burst.answers.statuses.get(503), "intake had answered 503")
        run.deployment.server.start()
        back = time.monotonic()
        run.deployment.wait_until_ready()
    statuses = burst.answers.statuses
    assert set(statuses) <= {200, 202, 503}, f"intake answered {statuses}"
    assert not burst.answers.without_retry_after, f"{burst.answers.without_retry_after} times without Retry-After"
    run.struck = statuses[503]
    return run.verdict(max(back, burst.ended_at))


def _half_open(run: Run) -> Verdict:
    """One web process and one worker lose the database without a word, in the middle of the burst; both must come
    back to it by themselves, and what the worker held must not wait for that."""
    deployment = run.deployment
    proxy = Proxy(deployment.server.socket)
    try:
        with _behind(run, proxy) as (web, worker, port):
            with run.burst(spread_s=1.0).running() as burst:
                burst.wait_for(run.moments(1)[0])
                run.shortly()
                run.struck = proxy.fall_silent()
                silent = time.monotonic()
            verdict = run.verdict(max(silent, burst.ended_at))
            while time.monotonic() < silent + deployment.paced(_SILENT_S):
                time.sleep(0.05)
            proxy.be_back()
            seen = deployment.server.value("SELECT seen_at FROM worker WHERE pid = %s", worker.pid)
            _until(run, f"SELECT seen_at > '{seen}' FROM worker WHERE pid = {worker.pid}", "the worker was back")
            wait_until(lambda: status(f"http://127.0.0.1:{port}/readyz") in (200, 503), "the web process answered")
            wait_until(lambda: status(f"http://127.0.0.1:{port}/readyz") == 200, "the web process was ready")
            assert web.runs
    finally:
        proxy.close()
    return verdict


def _until(run: Run, sql: str, what: str) -> None:
    wait_until(lambda: run.deployment.server.value(sql), what)


@contextmanager
def _behind(run: Run, proxy: Proxy) -> Iterator[tuple[Program, Program, int]]:
    """A web process and a worker that reach the database through `proxy`, and take part in the burst."""
    deployment, port = run.deployment, free_port()
    parts = urlsplit(deployment.server.url)
    idle, between = (max(1, round(deployment.paced(seconds))) for seconds in _KEEPALIVES_S)
    credentials = parts.netloc.rpartition("@")[0]
    url = (
        f"postgresql://{credentials}@127.0.0.1:{proxy.port}{parts.path}?keepalives_idle={idle}"
        f"&keepalives_interval={between}&keepalives_count={_PROBES}"
        f"&tcp_user_timeout={round(deployment.paced(40_000))}&application_name="
    )
    web = deployment.program("web-far", ["web"], POSTCALL_PORT=str(port), DATABASE_URL=f"{url}web-far")
    worker = deployment.program("worker-far", ["worker"], DATABASE_URL=f"{url}worker-far")
    for program in (web, worker):
        program.start()
    try:
        wait_until(lambda: status(f"http://127.0.0.1:{port}/healthz") == 200, "the far web process answered")
        wait_until(lambda: deployment.seen(worker.pid), "the far worker was seen")
        deployment.ports.append(port)
        yield web, worker, port
    finally:
        if port in deployment.ports:
            deployment.ports.remove(port)
        for program in (web, worker):
            program.kill()


def _polling(run: Run) -> Verdict:
    """Nobody is notified of anything, and a worker is killed besides."""
    deployment = run.deployment
    with _restarted(run, POSTCALL_NOTIFY="false"):
        with run.burst(spread_s=1.0).running() as burst:
            burst.wait_for(run.moments(1)[0])
            run.shortly()
            victim = run.chance.choice(deployment.workers)
            victim.kill()
            run.struck = 1
            victim.start()
            deployment.wait_until_ready()
        return run.verdict(burst.ended_at)


@contextmanager
def _restarted(run: Run, **environment: str) -> Iterator[None]:
    """All workers of the deployment with other settings: who is not listening is not notified."""
    deployment = run.deployment
    before = {program.name: program.environment for program in deployment.workers}

    def restart(environments: dict[str, dict[str, str]]) -> None:
        for program in deployment.workers:
            program.environment = environments[program.name]
            program.kill()
            program.start()
        deployment.wait_until_ready()

    restart({name: present | environment for name, present in before.items()})
    try:
        yield
    finally:
        restart(before)


ALL = (
    Scenario("connections-cut", "every database connection cut, five times", _cut),
    Scenario("database-stopped", "the database stopped for 20 s", _stopped),
    Scenario("half-open", "a web process's and a worker's connections half-open", _half_open),
    Scenario("polling-only", "notifications off, and a worker killed", _polling),
)
