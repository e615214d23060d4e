"""Turns labelled dialogues into calls that `postcall ingest` takes.

    python bench/dialogues.py FILE --count 200 --out DIR [--seed 1] [--agent ID] [--jsonl]

FILE is JSON lines, gzipped or not, each with `condition`, `label` (1: it was met) and `transcript`, a list of
{"role": "agent" | "caller", "text"}. Rows with the same transcript are one call. DIR gets one file a call (or
calls.jsonl, one call a line) and conditions.json: external id -> [{"condition", "label"}].
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SECONDS_A_WORD = 0.4
PAUSE_S = 0.8
AREAS = ("212", "213", "303", "305", "312", "404", "415", "503", "512", "602", "617", "702")
AGENT_NUMBER = "+12125550180"  # no customer has it: their numbers end below 80
ROLES = {"agent": "agent", "caller": "customer"}


@dataclass
class Dialogue:
    """One transcript and every condition that somebody labelled for it."""

    turns: list[dict[str, str]]
    conditions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def external_id(self) -> str:
        """Follows from the words alone, so that another run makes duplicates, not new calls."""
        return "dialogue-" + hashlib.sha256(json.dumps(self.turns).encode()).hexdigest()[:16]


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON lines file, gzipped when its name says so."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def dialogues(path: Path) -> list[Dialogue]:
    """Every dialogue of the file once, in its order."""
    found: dict[str, Dialogue] = {}
    for row in rows(path):
        key = json.dumps(row["transcript"])
        dialogue = found.setdefault(key, Dialogue(row["transcript"]))
        dialogue.conditions.append({"condition": row["condition"], "label": row["label"]})
    return list(found.values())


def call(dialogue: Dialogue, place: int, agent: str, now: datetime) -> dict[str, Any]:
    """The body of POST /calls; `place` in the sample gives the call its number and its time."""
    transcript, at = [], 0.5
    for turn in dialogue.turns:
        transcript.append({"role": ROLES[turn["role"]], "text": turn["text"], "at": round(at, 1)})
        at += PAUSE_S + SECONDS_A_WORD * len(turn["text"].split())
    ended_at = now - timedelta(seconds=place)
    return {
        "external_id": dialogue.external_id,
        "agent": agent,
        "direction": "inbound",
        "customer_number": fictional_number(place),
        "agent_number": AGENT_NUMBER,
        "started_at": (ended_at - timedelta(seconds=round(at))).isoformat(),
        "ended_at": ended_at.isoformat(),
        "end_reason": "customer_hung_up",
        "connected": True,
        "transcript": transcript,
    }


def fictional_number(place: int) -> str:
    """One of the numbers that nobody has, +1 AAA 555 01NN; NN stays under 80, where the sandbox delivers."""
    return f"+1{AREAS[place // 80 % len(AREAS)]}55501{place % 80:02d}"


def write(calls: list[dict[str, Any]], conditions: dict[str, list[dict[str, Any]]], out: Path, jsonl: bool) -> None:
    """Writes the calls and what they are labelled with."""
    out.mkdir(parents=True, exist_ok=True)
    if jsonl:
        lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in calls)
        (out / "calls.jsonl").write_text(lines, encoding="utf-8")
    else:
        (out / "calls").mkdir(exist_ok=True)
        for old in (out / "calls").glob("dialogue-*.json"):
            old.unlink()
        for one in calls:
            text = json.dumps(one, ensure_ascii=False, indent=1)
            (out / "calls" / f"{one['external_id']}.json").write_text(text + "\n", encoding="utf-8")
    text = json.dumps(conditions, ensure_ascii=False, indent=1)
    (out / "conditions.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Turns labelled dialogues into calls.")
    parser.add_argument("file", type=Path, metavar="FILE", help="JSON lines, gzipped or not")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--count", type=int, default=200, help="how many dialogues, drawn at random (200)")
    parser.add_argument("--seed", type=int, default=1, help="another seed draws others (1)")
    parser.add_argument("--agent", default="dialogues", metavar="ID", help="the agent's external id (dialogues)")
    parser.add_argument("--jsonl", action="store_true", help="one file, one call a line")
    asked = parser.parse_args()

    try:
        known = dialogues(asked.file)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"{asked.file} cannot be read as dialogues: {error!r}")
    drawn = random.Random(asked.seed).sample(known, min(asked.count, len(known)))
    now = datetime.now(UTC).replace(microsecond=0)
    calls = [call(dialogue, place, asked.agent, now) for place, dialogue in enumerate(drawn)]
    write(calls, {dialogue.external_id: dialogue.conditions for dialogue in drawn}, asked.out, asked.jsonl)
    pairs = sum(len(dialogue.conditions) for dialogue in drawn)
    print(f"{len(calls)} calls with {pairs} labelled conditions in {asked.out}")


if __name__ == "__main__":
    main()
