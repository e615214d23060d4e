"""A call decided by a cascade: who decided what, what it took, and what becomes of it when the model fails."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from llm_stand_in import Fault, ModelServer

from postcall.config import config
from postcall.followups.models import FollowUp
from postcall.followups.process import process
from postcall.followups.review import rejudge
from postcall.judge.cascade import CascadeJudge
from postcall.judge.choose import judge_from_config
from postcall.judge.verdicts import Usage

from .clinic import Clinic, KnowingJudge

SAID = [
    {"role": "agent", "text": "Thanks for calling Maple Dental, how can I help?"},
    {"role": "customer", "text": "I'd like to schedule a cleaning."},
    {"role": "agent", "text": "I have Tuesday at 10 am. Does that work?"},
    {"role": "customer", "text": "Yes, that works. Please book it."},
    {"role": "agent", "text": "You're all set, your appointment is booked for Tuesday at 10 am."},
    {"role": "customer", "text": "Great, thank you. Bye."},
]
SURE, OPEN = "After scheduling an appointment", "The customer asked about opening hours"
NO = {"id": "C1", "result": "not_met", "confidence": 0.9, "probability": 0.1, "reason": "No.", "evidence": []}


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    with ModelServer([{"conditions": [NO], "values": [], "objection": None}]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-the-tests")
        monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "cascade:openai:gpt-4.1-mini")
        config.cache_clear()
        yield server
    config.cache_clear()


def decided(clinic: Clinic) -> tuple[FollowUp, FollowUp]:
    """What became of the condition that the built-in judge is sure of, and of the one that it leaves open."""
    clinic.attach("Booked.", SURE)
    clinic.attach("We open at nine.", OPEN)
    judge = judge_from_config()
    assert isinstance(judge, CascadeJudge)
    process(clinic.call(transcript=SAID), judge, clinic.messaging)
    judge.close()
    rows = {row.revision.condition: row for row in FollowUp.objects.select_related("revision")}
    return rows[SURE], rows[OPEN]


def test_it_keeps_who_decided_and_what_it_took_with_what_the_model_decided(
    clinic: Clinic, model: ModelServer
) -> None:
    sure, left = decided(clinic)
    assert (sure.judge, sure.prompt, sure.judge_requests, sure.judge_cost_usd) == ("offline-1", "", 0, 0)
    assert (left.judge, left.judge_requests, left.judge_input_tokens) == ("openai:gpt-4.1-mini", 1, 100)
    assert left.prompt
    assert left.judge_cost_usd == Decimal("0.000072")
    assert left.judge_s


def test_it_holds_what_was_left_open_alone_when_the_model_fails(clinic: Clinic, model: ModelServer) -> None:
    model.script = [Fault(401)]
    sure, left = decided(clinic)
    assert (sure.outcome, sure.judge, left.outcome, left.reason) == ("message", "offline-1", "held", "judge_failed")


def test_it_waits_with_the_whole_call_while_the_model_is_busy(clinic: Clinic, model: ModelServer) -> None:
    model.script = [Fault(429)]
    assert [row.outcome for row in decided(clinic)] == ["pending", "pending"]


def test_it_keeps_what_was_paid_before_a_call_is_judged_again(clinic: Clinic) -> None:
    clinic.attach("Booked.", SURE)
    call = clinic.call()
    process(call, KnowingJudge({SURE: "unclear"}), clinic.messaging)
    rejudge(call)
    process(clinic.take(), KnowingJudge(), clinic.messaging)
    row = FollowUp.objects.get()
    assert (row.result, Usage(row.judge_input_tokens, row.judge_output_tokens, row.judge_requests)) == (
        "met",
        Usage(1800, 160, 2),
    )
    assert row.judge_cost_usd is None  # of this judge no price is known
