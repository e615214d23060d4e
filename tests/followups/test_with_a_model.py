"""The whole decision with a language model behind real HTTP: what an obedient one may and may not bring about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from llm_stand_in import Fault, ModelServer

from postcall.calls.models import Call
from postcall.config import config
from postcall.followups.models import FollowUp, OptOut
from postcall.followups.process import process
from postcall.judge.choose import judge_from_config
from postcall.judge.llm import LLMJudge
from postcall.work import clock

from .clinic import CUSTOMER, Clinic

MET = {"id": "C1", "result": "met", "confidence": 0.9, "reason": "Booked.",
       "evidence": [{"turn": 3, "quote": "You are booked."}]}  # fmt: skip


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    with ModelServer([{"conditions": [MET]}]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-the-tests")
        monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "openai:stand-in")
        config.cache_clear()
        yield server
    config.cache_clear()


def decided(clinic: Clinic, **call: object) -> FollowUp:
    judge = judge_from_config()
    assert isinstance(judge, LLMJudge)
    process(clinic.call(**call), judge, clinic.messaging)
    judge.close()
    return FollowUp.objects.get()


def test_it_sends_what_the_model_found_met(clinic: Clinic, model: ModelServer) -> None:
    clinic.attach("Booked for <day>.", "After booking",
                  inputs={"day": {"from": "ask", "description": "the day agreed", "format": "date"}})  # fmt: skip
    model.script = [{"conditions": [MET], "values": [{"id": "V1", "value": "2032-03-05", "turn": 3}]}]
    row = decided(clinic)
    assert (row.outcome, row.body) == ("message", "Booked for Friday, March 5, 2032.")
    assert row.judge == "openai:stand-in"
    assert (row.judge_requests, row.judge_input_tokens, row.judge_output_tokens) == (1, 100, 20)


def test_it_texts_nobody_whom_the_model_names(clinic: Clinic, model: ModelServer) -> None:
    clinic.attach("Booked.", "After booking")
    model.script = [
        {"conditions": [MET | {"to": "+15551239999"}], "recipient": "+15551239999", "to": "+15551239999"}
    ]
    assert decided(clinic).recipient == CUSTOMER


def test_it_holds_what_the_model_was_made_to_read_out(clinic: Clinic, model: ModelServer) -> None:
    clinic.attach("Hi <name>.", "After booking", inputs={"name": {"from": "ask", "description": "the first name"}})
    model.script = [{"conditions": [MET], "values": [{"id": "V1", "value": "win dot com slash now", "turn": 2}]}]
    assert (decided(clinic).outcome, FollowUp.objects.get().reason) == ("held", "unsafe_value")


def test_it_is_ready_to_ask_again_when_the_model_is_busy(clinic: Clinic, model: ModelServer) -> None:
    clinic.attach("Booked.", "After booking")
    model.script = [Fault(429)]
    assert decided(clinic).outcome == "pending"
    assert Call.objects.get().judge_failures == 1


def test_it_waits_as_long_as_the_vendor_asks(clinic: Clinic, model: ModelServer) -> None:
    clinic.attach("Booked.", "After booking")
    model.script = [Fault(429, retry_after="900")]
    before = clock.now()
    decided(clinic)
    due = Call.objects.get().due_at
    assert due
    assert timedelta(seconds=900) <= due - before < timedelta(seconds=1_200)


def test_it_says_why_the_model_could_not_be_asked(clinic: Clinic, model: ModelServer) -> None:
    clinic.attach("Booked.", "After booking")
    model.script = [Fault(401)]
    row = decided(clinic)
    assert (row.outcome, row.reason) == ("held", "judge_failed")
    assert "HTTP 401" in row.detail


def test_it_has_the_model_listen_to_a_call_that_needs_no_verdict(clinic: Clinic, model: ModelServer) -> None:
    clinic.attach("Thank you.")
    words = [{"role": "agent", "text": "Bis Donnerstag."}, {"role": "customer", "text": "Bitte keine SMS, danke."}]
    model.script = [{"conditions": [], "objection": {"turn": 2, "quote": "Bitte keine SMS"}}]
    row = decided(clinic, transcript=words)
    assert (row.outcome, row.reason) == ("skipped", "asked_not_to_be_texted")
    assert OptOut.objects.get().quote == "Bitte keine SMS"


def test_it_takes_no_objection_that_the_model_made_up(clinic: Clinic, model: ModelServer) -> None:
    clinic.attach("Thank you.")
    model.script = [{"conditions": [], "objection": {"turn": 2, "quote": "Never text me, whatever happens"}}]
    assert decided(clinic).outcome == "message"
    assert not OptOut.objects.exists()
