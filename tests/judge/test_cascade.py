"""The built-in judge with its real model first, and a language model behind real HTTP for what it leaves open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from llm_stand_in import Fault, ModelServer

from postcall.judge.cascade import CascadeJudge
from postcall.judge.llm import LLMJudge
from postcall.judge.offline import OfflineJudge
from postcall.judge.verdicts import Ask, Case, Condition, JudgeFailed, Judgement, Turn

TURNS = (
    Turn("agent", "Thanks for calling Maple Dental, how can I help?"),
    Turn("customer", "I'd like to schedule a cleaning."),
    Turn("agent", "I have Tuesday at 10 am. Does that work?"),
    Turn("customer", "Yes, that works. Please book it."),
    Turn("agent", "You're all set, your appointment is booked for Tuesday at 10 am."),
    Turn("customer", "Great, thank you. Bye."),
)
# What the built-in judge says of them: met, not_met, and twice unclear.
BOOKED = Condition("booked", "After scheduling an appointment")
CANCELED = Condition("canceled", "The appointment was cancelled")
HOURS = Condition("hours", "The customer asked about opening hours")
MORE = Condition("more", "When the customer requests more information")
DAY = Ask("day", "booked", "the day agreed")
WHY = Ask("why", "canceled", "why it was cancelled")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    with ModelServer([lambda request: report(*ids_in(request))]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-the-tests")
        yield server


@pytest.fixture(scope="module")
def offline() -> OfflineJudge:
    return OfflineJudge()


def ids_in(request: dict[str, Any]) -> list[str]:
    return re.findall(r'\\?"id\\?": \\?"([CV]\d+)', json.dumps(request["messages"][-1]))


def report(*ids: str) -> dict[str, Any]:
    verdict = {"result": "not_met", "confidence": 0.9, "probability": 0.1, "reason": "No.", "evidence": []}
    values = [{"id": key, "value": "Tuesday", "turn": 5} for key in ids if key[0] == "V"]
    return {
        "conditions": [verdict | {"id": key} for key in ids if key[0] == "C"],
        "values": values,
        "objection": None,
    }


def decide(offline: OfflineJudge, *conditions: Condition, asks: tuple[Ask, ...] = ()) -> Judgement:
    judge = CascadeJudge(offline, LLMJudge("openai:stand-in"))
    try:
        return judge.decide(Case(TURNS, conditions, asks))
    finally:
        judge.close()


def test_it_asks_nothing_where_the_built_in_judge_is_sure(model: ModelServer, offline: OfflineJudge) -> None:
    judged = decide(offline, BOOKED, CANCELED, asks=(WHY,))
    assert {key: verdict.result for key, verdict in judged.verdicts.items()} == {
        "booked": "met",
        "canceled": "not_met",
    }
    assert (judged.answers["why"].value, judged.usage.requests, model.requests) == (None, 0, [])


def test_it_asks_once_and_only_about_what_is_left_open(model: ModelServer, offline: OfflineJudge) -> None:
    judged = decide(offline, BOOKED, HOURS, CANCELED, MORE)
    (prompt,) = model.prompts
    assert [condition.text in prompt for condition in (BOOKED, HOURS, CANCELED, MORE)] == [False, True, False, True]
    assert {key: (verdict.judge, verdict.result) for key, verdict in judged.verdicts.items()} == {
        "booked": ("offline-1", "met"),
        "canceled": ("offline-1", "not_met"),
        "hours": ("openai:stand-in", "not_met"),
        "more": ("openai:stand-in", "not_met"),
    }
    assert (judged.usage.requests, judged.usage.input_tokens) == (1, 100)


def test_it_has_values_read_that_are_needed(model: ModelServer, offline: OfflineJudge) -> None:
    judged = decide(offline, BOOKED, CANCELED, asks=(DAY, WHY))
    (prompt,) = model.prompts
    assert (DAY.description in prompt, WHY.description in prompt, BOOKED.text in prompt) == (True, False, False)
    assert (judged.answers["day"].value, judged.answers["why"].value) == ("Tuesday", None)
    assert judged.verdicts["booked"].judge == "offline-1"


def test_it_says_what_stands_when_the_model_fails(model: ModelServer, offline: OfflineJudge) -> None:
    model.script = [Fault(401)]
    with pytest.raises(JudgeFailed) as failed:
        decide(offline, BOOKED, CANCELED, HOURS, asks=(DAY,))
    assert not failed.value.retry
    assert list(failed.value.decided.verdicts) == ["canceled"]
