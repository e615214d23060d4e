"""The set that judges are measured on: its shape, its balance, and that it stays apart."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
JUDGING = ROOT / "bench" / "judging"
SLICES = {
    *("plain", "declined", "failed", "changed", "asked", "other", "promised", "refused_text", "transferred"),
    *("voicemail", "silent", "long", "other_language", "noise", "tool", "numbers", "absence", "several", "cut"),
}
KEYS = {"id", "dialogue_id", "trade", "slice", "hard", "condition", "label", "why", "transcript"}

Row = dict[str, Any]


@cache
def rows() -> list[Row]:
    return [json.loads(line) for line in (JUDGING / "held_apart.jsonl").read_text(encoding="utf-8").splitlines()]


def calls() -> dict[str, list[Row]]:
    found = defaultdict(list)
    for row in rows():
        found[row["dialogue_id"]].append(row)
    return found


def share_met(of: list[Row]) -> float:
    return sum(int(row["label"]) for row in of) / len(of)


def ends_abruptly(row: Row) -> bool:
    return not re.search(r"[.!?]$", row["transcript"][-1]["text"])


def test_it_has_rows_of_one_shape() -> None:
    for row in rows():
        assert set(row) - {"twin_of"} == KEYS, row["id"]
        assert row["slice"] in SLICES, row["id"]
        assert (type(row["hard"]), type(row["label"])) == (bool, int), row["id"]
        assert row["label"] in (0, 1), row["id"]
        assert row["trade"], row["id"]
        assert row["condition"].strip() == row["condition"] != "", row["id"]
        assert row["why"], row["id"]


def test_it_has_turns_that_somebody_said() -> None:
    for row in rows():
        for turn in row["transcript"]:
            assert set(turn) == {"role", "text"}, row["id"]
            assert turn["role"] in ("agent", "caller", "tool"), row["id"]
            assert turn["text"].strip() == turn["text"] != "", row["id"]


def test_it_is_as_large_and_as_wide_as_it_says() -> None:
    assert len(rows()) >= 600
    assert len(calls()) >= 120
    assert len({row["trade"] for row in rows()}) >= 40
    long = {row["dialogue_id"] for row in rows() if len(row["transcript"]) > 60}
    assert len(long) >= 6
    assert {row["dialogue_id"] for row in rows() if row["slice"] == "long"} <= long


def test_it_is_balanced_as_a_whole_and_in_every_slice() -> None:
    assert 0.40 <= share_met(rows()) <= 0.50
    for name in SLICES:
        of = [row for row in rows() if row["slice"] == name]
        assert len(of) >= 12, name
        assert 0.25 <= share_met(of) <= 0.70, name


def test_it_does_not_give_the_label_away_by_how_a_call_ends() -> None:
    """A judge that goes by "no goodbye, so not met" must not look good on it."""
    abrupt = [row for row in rows() if row["slice"] == "cut" and ends_abruptly(row)]
    assert {row["label"] for row in abrupt} == {0, 1}
    assert 0.25 <= share_met(abrupt) <= 0.75


def test_it_has_unique_ids_and_one_transcript_a_call() -> None:
    assert len({row["id"] for row in rows()}) == len(rows())
    for name, of in calls().items():
        assert all(row["id"].startswith(f"{name}-") for row in of)
        assert all(row["transcript"] == of[0]["transcript"] for row in of), name
        assert len({row["trade"] for row in of}) == 1, name


def test_it_asks_nothing_twice() -> None:
    asked = Counter((row["dialogue_id"], " ".join(row["condition"].lower().split())) for row in rows())
    assert [case for case, times in asked.items() if times > 1] == []
    said = Counter(json.dumps(of[0]["transcript"]) for of in calls().values())
    assert max(said.values()) == 1


def test_it_has_twins_that_flip_the_label_of_the_same_condition() -> None:
    labels = {(row["dialogue_id"], row["condition"]): row["label"] for row in rows()}
    flipped = {
        row["dialogue_id"]
        for row in rows()
        if "twin_of" in row and labels.get((row["twin_of"], row["condition"]), row["label"]) != row["label"]
    }
    assert flipped == {row["dialogue_id"] for row in rows() if "twin_of" in row}
    assert len(flipped) >= 30


def test_it_holds_no_phone_number_but_fictional_ones() -> None:
    for row in rows():
        for text in [row["condition"], row["why"], *(turn["text"] for turn in row["transcript"])]:
            for number in re.findall(r"\+?\d[\d ().-]{5,}\d", text):
                digits = re.sub(r"\D", "", number)
                assert len(digits) < 7 or "555" in digits, (row["id"], number)


def test_it_is_not_in_the_training_data() -> None:
    """Nobody trains on it: no script names it, and none of its longer turns stands in what was trained on."""
    written = [path.read_text(encoding="utf-8") for path in (ROOT / "training").glob("*") if path.is_file()]
    assert written
    assert not [text for text in written if "held_apart" in text]
    said = {turn["text"] for row in rows() for turn in row["transcript"] if len(turn["text"].split()) >= 8}
    trained_on = "\n".join(written)
    assert [text for text in said if text in trained_on] == []


def test_it_is_counted_right_in_its_readme() -> None:
    table = re.findall(r"^\| `(\w+)` \|.*\| (\d+) \| (\d+) \|$", (JUDGING / "README.md").read_text(), re.MULTILINE)
    counted = Counter(row["slice"] for row in rows())
    met = Counter(row["slice"] for row in rows() if row["label"])
    assert {(name, int(pairs), int(yes)) for name, pairs, yes in table} == {
        (name, counted[name], met[name]) for name in SLICES
    }
