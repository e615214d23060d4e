"""Quotes: verbatim, white space aside, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcall.judge.quotes import checked, found
from postcall.judge.verdicts import Answer, Condition, Evidence, Judgement, Turn, Verdict

TURNS = (
    Turn("agent", "Northgate Clinic,  how can\nI help?"),
    Turn("customer", "I'd like a cleaning - tomorrow at three."),
    Turn("agent", "Tomorrow at three. You are “booked”."),
)


@pytest.mark.parametrize(
    "quote", ["how can I help?", "how  can\tI help?", " Clinic, how can", "Northgate\u00a0Clinic"]
)
def test_it_looks_past_white_space(quote: str) -> None:
    assert found(Evidence(1, quote), TURNS)


@pytest.mark.parametrize(
    "quote",
    ["I’d like", "cleaning — tomorrow", "cleaning – tomorrow", "I'd Like a", "I'd like cleaning", "at three",
     "…", "", "   ", ".", "I'd … tomorrow", "a cleaning-tomorrow", "clean\u200bing"],
)  # fmt: skip
def test_it_looks_past_nothing_else(quote: str) -> None:
    stands = found(Evidence(2, quote), TURNS)
    assert (stands is not None) is (quote == "at three")


def test_it_keeps_typographic_marks_that_were_said() -> None:
    assert found(Evidence(3, "You are “booked”."), TURNS)
    assert not found(Evidence(3, 'You are "booked".'), TURNS)


@pytest.mark.parametrize("turn", [1, 2, 9, 0, -1])
def test_it_puts_a_turn_right_where_the_quote_stands_in_one_alone(turn: int) -> None:
    assert found(Evidence(turn, "Tomorrow at three. You"), TURNS) == Evidence(3, "Tomorrow at three. You")


def test_it_guesses_no_turn_for_what_stands_in_several_or_is_too_short() -> None:
    turns = (*TURNS, TURNS[2])
    assert found(Evidence(1, "Tomorrow at three. You"), turns) is None
    assert found(Evidence(1, "three."), TURNS) is None


def test_it_joins_no_turns() -> None:
    assert found(Evidence(2, "tomorrow at three. Tomorrow at three."), TURNS) is None


@given(st.sampled_from(TURNS), st.data())
def test_it_finds_every_piece_of_a_turn_in_it(turn: Turn, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(turn.text) - 1))
    piece = turn.text[start : data.draw(st.integers(start + 1, len(turn.text)))]
    stands = found(Evidence(TURNS.index(turn) + 1, piece), TURNS)
    assert stands is None or " ".join(piece.split()) == stands.quote
    cut = start > 0 and turn.text[start - 1 : start + 1].isalpha()
    assert stands or cut or not any(letter.isalnum() for letter in piece)


@pytest.mark.parametrize(
    ("quote", "stands"),
    [
        ("able to book", False),
        ("unable to book", True),
        ("to book", True),
        ("15 dollars", False),
        ("for 1", False),
        ("for 15", False),
        ("150 dollars", True),
        ("예약", True),
        ("약됐", True),
    ],
)
def test_it_takes_no_word_out_of_another(quote: str, stands: bool) -> None:
    turns = [Turn("agent", "I was unable to book it for 150 dollars. 예약됐어요.")]
    assert (found(Evidence(1, quote), turns) is not None) is stands


def test_it_looks_for_a_word_further_on() -> None:
    assert found(Evidence(1, "able to book"), [Turn("agent", "Unable, no: unable to book? I am able to book.")])


def judged(*evidence: Evidence, result: str = "met") -> Verdict:
    said = Verdict(result, 0.9, "So it was.", evidence)  # type: ignore[arg-type]  # a plain word
    return checked(Judgement({"f": said}), TURNS, [Condition("f", "After booking")]).verdicts["f"]


def test_it_is_unclear_where_one_quote_of_several_does_not_stand() -> None:
    verdict = judged(Evidence(3, "Tomorrow at three."), Evidence(1, "made up"))
    assert (verdict.result, verdict.likelier) == ("unclear", "met")
    assert verdict.evidence == (Evidence(3, "Tomorrow at three."),)
    assert verdict.reason.endswith("Its own reason: So it was.")


def test_it_is_unclear_where_not_met_rests_on_what_nobody_said() -> None:
    assert judged(Evidence(1, "we are closed"), result="not_met").result == "unclear"
    assert judged(result="not_met").result == "not_met"


def test_it_is_unclear_where_met_rests_on_nothing() -> None:
    assert judged().result == "unclear"


def test_it_takes_an_objection_from_the_customer_alone() -> None:
    for turn, quote, heard in ((2, "I'd like a cleaning", True), (1, "how can I help?", False), (2, "no", False)):
        objection = checked(Judgement({}, objection=Evidence(turn, quote)), TURNS, []).objection
        assert (objection is not None) is heard


def test_it_forgets_the_turn_of_an_answer_that_has_none() -> None:
    answers = {"a": Answer("x", 40), "b": Answer("y", 3)}
    read = checked(Judgement({}, answers), TURNS, []).answers
    assert (read["a"].turn, read["b"].turn) == (None, 3)
