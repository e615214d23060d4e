"""The labelled pairs: reading them, putting those about one call together, holding services out."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from postcall.judge.verdicts import Turn

# Whole trades that training never sees; temperature and thresholds are fitted on them.
HELD_OUT = ("Homes_", "Banks_", "RentalCars_", "Services_3", "media")


@dataclass(frozen=True)
class Question:
    condition: str
    met: bool
    kind: str


@dataclass(frozen=True)
class LabelledCall:
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]


def read(path: Path) -> list[dict[str, object]]:
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in text.splitlines()]


def turns_of(row: dict[str, object]) -> tuple[Turn, ...]:
    return tuple(
        Turn("customer" if t["role"] == "caller" else t["role"], t["text"])
        for t in row["transcript"]  # type: ignore[attr-defined]  # a JSON row
    )


def calls(rows: list[dict[str, object]]) -> list[LabelledCall]:
    """Pairs about the same call, cut at the same turn, become one labelled call."""
    together: dict[tuple[object, tuple[Turn, ...]], list[Question]] = defaultdict(list)
    for row in rows:
        question = Question(str(row["condition"]), bool(row["label"]), str(row["kind"]))
        together[row["dialogue_id"], turns_of(row)].append(question)
    return [LabelledCall(turns, tuple(questions)) for (_, turns), questions in together.items()]


def held_out(service: str) -> bool:
    return service.startswith(HELD_OUT)


def split(rows: list[dict[str, object]]) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """(for training, held out). A dialogue that touches a held-out service in any row is not trained on;
    the held-out part has only the rows about that service."""
    touched = {row["dialogue_id"] for row in rows if held_out(str(row["svc"]))}
    training = [row for row in rows if row["dialogue_id"] not in touched]
    return training, [row for row in rows if held_out(str(row["svc"]))]
