"""One run of one scenario as a row, and many rows as the table of docs/reliability.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from .ledger import Verdict

COLUMNS = (
    "fault",
    "runs",
    "calls",
    "texts",
    "lost",
    "doubled",
    "not sent, with a reason",
    "seconds to recover: median, most",
    "struck",
)


@dataclass(frozen=True)
class Row:
    """`struck`: how often the fault really happened, in the words of the scenario."""

    scenario: str
    seed: int
    verdict: Verdict
    struck: int

    def __str__(self) -> str:
        return f"{self.scenario}, seed {self.seed}, struck {self.struck} times: {self.verdict}"


def markdown(rows: Iterable[Row], titles: dict[str, str], options: str) -> str:
    """The table, a line a scenario, and the commands that reproduce each."""
    by_scenario: dict[str, list[Row]] = {}
    for row in rows:
        by_scenario.setdefault(row.scenario, []).append(row)
    lines = [_cells(COLUMNS), "|" + "---|" * len(COLUMNS)]
    lines += [_line(titles[name], found) for name, found in by_scenario.items()]
    lines += ["", *(f"    python -m tests.chaos {options} --only {name}" for name in by_scenario)]
    return "\n".join(lines) + "\n"


def _line(title: str, rows: list[Row]) -> str:
    seconds = [row.verdict.seconds for row in rows]
    cells = [
        title,
        len(rows),
        sum(row.verdict.calls for row in rows),
        sum(row.verdict.messages for row in rows),
        sum(len(row.verdict.lost) for row in rows),
        sum(len(row.verdict.doubled) + len(row.verdict.foreign) for row in rows),
        sum(len(row.verdict.held) for row in rows),
        f"{statistics.median(seconds):.1f}, {max(seconds):.1f}",
        sum(row.struck for row in rows),
    ]
    return _cells(cells)


def _cells(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
