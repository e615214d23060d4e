"""What Telnyx's events say: of an ended conversation, and of a call that another event reports."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from postcall.sources.ended_call import EndedCall
from postcall.sources.kind import Addition, Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.platforms.telnyx import PublicKey, Telnyx

from .platforms.telnyx import ENDED, IDS, PLATFORM, event

# Signed by PyNaCl, with which Telnyx's own SDK verifies, at VECTOR_AT; taken by that SDK too.
VECTOR_AT = 1_772_618_400
VECTOR_BODY = '{"data":{"event_type":"call.hangup","payload":{"from":"Zoë"}}}'.encode()
VECTOR_KEY = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
VECTOR_SIGNATURE = "Hd3PC+6c3H5jD7k1U2BfFCOXa19mdYCWKCNCsLu8wJgGHnQAEylFbzgwWvUQBL7Avkg/aYtqKlei2DHvv048Aw=="


def parse(what: str, payload: dict[str, Any], **fields: Any) -> EndedCall | Addition | Ignored:
    return Telnyx().parse(json.dumps(event(what, payload, **fields)).encode())


def ended(**payload: Any) -> EndedCall:
    """The conversation with some fields of its event replaced; None: left out."""
    given = {name: value for name, value in (ENDED | payload).items() if value is not None}
    read = parse("call.conversation.ended", given)
    assert isinstance(read, EndedCall)
    return read


def told(what: str, **payload: Any) -> Addition:
    read = parse(what, {**IDS, **payload})
    assert isinstance(read, Addition)
    return read


def at(second: float) -> datetime:
    return datetime.fromtimestamp(datetime(2026, 3, 4, 10, 0, tzinfo=UTC).timestamp() + second, UTC)


def test_it_reads_a_conversation_with_its_full_history() -> None:
    assert ended() == EndedCall.model_validate(
        {
            "external_id": "call-1",
            "also_known_as": ["v3:control-1", "leg-1", "session-1"],
            "agent": "assistant-front-desk",
            "customer_number": "+14155550132",
            "agent_number": "+14155550100",
            "started_at": at(0.5),
            "ended_at": at(90.5),
            "connected": True,
            "transcript": [
                {"role": "agent", "text": "Northgate Clinic, hello.", "at": 0.5},
                {"role": "customer", "text": "A cleaning on Thursday?", "at": 4.75},
                {
                    "role": "tool",
                    "text": 'create_booking called with {"day": "Thursday"}',
                    "at": 6.5,
                    "tool": "create_booking",
                },
                {
                    "role": "tool",
                    "text": 'create_booking answered {"reference": "X1"}',
                    "at": 7.5,
                    "tool": "create_booking",
                },
                {"role": "agent", "text": "Thursday at two, X1.", "at": 9.5},
            ],
            "variables": {
                "pre_call": {"plan": {"name": "family"}},
                "action_results": {"create_booking": {"reference": "X1"}},
            },
        }
    )


def test_it_reads_a_conversation_as_it_is_without_full_history() -> None:
    call = ended(messages=[{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Hi."}])
    assert [(turn.role, turn.text, turn.at) for turn in call.transcript] == [
        ("agent", "Hello.", None),
        ("customer", "Hi.", None),
    ]
    assert call.variables.action_results == {}


def test_it_reads_the_event_that_had_no_messages_yet() -> None:
    """The sample of the documentation, with another number in it: a SIP address, and a state that is no JSON."""
    state = base64.b64encode(b"\x83t\x00\x00\x00\x01m\x00\x00\x00\x04base").decode()
    call = ended(
        messages=None,
        to="reception@assistant-front-desk.sip.telnyx.com",
        calling_party_type="sip",
        client_state=state,
        duration_sec=3,
    )
    assert (call.direction, call.customer_number, call.agent_number) == ("inbound", "+14155550132", None)
    assert (call.connected, call.transcript, call.redacted) == (True, [], [])
    assert call.variables.pre_call == {}
    assert (call.started_at, call.ended_at) == (at(87.5), at(90.5))


def test_it_does_not_call_a_conversation_of_no_length_connected() -> None:
    assert ended(messages=None, duration_sec=0).connected is None
    assert ended(messages=[]).connected is None
    assert ended(messages=[{"role": "assistant", "content": "Hello? Anybody?"}]).connected is None


@pytest.mark.parametrize("content", [None, "", "[REDACTED]", "*****"])
def test_it_names_words_that_were_taken_out(content: str | None) -> None:
    call = ended(messages=[{"role": "assistant", "content": content}, {"role": "user", "content": content}])
    assert call.redacted == ["transcript"]
    assert call.connected is True


def test_it_takes_no_single_blacked_out_word_for_redaction() -> None:
    messages = [{"role": "assistant", "content": "Your card?"}, {"role": "user", "content": "****"}]
    assert ended(messages=messages).redacted == []


@pytest.mark.parametrize(
    ("caller", "called", "direction", "customer", "ours"),
    [
        ("+14155550132", "+14155550100", None, "+14155550132", "+14155550100"),
        ("sip:+14155550132@carrier.example;user=phone", "+14155550100", None, "+14155550132", "+14155550100"),
        ("tel:+14155550132", "+14155550100", None, "+14155550132", "+14155550100"),
        ("sip:%2B14155550132@carrier.example", "+14155550100", None, "+14155550132", "+14155550100"),
        ("+14155550132", "sip:front@assistant-1.sip.telnyx.com", "inbound", "+14155550132", None),
        ("sip:assistant-1@sip.telnyx.com", "+14155550132", "outbound", "+14155550132", None),
        ("anna@clinic.sip.telnyx.com", "+14155550100", None, None, "+14155550100"),
        ("anonymous", "+14155550100", None, "anonymous", "+14155550100"),
        ("sip:anonymous@anonymous.invalid", "sip:front@assistant-1.sip.telnyx.com", None, None, None),
        ("", None, None, None, None),
    ],
)
def test_it_takes_the_customers_number_out_of_what_stands_there(
    caller: str, called: str | None, direction: str | None, customer: str | None, ours: str | None
) -> None:
    call = ended(**{"from": caller, "to": called})
    assert (call.direction, call.customer_number, call.agent_number) == (direction, customer, ours)


def test_it_believes_a_direction_that_is_told() -> None:
    call = ended(direction="outgoing")
    assert (call.direction, call.customer_number, call.agent_number) == ("outbound", "+14155550100", "+14155550132")


def test_it_keeps_an_end_reason_and_knows_those_that_are_documented() -> None:
    assert (ended(reason="customer_disconnect").ending, ended(reason="user_busy").ending) == ("error", "busy")
    unknown = ended(reason="assistant_said_goodbye")
    assert (unknown.end_reason, unknown.ending) == ("assistant_said_goodbye", None)


def test_it_knows_a_call_without_a_conversation_id_by_its_leg() -> None:
    call = ended(conversation_id=None)
    assert (call.external_id, call.also_known_as) == ("v3:control-1", ["leg-1", "session-1"])


def test_it_reads_no_state_that_is_no_object() -> None:
    for state in (b"[1]", b'"plan"', b"\xff", b'{"n": 1e999}', b"7"):
        assert ended(client_state=base64.b64encode(state).decode()).variables.pre_call == {}
    assert ended(client_state="not base64!").variables.pre_call == {}


def test_it_reports_a_conversation_that_did_not_start_as_one_that_reached_nobody() -> None:
    payload = {**IDS, "assistant_id": "assistant-front-desk", "from": "+14155550132", "to": "+14155550100"}
    assert parse("call.conversation.start_failed", payload | {"reason": "service_error"}) == EndedCall(
        external_id="v3:control-1",
        also_known_as=["leg-1", "session-1"],
        agent="assistant-front-desk",
        customer_number="+14155550132",
        agent_number="+14155550100",
        ended_at=at(90.5),
        end_reason="service_error",
        ending="failed",
        connected=False,
    )


def test_it_adds_structured_insights_as_values_and_prose_as_hints() -> None:
    results = [
        {"insight_id": "i-1", "result": "The caller booked a cleaning."},
        {"insight_id": "i-2", "result": '{"day": "Thursday", "party": 2}'},
        {"insight_id": "i-3", "result": {"day": "Friday", "mood": "good"}},
        {"insight_id": "i-4", "result": "[1, 2]"},
        {"insight_id": "i-5", "result": None},
        {"insight_id": "i-6", "name": "Summary", "result": " All done. "},
        "odd",
    ]
    assert told("call.conversation_insights.generated", insight_group_id="g", results=results) == Addition(
        keys=("v3:control-1", "leg-1"),
        extracted={"day": "Thursday", "party": 2, "mood": "good", "i-3": {"day": "Friday"}, "i-4": [1, 2]},
        hints={"i-1": "The caller booked a cleaning.", "Summary": "All done."},
    )


def test_it_joins_insights_by_the_session_only_where_no_leg_is_named() -> None:
    read = parse("call.conversation_insights.generated", {"call_session_id": "session-1", "results": []})
    assert isinstance(read, Addition)
    assert read.keys == ("session-1",)
    with pytest.raises(Unreadable, match="names no call"):
        parse("call.conversation_insights.generated", {"results": []})


@pytest.mark.parametrize(
    ("said", "direction", "customer", "ours"),
    [
        ("incoming", "inbound", "+14155550132", "+14155550100"),
        ("outgoing", "outbound", "+14155550100", "+14155550132"),
    ],
)
def test_it_adds_who_called_whom(said: str, direction: Any, customer: str, ours: str) -> None:
    addition = told("call.initiated", direction=said, **{"from": "+14155550132", "to": "+14155550100"})
    assert addition == Addition(
        keys=("v3:control-1", "leg-1"), direction=direction, customer_number=customer, agent_number=ours
    )


def test_it_adds_how_the_call_ended() -> None:
    assert told("call.hangup", hangup_cause="time_limit", hangup_source="callee") == Addition(
        keys=("v3:control-1", "leg-1"),
        hints={"hangup_cause": "time_limit", "hangup_source": "callee"},
        end_reason="time_limit",
        ending="too_long",
    )


def test_it_ignores_other_events_and_those_that_add_nothing() -> None:
    assert parse("call.conversation.created", IDS) == Ignored("call.conversation.created")
    assert parse("message.received", {"id": "m-1"}) == Ignored("message.received")
    assert parse("call.initiated", IDS) == Ignored("call.initiated")
    assert parse("call.hangup", IDS) == Ignored("call.hangup")


def test_it_refuses_a_conversation_that_names_no_call() -> None:
    with pytest.raises(Unreadable, match="names no call"):
        parse("call.conversation.ended", {"assistant_id": "assistant-front-desk"})


@pytest.mark.parametrize("key", ["", "secret", "A" * 44, "AAAA", PLATFORM.auth["secret"][:-4], "ключ"])
def test_it_takes_no_key_that_is_none(key: str) -> None:
    with pytest.raises(ValidationError):
        PublicKey.model_validate({"secret": key})


def test_it_takes_a_key_with_the_line_break_that_was_copied_with_it() -> None:
    assert PublicKey.model_validate({"secret": PLATFORM.auth["secret"] + "\n"}).secret == PLATFORM.auth["secret"]


def test_it_takes_what_another_program_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: VECTOR_AT + 299.0)
    signed = {"telnyx-signature-ed25519": VECTOR_SIGNATURE, "telnyx-timestamp": str(VECTOR_AT)}
    Telnyx().verify(Delivery(signed, VECTOR_BODY, ""), {"secret": VECTOR_KEY})
    with pytest.raises(NotVerified):
        Telnyx().verify(Delivery(signed, VECTOR_BODY + b"\n", ""), {"secret": VECTOR_KEY})
