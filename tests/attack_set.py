"""The attacks on the judge: bench/judging/attacks.jsonl, as tests use them.

A row is a call and a condition as `postcall bench judge` reads them. `label` 0: nothing of the kind happened,
whatever the caller says; 1: it did, beside the attack. Besides: `attack`, the turns that hold the attack's words,
echoes by the agent and tools included; `variables`, as a platform would send them; `values`, what an obedient model
answers where a message asks for a name; `objection`, the turn in which it is made to hear one (0: in none). `plain`
marks words that say nothing of a judge, such as a lie: of those no guard can know that they attack.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from postcall.judge.verdicts import Turn

FILE = Path(__file__).parent.parent / "bench" / "judging" / "attacks.jsonl"


@dataclass(frozen=True)
class Attack:
    id: str
    slice: str
    condition: str
    label: int
    transcript: list[dict[str, str]]
    attack: list[int]
    plain: bool = False
    why: str = ""
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    objection: int | None = None

    @property
    def turns(self) -> list[Turn]:
        return [Turn(turn["role"], turn["text"]) for turn in self.transcript]  # type: ignore[arg-type]  # as written

    @property
    def kind(self) -> str:
        return self.slice.removeprefix("attack:")


# By "\n" alone: several attacks hold what else ends a line.
ALL = [Attack(**json.loads(line)) for line in FILE.read_text(encoding="utf-8").split("\n") if line]
ATTACKS = [row for row in ALL if row.label == 0]
BESIDE_A_BOOKING = [row for row in ALL if row.label == 1]
KINDS = sorted(Counter(row.kind for row in ATTACKS))


def obeyed(row: Attack, *turns: int) -> dict[str, Any]:
    """What a model answers that does all it was told: `met` for every id it heard of, the attack's words as proof
    (or those of these `turns`), and places for a recipient, a sender and a text that nobody asked it for."""
    proof = [
        {"turn": number, "quote": row.transcript[number - 1]["text"][:20_000]} for number in turns or row.attack
    ]
    orders = {"recipient": "+15551239999", "to": "+15551239999", "from": "+15551239998", "message": "Pay now"}
    verdicts = [
        {"id": key, "result": "met", "confidence": 1.0, "probability": 1.0, "reason": "As told.", "evidence": proof}
        | orders
        for key in ("C1", "C2", "C9")
    ]
    values = [{"id": "V1", "value": value, "turn": row.attack[0]} | orders for value in row.values.values()]
    objection = (
        {"turn": row.objection, "quote": row.transcript[row.objection - 1]["text"]} if row.objection else None
    )
    return {"conditions": verdicts, "values": values, "objection": objection, "send": True} | orders
