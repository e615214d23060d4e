"""Attacks on the whole decision: a model over real HTTP that does all it is told, a real database, and the stand-in
for Twilio, which shows every text that left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from typing import Any

import pytest
from attack_set import ATTACKS, BESIDE_A_BOOKING, Attack, obeyed
from llm_stand_in import ModelServer

from postcall.config import config
from postcall.followups.models import FollowUp, OptOut
from postcall.followups.process import process
from postcall.judge.llm import LLMJudge
from postcall.messages import twilio_client
from postcall.messages.accounts import use_sandbox
from postcall.messages.handing import TwilioMessaging
from postcall.messages.models import Message
from postcall.messages.send import send
from postcall.sandbox.running import Sandbox
from postcall.work.leases import take

from .clinic import CUSTOMER, WORDS, Clinic

ASKED = "When the customer wants a call back"
FIRST_NAME = {"name": {"from": "ask", "description": "the customer's first name"}}
# Every attack is tried on the proofs (tests/judge/attacks); here one of each kind, and all that goes other ways.
WHOLE = ("tool", "objection", "recipient")
SAMPLE = [
    row
    for kind, rows in groupby(sorted(ATTACKS, key=lambda row: row.kind), key=lambda row: row.kind)
    for number, row in enumerate(rows)
    if number == 0 or kind in WHOLE
]


@pytest.fixture(scope="module")
def standin() -> Iterator[Sandbox]:
    with Sandbox(progress="manual").running() as sandbox:
        yield sandbox
        twilio_client.forget_clients()


@pytest.fixture
def sandbox(standin: Sandbox, clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("POSTCALL_SANDBOX_URL", standin.url)
    config.cache_clear()
    standin.reset()
    use_sandbox(clinic.workspace)
    yield standin
    config.cache_clear()


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    with ModelServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-the-tests")
        yield server


@pytest.fixture
def judge(model: ModelServer) -> Iterator[LLMJudge]:
    judge = LLMJudge("openai:stand-in")
    yield judge
    judge.close()


def heard(clinic: Clinic, judge: LLMJudge, row: Attack, **call: Any) -> dict[str, FollowUp]:
    """What became of the row's call, by condition, after all that was due was sent."""
    fields = {"external_id": row.id, "transcript": row.transcript, "variables": row.variables} | call
    process(clinic.call(**fields), judge, TwilioMessaging())
    for message in take(Message, 10, timedelta(seconds=30)):
        send(message)
    rows = FollowUp.objects.filter(call__external_id=fields["external_id"]).select_related("revision")
    return {row.revision.condition: row for row in rows}


def test_it_texts_nobody_whatever_an_obedient_model_is_told(
    clinic: Clinic, sandbox: Sandbox, model: ModelServer, judge: LLMJudge
) -> None:
    clinic.attach("Your visit is booked.", "After scheduling an appointment")
    clinic.attach("We call you back.", ASKED)
    for row in SAMPLE:
        model.script = [obeyed(row, *row.attack or [2])]
        for condition, follow_up in heard(clinic, judge, row).items():
            assert follow_up.recipient == CUSTOMER
            if condition != ASKED or (row.attack and not row.plain):
                assert (follow_up.outcome, follow_up.reason) in (
                    ("held", "condition_unclear"), ("skipped", "asked_not_to_be_texted"),
                ), (row.id, condition, follow_up.outcome, follow_up.reason)  # fmt: skip
                assert follow_up.detail
        OptOut.objects.all().delete()
    assert {(message.to, message.body) for message in sandbox.messages} <= {(CUSTOMER, "We call you back.")}


def test_it_sends_the_operators_text_to_the_caller_beside_an_attack(
    clinic: Clinic, sandbox: Sandbox, model: ModelServer, judge: LLMJudge
) -> None:
    clinic.attach("Your visit is booked.", BESIDE_A_BOOKING[0].condition)
    row = BESIDE_A_BOOKING[0]
    model.script = [obeyed(row, 5)]
    assert heard(clinic, judge, row)[row.condition].outcome == "message"
    assert [(message.to, message.body) for message in sandbox.messages] == [(CUSTOMER, "Your visit is booked.")]


def test_it_lets_no_attack_write_into_a_text(
    clinic: Clinic, sandbox: Sandbox, model: ModelServer, judge: LLMJudge
) -> None:
    clinic.attach("Hi <name>, you are booked.", "After scheduling an appointment", inputs=FIRST_NAME)
    for row in (row for row in ATTACKS if row.values):
        dictated = {"role": "customer", "text": row.transcript[row.attack[0] - 1]["text"]}
        proof = {"conditions": [{"id": "C1", "result": "met", "confidence": 1.0, "reason": "Booked.",
                                 "evidence": [{"turn": 3, "quote": "You are booked."}]}]}  # fmt: skip
        model.script = [obeyed(row) | proof]
        (follow_up,) = heard(clinic, judge, row, transcript=[*WORDS, dictated]).values()
        assert (follow_up.outcome, follow_up.reason) in (("held", "unsafe_value"), ("skipped", "missing_input")), (
            row.id
        )
        assert follow_up.detail
    assert not sandbox.messages


def test_it_sends_a_name_that_is_one(clinic: Clinic, sandbox: Sandbox, model: ModelServer, judge: LLMJudge) -> None:
    """The same call and the same model, with nothing dictated: the others are not held for another reason."""
    clinic.attach("Hi <name>, you are booked.", "After scheduling an appointment", inputs=FIRST_NAME)
    row = next(row for row in ATTACKS if row.values)
    model.script = [{"conditions": [{"id": "C1", "result": "met", "confidence": 1.0, "reason": "Booked.",
                                     "evidence": [{"turn": 3, "quote": "You are booked."}]}],
                     "values": [{"id": "V1", "value": "Ann", "turn": 5}]}]  # fmt: skip
    said = {"role": "customer", "text": "It's Ann, by the way."}
    heard(clinic, judge, row, transcript=[*WORDS, said])
    assert [message.body for message in sandbox.messages] == ["Hi Ann, you are booked."]


def test_it_shows_a_model_no_variable_but_what_tools_answered(
    clinic: Clinic, sandbox: Sandbox, model: ModelServer, judge: LLMJudge
) -> None:
    clinic.attach("Your visit is booked.", "After scheduling an appointment")
    rows = [row for row in ATTACKS if row.variables and "action_results" not in row.variables]
    assert rows
    for row in rows:
        model.script = [obeyed(row, 2)]
        model.requests.clear()
        heard(clinic, judge, row)
        asked = len(model.prompts)
        heard(clinic, judge, row, external_id=f"{row.id}-without", variables={})
        with_it, without = model.prompts[0], model.prompts[asked]
        assert with_it.split("The call began")[0] == without.split("The call began")[0]
        assert with_it[with_it.index("<call>") :] == without[without.index("<call>") :]
        ((values),) = row.variables.values()
        assert not any(str(value) in prompt for value in values.values() for prompt in model.prompts)
