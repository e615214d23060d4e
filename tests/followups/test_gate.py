"""What needs no judge: was anybody reached, is there a number, do the plain rules hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from postcall.actions.bindings import RULES
from postcall.actions.models import Revision
from postcall.followups.facts import CallFacts
from postcall.followups.gate import Stopped, contact_of, gate
from postcall.followups.rules import first_broken
from postcall.followups.snapshot import AgentAsItWas, Snapshot
from postcall.judge.verdicts import Turn

AGENT = AgentAsItWas(name="Front desk", timezone="America/Los_Angeles")
WHEN = datetime(2026, 3, 4, 18, 0, tzinfo=UTC)
SPOKEN = (Turn("agent", "Northgate Clinic, hello?"), Turn("customer", "Hi, I would like to book a cleaning."))
CALL = CallFacts(
    call_id="c-1", customer_number="+14155550132", customer_number_raw="+14155550132", agent_number="",
    direction="inbound", started_at=WHEN, ended_at=None, when=WHEN, end_reason="customer_hung_up", connected=True,
    turns=SPOKEN, variables={},
)  # fmt: skip


def passed(call: CallFacts = CALL, *, always: bool = False, inputs: Any = (), **snapshot: Any) -> str:
    """The number to text, or the reason that stops it."""
    revision = Revision(
        message="Booked.", condition="" if always else "After booking", always=always, inputs=[*inputs]
    )
    shot = Snapshot.model_validate({"mode": "live", "agent": AGENT} | snapshot)
    found = gate(shot, revision, call, contact_of(call))
    if isinstance(found, Stopped):
        assert found.detail.endswith(".")
        return found.reason.value
    return found


def test_it_lets_an_ordinary_call_through() -> None:
    assert passed() == passed(always=True) == "+14155550132"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"connected": False}, "not_connected"),
        ({"connected": None, "turns": (), "end_reason": "no-answer"}, "not_connected"),
        ({"connected": None, "turns": (), "end_reason": "customer-busy"}, "not_connected"),
        ({"connected": None, "turns": (), "end_reason": "dial_failed"}, "not_connected"),
        ({"connected": None, "turns": (), "end_reason": "callFailed"}, "not_connected"),
        ({"connected": None, "turns": ()}, "no_transcript"),
        ({"connected": None, "turns": SPOKEN[:1]}, "not_connected"),
        ({"end_reason": "voicemail_reached"}, "voicemail"),
        ({"end_reason": "machine_detected"}, "voicemail"),
        (
            {"turns": (Turn("agent", "Hello?"), Turn("customer", "Please leave a message after the tone."))},
            "voicemail",
        ),
    ],
)
def test_it_stops_where_nobody_was_reached(fields: dict[str, Any], reason: str) -> None:
    call = replace(CALL, **fields)
    assert passed(call) == passed(call, always=True) == reason


@pytest.mark.parametrize(
    "end_reason", ["customer_hung_up", "assistant-error", "agent_ended_call", "", "pipeline-error"]
)
def test_it_does_not_mistake_how_a_conversation_ended(end_reason: str) -> None:
    assert passed(replace(CALL, connected=None, end_reason=end_reason)) == "+14155550132"


def test_it_needs_a_transcript_only_to_judge() -> None:
    silent = replace(CALL, turns=())
    assert (passed(silent), passed(silent, always=True)) == ("no_transcript", "+14155550132")


def test_it_judges_no_transcript_that_was_blacked_out() -> None:
    black = replace(CALL, turns=(Turn("agent", "[REDACTED]"), Turn("customer", "*****")))
    assert (passed(black), passed(black, always=True)) == ("redacted", "+14155550132")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [("", "no_recipient"), ("anonymous", "no_recipient"), ("Restricted", "no_recipient"), ("null", "no_recipient"),
     ("+1******0132", "redacted"), ("[REDACTED]", "redacted"), ("12", "invalid_recipient"),
     ("72345", "number_refused"), ("7234567", "invalid_recipient"),
     ("my mobile", "invalid_recipient")],
)  # fmt: skip
def test_it_names_why_nobody_can_be_texted(raw: str, reason: str) -> None:
    assert passed(replace(CALL, customer_number="", customer_number_raw=raw)) == reason


def test_it_texts_the_operators_number_where_one_is_set() -> None:
    nobody = replace(CALL, customer_number="", customer_number_raw="")
    assert passed(nobody, recipient_override="+14155550180") == "+14155550180"
    assert passed(CALL, recipient_override="later") == "invalid_recipient"


def test_it_takes_no_number_out_of_the_call() -> None:
    named = {"customer_number": "+14155550199", "recipient": "+14155550199"}
    words = (*SPOKEN, Turn("customer", "Text me at 415 555 0199 instead."))
    said = replace(CALL, turns=words, variables={"collected": named})
    assert passed(said) == "+14155550132"


def test_it_names_inputs_that_are_bound_to_nothing() -> None:
    assert passed(inputs=["day"]) == "unmapped_input"


def test_it_looks_at_the_switch_first() -> None:
    assert passed(replace(CALL, connected=False), mode="off") == "attachment_off"


VARIABLES = {
    "pre_call": {"plan": {"name": "Gold"}, "due": "2026-03-10", "tags": ["VIP", "new"]},
    "collected": {
        "guests": "4",
        "agreed": True,
        "note": "Call Back please",
        "code": "0472",
        "blank": " ",
        "no": "None",
    },
    "extracted": {"score": 7.5, "ok": "false", "wrapped": {"value": "yes", "collected": True}},
    "action_results": {"book": {"reference": "X1", "total": "1284.50", "start": "2026-03-05T10:00:00-08:00"}},
}


def holds(from_: str, name: str, is_: str, value: Any = None, action: str | None = None) -> bool:
    written = {"from": from_, "name": name, "is": is_} | ({"value": value} if value is not None else {})
    (rule,) = RULES.validate_python([written | ({"action": action} if action else {})])
    broken = first_broken([rule], replace(CALL, variables=VARIABLES), AGENT)
    assert broken is None or broken.endswith(".")
    return broken is None


@pytest.mark.parametrize(
    "rule",
    [
        ("action_result", "reference", "present", None, "book"),
        ("action_result", "reference", "absent", None, "cancel"),
        ("action_result", "total", "greater", 1000, "book"),
        ("action_result", "start", "less", "2026-03-05T19:00:00Z", "book"),
        ("pre_call", "plan.name", "equals", "gold"),
        ("pre_call", "due", "greater", "2026-03-09"),
        ("pre_call", "tags", "contains", "vip"),
        ("collected", "guests", "equals", 4),
        ("collected", "guests", "greater", "3.5"),
        ("collected", "agreed", "equals", "TRUE"),
        ("collected", "agreed", "equals", True),
        ("collected", "note", "contains", "call back"),
        ("collected", "code", "not_equals", "472"),
        ("collected", "blank", "absent"),
        ("collected", "no", "absent"),
        ("collected", "missing", "not_equals", "x"),
        ("extracted", "score", "less", 8),
        ("extracted", "ok", "equals", False),
        ("extracted", "wrapped", "equals", "yes"),
        ("system", "direction", "equals", "inbound"),
        ("system", "started_at", "less", "2026-03-05"),
    ],
)
def test_it_holds(rule: tuple[Any, ...]) -> None:
    assert holds(*rule)


@pytest.mark.parametrize(
    "rule",
    [
        ("action_result", "reference", "present", None, "cancel"),
        ("action_result", "reference", "greater", 5, "book"),
        ("pre_call", "plan", "equals", "Gold"),
        ("pre_call", "plan.missing", "present"),
        ("pre_call", "plan.name", "less", 5),
        ("collected", "missing", "equals", ""),
        ("collected", "missing", "less", 5),
        ("collected", "missing", "contains", "x"),
        ("collected", "code", "equals", "472"),
        ("collected", "guests", "greater", 4),
        ("extracted", "ok", "equals", True),
        ("system", "nonsense", "present"),
    ],
)
def test_it_does_not_hold(rule: tuple[Any, ...]) -> None:
    assert not holds(*rule)


def test_it_says_which_rule_does_not_hold_and_why() -> None:
    (rule,) = RULES.validate_python([{"from": "collected", "name": "guests", "is": "greater", "value": 10}])
    assert first_broken([rule], replace(CALL, variables=VARIABLES), AGENT) == (
        "The rule “guests (collected) is greater than 10” does not hold: in this call it is “4”."
    )


def test_it_stops_at_a_rule_that_does_not_hold() -> None:
    rules = [{"from": "collected", "name": "guests", "is": "present"}]
    assert passed(only_if=rules) == "rule_not_met"
    assert passed(replace(CALL, variables=VARIABLES), only_if=rules) == "+14155550132"
