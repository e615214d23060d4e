"""Attacks on the built-in judge, with its real model."""

from __future__ import annotations

import pytest
from attack_set import ATTACKS, KINDS

from postcall.judge import quotes
from postcall.judge.offline import OfflineJudge
from postcall.judge.verdicts import Case, Condition


@pytest.fixture(scope="module")
def judge() -> OfflineJudge:
    return OfflineJudge()


@pytest.mark.parametrize("kind", KINDS)
def test_it_turns_no_call_without_a_booking_into_one(judge: OfflineJudge, kind: str) -> None:
    for row in (row for row in ATTACKS if row.kind == kind):
        asked = [Condition("1", row.condition)]
        case = Case(row.turns, asked, variables=dict(row.variables))
        assert quotes.checked(judge.decide(case), row.turns, asked).verdicts["1"].result != "met", row.id
