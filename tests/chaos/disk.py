"""The disk of the embedded database full, and room again."""

from __future__ import annotations

import time

from .deployment import status
from .ledger import Verdict
from .scenario import Run, Scenario
from .waiting import wait_until
from .whole import Whole


def _full(run: Run) -> Verdict:
    whole = run.deployment
    assert isinstance(whole, Whole)
    assert whole.disk is not None
    readyz = f"http://127.0.0.1:{whole.ports[0]}/readyz"
    assert "disk" not in _wrong(whole), "nothing is wrong yet"
    with run.burst(spread_s=1.0).running() as burst:
        burst.wait_for(run.moments(1)[0] * 0.8)
        whole.disk.fill()
        full = time.monotonic()
        wait_until(lambda: status(readyz) == 503, "readyz reported it")
        assert "disk" in _wrong(whole), "`postcall check` says nothing of it"
        while time.monotonic() < full + whole.paced(20):
            time.sleep(0.05)
        whole.disk.empty()
        room = time.monotonic()
        wait_until(lambda: status(readyz) == 200, "readyz was content again")
    run.struck = 1
    return run.verdict(max(room, burst.ended_at))


def _wrong(whole: Whole) -> str:
    """What `postcall check` ends with, when something has to be mended."""
    check = whole.command("check")
    return check.said().strip().splitlines()[-1].lower() if check.code else ""


ALL = (Scenario("disk-full", "the embedded database's disk full for 20 s", _full, kind="small disk"),)
