"""How good the offline judge is on labelled calls: python bench/judge.py FILE.jsonl[.gz] [--limit N] [--json]

A line of FILE is {"condition", "label": 0 or 1, "transcript": [{"role": "agent" | "caller" | "tool", "text"}]},
with "kind" and "slice" where there are any.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from postcall.judge.offline import OfflineJudge
from postcall.judge.verdicts import Case, Condition, Turn, Verdict

BINS = 10


@dataclass(frozen=True)
class Decided:
    row: dict[str, object]
    met: bool
    verdict: Verdict
    seconds: float

    @property
    def probability(self) -> float:
        return 0.5 if self.verdict.probability is None else self.verdict.probability

    @property
    def said_met(self) -> bool:
        """What the judge says where it has to: its result, or the likelier one."""
        return (self.verdict.likelier or self.verdict.result) == "met"


def rows(path: Path) -> list[dict[str, object]]:
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in text.splitlines()]


def turns(row: dict[str, object]) -> list[Turn]:
    said = row["transcript"]
    assert isinstance(said, list)
    return [Turn("customer" if turn["role"] == "caller" else turn["role"], turn["text"]) for turn in said]


def decide(judge: OfflineJudge, row: dict[str, object]) -> Decided:
    started = time.perf_counter()
    judgement = judge.decide(Case(turns(row), [Condition("c", str(row["condition"]))]))
    return Decided(row, bool(row["label"]), judgement.verdicts["c"], time.perf_counter() - started)


def share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def at_least(right: int, of: int) -> float:
    """Wilson's lower bound, 95 %, one-sided."""
    if not of:
        return float("nan")
    z, p = 1.645, right / of
    middle = p + z * z / (2 * of)
    return (middle - z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))) / (1 + z * z / of)


def auroc(decided: Sequence[Decided]) -> float:
    met = [d.probability for d in decided if d.met]
    unmet = [d.probability for d in decided if not d.met]
    wins = sum((p > q) + 0.5 * (p == q) for p in met for q in unmet)
    return wins / (len(met) * len(unmet)) if met and unmet else float("nan")


def calibration_error(decided: Sequence[Decided]) -> float:
    bins: list[list[Decided]] = [[] for _ in range(BINS)]
    for d in decided:
        bins[min(BINS - 1, int(d.probability * BINS))].append(d)
    gaps = (
        len(b) * abs(statistics.mean(d.probability for d in b) - statistics.mean(d.met for d in b))
        for b in bins
        if b
    )
    return sum(gaps) / len(decided)


def figures(decided: Sequence[Decided]) -> dict[str, float]:
    true_met = sum(d.met and d.said_met for d in decided)
    said_met = sum(d.said_met for d in decided)
    precision, recall = share(true_met, said_met), share(true_met, sum(d.met for d in decided))
    sent = [d for d in decided if d.verdict.result == "met"]
    dropped = [d for d in decided if d.verdict.result == "not_met"]
    right_sent = sum(d.met for d in sent)
    return {
        "pairs": len(decided),
        "accuracy": share(sum(d.met == d.said_met for d in decided), len(decided)),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0,
        "auroc": auroc(decided),
        "ece": calibration_error(decided),
        "decided": share(len(sent) + len(dropped), len(decided)),
        "sent": len(sent),
        "right_of_sent": share(right_sent, len(sent)),
        "right_of_sent_at_least": at_least(right_sent, len(sent)),
        "sent_of_met": share(right_sent, sum(d.met for d in decided)),
        "dropped": len(dropped),
        "right_of_dropped": share(sum(not d.met for d in dropped), len(dropped)),
        "ms_p50": 1000 * statistics.median(d.seconds for d in decided),
        "ms_mean": 1000 * statistics.mean(d.seconds for d in decided),
    }


def by(decided: Iterable[Decided], key: str) -> dict[str, list[Decided]]:
    groups: dict[str, list[Decided]] = {}
    for d in decided:
        if key in d.row:
            groups.setdefault(str(d.row[key]), []).append(d)
    return dict(sorted(groups.items()))


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
    """One core: loading, then a call of 30 turns with one condition and with five."""
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


def line(name: str, f: dict[str, float]) -> str:
    return (
        f"{name:20} n {f['pairs']:5.0f}  acc {f['accuracy']:.3f}  P {f['precision']:.3f}  R {f['recall']:.3f}  "
        f"F1 {f['f1']:.3f}  AUROC {f['auroc']:.3f}  ECE {f['ece']:.3f}  decided {f['decided']:.2f}  "
        f"sent {f['sent']:4.0f} right {f['right_of_sent']:.3f} (at least {f['right_of_sent_at_least']:.3f}, "
        f"{f['sent_of_met']:.2f} of met)  not sent {f['dropped']:4.0f} "
        f"right {f['right_of_dropped']:.3f}  {f['ms_p50']:.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--model", type=Path, help="another model folder than the shipped one")
    parser.add_argument("--json", action="store_true", help="one JSON object in place of the table")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    judge = OfflineJudge(arguments.model) if arguments.model else OfflineJudge()
    running = cost(judge)
    decided = [decide(judge, row) for row in rows(arguments.file)[: arguments.limit]]
    slices = {"all": decided} | {f"{key} {k}": g for key in ("kind", "slice") for k, g in by(decided, key).items()}
    table = {name: figures(group) for name, group in slices.items()}
    if arguments.json:
        print(json.dumps({"cost": running, "figures": table}, indent=2))
        return
    for name, f in table.items():
        print(line(name, f))
    print("  ".join(f"{name} {value:.0f}" for name, value in running.items()))


if __name__ == "__main__":
    main()
