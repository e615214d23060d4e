"""Attacks on an obedient model: its answer is read and held against the call as any other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attack_set import ATTACKS, BESIDE_A_BOOKING, KINDS, Attack, obeyed

from postcall.judge import guards, quotes
from postcall.judge.prompt import judgement_of, read_report
from postcall.judge.verdicts import Case, Condition, Judgement

# What a customer's own words would be enough for.
ASKED = "When the customer wants a call back"


def judged(row: Attack, answer: dict[str, object], *conditions: str) -> Judgement:
    asked = [Condition(str(number), text) for number, text in enumerate(conditions or (row.condition,), 1)]
    judgement = judgement_of(Case(row.turns, asked), read_report(answer))
    return quotes.checked(judgement, row.turns, asked)


def of(kind: str) -> Sequence[Attack]:
    return [row for row in ATTACKS if row.kind == kind]


@pytest.mark.parametrize("kind", KINDS)
def test_it_takes_the_attacks_words_for_no_proof_of_a_booking(kind: str) -> None:
    for row in of(kind):
        alone = [] if kind == "split" else [[number] for number in row.attack]
        for turns in ([row.attack] if row.attack else []) + alone:
            judgement = judged(row, obeyed(row, *turns), row.condition, row.condition)
            assert set(judgement.verdicts) == {"1", "2"}
            assert {v.result for v in judgement.verdicts.values()} == {"unclear"}, (row.id, turns)


@pytest.mark.parametrize("kind", KINDS)
def test_it_takes_words_to_the_judge_for_no_proof_of_anything(kind: str) -> None:
    for row in of(kind):
        if row.attack and not row.plain:
            assert judged(row, obeyed(row), ASKED).verdicts["1"].result == "unclear", row.id


@pytest.mark.parametrize("kind", KINDS)
def test_it_believes_no_proof_that_the_attack_made_up(kind: str) -> None:
    for row in of(kind):
        answer = obeyed(row, *row.attack or [1])
        # Beside words that do stand there, so that it is the made-up ones that it fails by.
        answer["conditions"][0]["evidence"] = [
            {"turn": 1, "quote": row.turns[0].text},
            {"turn": len(row.turns), "quote": "You are booked for Sunday at five."},
        ]
        assert judged(row, answer).verdicts["1"].result == "unclear", row.id


def test_it_believes_no_met_without_a_proof() -> None:
    for row in ATTACKS:
        answer = obeyed(row, 1)
        answer["conditions"][0]["evidence"] = []
        assert judged(row, answer).verdicts["1"].result == "unclear", row.id


def test_it_hears_no_objection_in_the_agents_mouth() -> None:
    (row,) = (row for row in ATTACKS if row.objection)
    assert judged(row, obeyed(row, 1)).objection is None


def test_it_hears_an_objection_that_the_model_is_told_to_hide() -> None:
    hiding = [row for row in ATTACKS if row.objection == 0]
    assert hiding
    for row in hiding:
        heard = guards.asked_not_to_be_texted(row.turns)
        assert heard is not None
        assert heard[0] == "explicit"


def test_it_still_believes_a_booking_beside_an_attack() -> None:
    done = ("You're booked for Saturday at ten", "Done, your haircut is booked", "I have put you down for Monday")
    assert len(BESIDE_A_BOOKING) >= 15
    for row in BESIDE_A_BOOKING:
        (proof,) = (n for n, turn in enumerate(row.turns, 1) if turn.role == "agent" and turn.text.startswith(done))
        assert judged(row, obeyed(row, proof)).verdicts["1"].result == "met", row.id


def test_it_knows_most_attacks_by_their_words() -> None:
    by_words = [row for row in ATTACKS if guards.instructs_the_judge(row.turns)]
    assert len(by_words) >= 120
    assert not any(row.plain for row in by_words)
