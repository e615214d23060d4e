"""The fault matrix in little: one seed of every fault, on real processes. `make chaos` runs the whole of it.

Two deployments are broken at the same time, each by one fault after another, since most of a run is waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from .running import running
from .scenario import Kind, Scenario
from .scenarios import SCENARIOS
from .small_disk import can_mount
from .table import Row

pytestmark = pytest.mark.timeout(900)

CALLS = 16
PACE = 0.05
# Seconds, before the pace, at which Twilio's list is read: sooner than in earnest.
DELAYS = "10,25,35,45"
SEEDS = (1,)
# What they break is broken by `twilio-everything` and `kill-everything` too.
ONLY_IN_THE_WHOLE_MATRIX = {
    "twilio-refuses",
    "twilio-fails",
    "twilio-cuts",
    "twilio-hangs",
    "twilio-list-lags",
    "twilio-list-fails",
    "kill-both",
    "kill-up",
}
NAMES = [name for name in SCENARIOS if name not in ONLY_IN_THE_WHOLE_MATRIX]

Job = tuple[Scenario, int]


class Lane(threading.Thread):
    """Runs jobs one after another on one deployment, and keeps what came of each."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        super().__init__(name=f"chaos {kind}")
        self.jobs: dict[Job, Future[Row]] = {}
        self._kind, self._folder = kind, folder

    def run(self) -> None:
        try:
            with running(self._kind, self._folder, pace=PACE, delays=DELAYS) as deployment:
                for (scenario, seed), row in self.jobs.items():
                    try:
                        row.set_result(scenario.run(deployment, seed, CALLS))
                    except Exception as error:
                        row.set_exception(error)
        except BaseException as error:
            for row in self.jobs.values():
                if not row.done():
                    row.set_exception(error)


@pytest.fixture(scope="module")
def rows(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Job, Future[Row]]]:
    """What comes of every run that was asked for."""
    whole: Kind = "small disk" if can_mount() else "up"
    lanes = [Lane(kind, tmp_path_factory.mktemp("c")) for kind in ("parts", "parts", whole)]
    for job in _asked_for(request.session):
        lane = lanes[2] if job[0].kind != "parts" else min(lanes[:2], key=lambda lane: len(lane.jobs))
        lane.jobs[job] = Future()
    together = [lane for lane in lanes if lane.jobs]
    for lane in together:
        lane.start()
    yield {job: row for lane in lanes for job, row in lane.jobs.items()}
    for lane in together:
        lane.join()


def _asked_for(session: pytest.Session) -> Iterator[Job]:
    for item in session.items:
        if isinstance(item, pytest.Function) and item.function is test_it_neither_loses_nor_doubles_a_text:
            given: dict[str, Any] = item.callspec.params
            yield SCENARIOS[given["name"]], given["seed"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_it_neither_loses_nor_doubles_a_text(name: str, seed: int, rows: dict[Job, Future[Row]]) -> None:
    scenario = SCENARIOS[name]
    if scenario.kind == "small disk" and not can_mount():
        pytest.skip("only root may mount the small file system that is filled")
    row = rows[scenario, seed].result()
    print(row)
    assert row.struck, "the fault never struck"
    assert row.verdict.clean, str(row)
