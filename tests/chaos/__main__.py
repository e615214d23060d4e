"""The fault matrix: `python -m tests.chaos --seeds 20 --pace 0.1 [--only NAME] [--calls 300] [--markdown FILE]`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("POSTCALL_SECRET_KEY", "a-key-of-the-chaos-only-0123456789")

from .running import running
from .scenario import Scenario
from .scenarios import SCENARIOS
from .table import Row, markdown


def main() -> int:
    given = _arguments()
    chosen = [scenario for name, scenario in SCENARIOS.items() if not given.only or name in given.only]
    # Ended from outside, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    rows = [row for scenario in chosen for row in _runs(scenario, given)]
    options = f"--seeds {given.seeds} --calls {given.calls} --pace {given.pace:g}"
    options += f" --delays {given.delays}" if given.delays else ""
    text = markdown(rows, {name: scenario.title for name, scenario in SCENARIOS.items()}, options)
    print(text)
    if given.markdown:
        given.markdown.write_text(text)
    return 0 if all(row.verdict.clean for row in rows) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Breaks Postcall on purpose.")
    parser.add_argument("--seeds", type=int, default=20, help="runs of each scenario [20]")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--calls", type=int, default=300, help="calls a run [300]")
    parser.add_argument("--pace", type=float, default=0.1, help="factor on every wait of the service [0.1]")
    parser.add_argument("--only", nargs="*", choices=list(SCENARIOS), metavar="NAME", help=", ".join(SCENARIOS))
    parser.add_argument("--delays", help="POSTCALL_RECONCILE_DELAYS, before the pace [the service's own]")
    parser.add_argument("--markdown", type=Path, help="write the table there as well")
    return parser.parse_args()


def _runs(scenario: Scenario, given: argparse.Namespace) -> list[Row]:
    """All seeds of one scenario on one deployment."""
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="postcall-chaos-", ignore_cleanup_errors=True) as folder,
        running(scenario.kind, Path(folder), pace=given.pace, delays=given.delays) as deployment,
    ):
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            row = scenario.run(deployment, seed, given.calls)
            print(f"{datetime.now(UTC):%H:%M:%S} {row}", flush=True)
            rows.append(row)
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
