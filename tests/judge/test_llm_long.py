"""Long calls: read in parts that lose nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import case, decide, report, told, verdict
from hypothesis import given
from hypothesis import strategies as st
from llm_stand_in import ModelServer, text_of

from postcall.judge import parts
from postcall.judge.llm import LLMJudge
from postcall.judge.parts import PIECE_OVERLAP, parts_of
from postcall.judge.prompt import request_for
from postcall.judge.verdicts import Ask, Turn
from postcall.worker import crew

PROOF = "You are booked for the ninth."


def long_call(turns: int = 400, proof: int | None = 5) -> tuple[Turn, ...]:
    """`proof`: the turn in which the appointment is booked."""
    said = [
        Turn(("agent", "customer")[n % 2], f"Turn {n}, and this goes on for quite a while.") for n in range(turns)
    ]
    if proof:
        said[proof - 1] = Turn("agent", PROOF)
    return tuple(said)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_CHARACTERS", 10_000)


def honest(request: dict[str, Any]) -> dict[str, Any]:
    """A model that finds the proof where it is shown, and else keeps to the earlier report."""
    for line in told(request):
        if PROOF in line["text"]:
            return report(verdict(turn=line["turn"], quote=PROOF))
    _, _, earlier = text_of(request, "user").partition("<earlier_report>\n")
    if earlier:
        return dict(json.loads(earlier.split("\n</earlier_report>")[0]))
    return report(verdict(result="not_met", quote=""))


@pytest.mark.usefixtures("small_parts")
def test_it_shows_every_turn_of_a_long_call(model: ModelServer) -> None:
    turns = long_call()
    judged = decide(model, case(turns=turns), honest)
    shown = {line["turn"]: line["text"] for request in model.requests for line in told(request)}
    assert shown == {number: turn.text for number, turn in enumerate(turns, 1)}
    assert len(model.requests) > 3
    assert judged.usage.requests == len(model.requests)
    assert judged.usage.input_tokens >= 100 * len(model.requests)


@pytest.mark.usefixtures("small_parts")
def test_it_finds_what_is_said_once_wherever_it_is_said(model: ModelServer) -> None:
    borders = [part.lines[-1].number for part in parts_of(long_call(120))]
    assert len(borders) == 2
    for at in sorted({1, 60, *(border + by for border in borders[:-1] for by in (-1, 0, 1, 2)), 120}):
        turns = long_call(120, at)
        found = decide(model, case(turns=turns), honest).verdicts["f-1"]
        assert (found.result, found.evidence[0].turn) == ("met", at)


@pytest.mark.usefixtures("small_parts")
def test_it_reads_one_enormous_turn_in_pieces(model: ModelServer) -> None:
    words = " ".join(f"word{n}" for n in range(3_000))
    turns = (*long_call(4, None), Turn("agent", f"{words} {PROOF} {words}"), *long_call(4, None))
    found = decide(model, case(turns=turns), honest).verdicts["f-1"]
    assert (found.result, found.evidence[0].turn) == ("met", 5)
    assert all(len(prompt) < 13_000 for prompt in model.prompts)
    assert len(model.requests) > 4


@given(st.lists(st.integers(0, 3_000), max_size=60), st.sampled_from([6_000, 7_000, 8_000]))
def test_it_loses_no_word_in_parts(lengths: list[int], context: int) -> None:
    turns = [Turn("agent", "".join(chr(97 + (n + i) % 26) for i in range(size))) for n, size in enumerate(lengths)]
    read = parts_of(turns, context)
    assert all(sum(line.size for line in part.lines) <= parts.SMALLEST_PART * 2 for part in read)
    whole: dict[int, str] = {}
    last = (0, 0)
    for part in read:
        for line in part.lines:
            if (line.number, line.piece) > last:
                said = whole.get(line.number, "")
                assert not said or said.endswith(line.text[:PIECE_OVERLAP])
                whole[line.number] = said + (line.text[PIECE_OVERLAP:] if said else line.text)
                last = (line.number, line.piece)
    assert [whole[number] for number in sorted(whole)] == [turn.text for turn in turns]


def test_it_begins_a_part_with_the_end_of_the_one_before() -> None:
    first, second, *_ = parts_of(long_call(400), 7_000)
    assert second.lines[: parts.OVERLAP] == first.lines[-parts.OVERLAP :]
    assert second.first_new == first.lines[-1].number + 1


@pytest.mark.usefixtures("small_parts")
def test_it_takes_a_retraction_in_a_later_part(model: ModelServer) -> None:
    turns = (*long_call(150), Turn("customer", "No wait, cancel that appointment."))
    later = verdict(1, "not_met", len(turns), "cancel that appointment")
    judged = decide(model, case(turns=turns), report(verdict(turn=5, quote=PROOF)), report(later))
    assert judged.verdicts["f-1"].result == "not_met"


@pytest.mark.usefixtures("small_parts")
def test_it_is_unclear_when_a_later_part_forgets_an_earlier_one(model: ModelServer) -> None:
    first = report(verdict(turn=5, quote=PROOF))
    judged = decide(model, case(turns=long_call(150)), first, report(verdict(1, "not_met", quote="")))
    assert judged.verdicts["f-1"].result == "unclear"


@pytest.mark.usefixtures("small_parts")
def test_it_keeps_what_only_an_early_part_said(model: ModelServer) -> None:
    day = Ask("f-1:day", "f-1", "the day agreed")
    proof = verdict(turn=5, quote=PROOF)
    value = {"id": "V1", "value": "the ninth", "turn": 5}
    first = report(proof, values=[value], objection={"turn": 2, "quote": "Turn 1, and this"})
    later = report(proof, values=[value | {"value": None}])
    judged = decide(model, case(turns=long_call(150), asks=[day]), first, later)
    assert judged.answers["f-1:day"].value == "the ninth"
    assert judged.objection is not None


def test_it_gives_every_part_the_time_of_two_slow_requests() -> None:
    judge = LLMJudge("openai:stand-in", request_timeout=45.0)
    assert judge.deadline_of(1) >= 2 * 45
    assert judge.deadline_of(3) >= 6 * 45
    assert judge.deadline_of(50) < crew.LONGEST_S  # as long as its worker keeps the call


def test_it_tells_the_exact_first_request_of_a_long_call() -> None:
    asked = request_for(case(turns=long_call(400)), context=7_000)
    assert (asked.part, asked.parts > 3) == (1, True)
    assert f"this is part 1 of {asked.parts}" in asked.user
