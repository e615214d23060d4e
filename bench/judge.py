"""What the offline judge costs on one core, in time and memory: python bench/judge.py [--model FOLDER] [--json]

How good it is, `postcall bench judge FILE` says.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

from postcall.judge.offline import OfflineJudge
from postcall.judge.verdicts import Case, Condition, Turn


def memory() -> dict[str, float]:
    """Proportional and resident memory of this process, in MB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return {
        name: int(line.split()[1]) / 1024
        for line in lines
        for name in ("Pss", "Rss")
        if line.startswith(f"{name}:")
    }


def cost(judge: OfflineJudge) -> dict[str, float]:
    """Loading, then a call of 30 turns with one condition and with five, then one of 3,000 turns."""
    said = (
        "I would like to come in on Tuesday at ten if that is possible.",
        "Let me have a look for you, one moment.",
    )
    call = [Turn(("customer", "agent")[n % 2], said[n % 2]) for n in range(30)]
    conditions = [Condition(str(n), f"After the caller books visit number {n}") for n in range(5)]
    before, started = memory(), time.perf_counter()
    judge.decide(Case(call, conditions[:1]))
    first, after = time.perf_counter() - started, memory()

    def milliseconds(case: Case) -> float:
        times = []
        for _ in range(15):
            begun = time.perf_counter()
            judge.decide(case)
            times.append(time.perf_counter() - begun)
        return 1000 * statistics.median(times)

    measured = {
        "first_decision_ms": 1000 * first,
        "pss_added_mb": after["Pss"] - before["Pss"],
        "rss_added_mb": after["Rss"] - before["Rss"],
        "ms_30_turns_1_condition": milliseconds(Case(call, conditions[:1])),
        "ms_30_turns_5_conditions": milliseconds(Case(call, conditions)),
    }
    begun = time.perf_counter()
    judge.decide(Case(call * 100, conditions[:1]))
    measured["ms_3000_turns"] = 1000 * (time.perf_counter() - begun)
    settled = memory()
    return {**measured, "pss_added_at_the_end_mb": settled["Pss"] - before["Pss"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="another model folder than the shipped one")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    measured = cost(OfflineJudge(arguments.model) if arguments.model else OfflineJudge())
    if arguments.json:
        print(json.dumps(measured, indent=2))
        return
    for name, value in measured.items():
        print(f"{name:26} {value:8.0f}")


if __name__ == "__main__":
    main()
