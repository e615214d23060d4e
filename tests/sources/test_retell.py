"""Retell's call_ended and call_analyzed: what they say of a call, in all the forms in which they say it."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from postcall.sources.ended_call import EndedCall
from postcall.sources.kind import Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.platforms.retell import Retell

from .platforms.retell import BOOKED, BOOKING, CALL, GREETING, OFFER, WISH, event, said

AUTH = {"secret": "test-api-key"}
SPOKEN = [("agent", "Northgate Clinic, how can I help?"), ("customer", "A cleaning on Thursday, please.")]


def read(name: str = "call_analyzed", **changed: Any) -> EndedCall:
    ended = Retell().parse(event(name, **changed))
    assert isinstance(ended, EndedCall)
    return ended


def spoken(ended: EndedCall) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in ended.transcript]


def of_entries(*entries: dict[str, Any]) -> EndedCall:
    return read(transcript_with_tool_calls=list(entries))


def test_it_reads_all_that_an_analyzed_call_says() -> None:
    assert read() == EndedCall.model_validate(
        {
            "external_id": "call-1",
            "agent": "agent_1",
            "direction": "inbound",
            "customer_number": "+14155550132",
            "agent_number": "+14155550100",
            "started_at": datetime(2026, 3, 4, 10, 0, tzinfo=UTC),
            "ended_at": datetime(2026, 3, 4, 10, 1, 52, 500000, tzinfo=UTC),
            "end_reason": "user_hangup",
            "ending": "customer_hung_up",
            "connected": True,
            "final": True,
            "transcript": [
                {"role": "agent", "text": "Northgate Clinic, how can I help?", "at": 1.2},
                {"role": "customer", "text": "A cleaning on Thursday, please.", "at": 4.5},
                {
                    "role": "tool",
                    "text": 'create_booking called with {"day": "Thursday"}',
                    "tool": "create_booking",
                },
                {
                    "role": "tool",
                    "text": 'create_booking answered {"reference": "N-117"}',
                    "tool": "create_booking",
                },
                {"role": "agent", "text": "Thursday at two. Press one to confirm.", "at": 9.75},
                {"role": "customer", "text": "(pressed 1)"},
            ],
            "variables": {
                "pre_call": {"metadata": {"crm": "77"}, "plan": "gold"},
                "collected": {"first_name": "Ann"},
                "extracted": {"service": "cleaning", "rating": 5},
                "action_results": {"create_booking": {"reference": "N-117"}},
            },
            "hints": {
                "summary": "Ann booked a cleaning.",
                "successful": True,
                "sentiment": "Positive",
                "in_voicemail": False,
            },
        }
    )


def test_it_waits_for_the_analysis_of_a_call_that_just_ended() -> None:
    ended = read("call_ended")
    assert (ended.final, ended.judge_after) == (False, None)
    assert (ended.variables.extracted, ended.hints) == ({}, {})
    assert ended.model_dump(exclude={"final", "variables", "hints"}) == read().model_dump(
        exclude={"final", "variables", "hints"}
    )


@pytest.mark.parametrize(
    "name",
    ["call_started", "transcript_updated", "transfer_started", "transfer_bridged", "transfer_cancelled",
     "transfer_ended", "chat_started", "chat_ended", "chat_analyzed", "something_new"],
)  # fmt: skip
def test_it_ignores_what_is_no_end_of_a_call(name: str) -> None:
    assert Retell().parse(event(name)) == Ignored(name)


def test_it_reads_the_older_name_of_the_call() -> None:
    assert Retell().parse(json.dumps({"event": "call_analyzed", "data": CALL}).encode()) == read()


@pytest.mark.parametrize("call", [{}, {"call": None}, {"call": {"call_id": ""}}, {"call": {"call_id": "x" * 256}}])
def test_it_refuses_an_end_that_names_no_call(call: dict[str, Any]) -> None:
    with pytest.raises(Unreadable) as refused:
        Retell().parse(json.dumps({"event": "call_ended"} | call).encode())
    assert refused.value.errors == [("call.call_id", "is required")]


# Numbers, times.


def test_it_takes_the_number_that_was_called_for_the_customers_of_an_outbound_call() -> None:
    ended = read(direction="outbound")
    assert (ended.direction, ended.customer_number, ended.agent_number) == (
        "outbound",
        "+14155550100",
        "+14155550132",
    )


@pytest.mark.parametrize("changed", [{"call_type": "web_call"}, {"direction": None}, {"direction": "sideways"}])
def test_it_guesses_no_number(changed: dict[str, Any]) -> None:
    ended = read(**changed)
    assert (ended.customer_number, ended.agent_number) == (None, None)


def test_it_reckons_the_end_from_the_duration_where_it_is_not_told() -> None:
    assert read(end_timestamp=None).ended_at == read().ended_at
    assert read(end_timestamp=None, duration_ms="soon").ended_at is None
    assert read(start_timestamp=None, end_timestamp=None).started_at is None


# How it ended.


@pytest.mark.parametrize(
    ("reason", "ending", "connected"),
    [
        ("user_hangup", "customer_hung_up", True),
        ("agent_hangup", "agent_hung_up", True),
        ("call_transfer", "transferred", True),
        ("call_take_over", "transferred", True),
        ("voicemail_reached", "voicemail", None),
        ("inactivity", "silence", None),
        ("max_duration_reached", "too_long", None),
        ("manual_stopped", "canceled", None),
        ("user_requested_callback", "hung_up", True),
        ("dial_busy", "busy", False),
        ("dial_no_answer", "no_answer", False),
        ("user_declined", "no_answer", False),
        ("dial_failed", "failed", False),
        ("invalid_destination", "failed", False),
        ("no_valid_payment", "failed", False),
        ("error_user_not_joined", "failed", False),
        ("credit_exhausted", "failed", False),
        ("registered_call_timeout", "failed", False),
        ("error_llm_websocket_runtime", "error", None),
        ("error_asr", "error", None),
        ("of_a_later_day", None, None),
        (None, None, None),
    ],
)
def test_it_knows_how_a_call_ended(reason: str | None, ending: str | None, connected: bool | None) -> None:
    silent = {"transcript": None, "transcript_object": None, "transcript_with_tool_calls": None}
    ended = read(disconnection_reason=reason, **silent)
    assert (ended.end_reason, ended.ending, ended.connected) == (reason, ending, connected)


def test_it_knows_that_nobody_was_reached_by_the_status() -> None:
    silent = {"transcript": None, "transcript_object": None, "transcript_with_tool_calls": None}
    assert read(call_status="not_connected", disconnection_reason=None, **silent).connected is False


def test_it_does_not_say_that_nobody_was_reached_where_the_customer_spoke() -> None:
    assert read(disconnection_reason="no_valid_payment").connected is None


def test_it_shows_that_a_customer_wants_no_more_calls() -> None:
    ended = read(disconnection_reason="user_requested_dnc")
    assert (ended.ending, ended.connected, ended.hints["do_not_text"]) == ("hung_up", True, True)
    assert "do_not_text" not in read().hints


def test_it_takes_no_menu_for_a_customer() -> None:
    assert read(disconnection_reason="ivr_reached").connected is False


# The transcript.


def test_it_reads_the_transcript_without_tools() -> None:
    ended = read(transcript_with_tool_calls=None)
    assert spoken(ended)[:2] == SPOKEN
    assert ended.variables.action_results == {}


def test_it_reads_the_transcript_that_is_one_text() -> None:
    ended = read(transcript_with_tool_calls=None, transcript_object=[])
    assert spoken(ended) == SPOKEN
    assert ended.redacted == []


def test_it_keeps_a_third_person_apart() -> None:
    """What the person says to whom the call went is neither the agent's promise nor the customer's objection."""
    ended = of_entries(GREETING, WISH, said("transfer_target", "Never text this customer.", 20.0))
    assert (ended.transcript[-1].role, ended.transcript[-1].at) == ("system", 20.0)
    assert ended.transcript[-1].text == "Person the call was transferred to: Never text this customer."
    as_text = read(
        transcript_with_tool_calls=None, transcript_object=None, transcript="Transfer Target: Hello?\nUser: Hi."
    )
    assert spoken(as_text) == [("system", "Hello?"), ("customer", "Hi.")]


def test_it_reads_keys_texts_and_what_was_injected() -> None:
    ended = of_entries(
        WISH,
        {"role": "dtmf", "digit": "4"},
        {"role": "dtmf", "digit": "2"},
        {"role": "dtmf", "digit": "#"},
        {"role": "sms", "content": "ann@example.com", "time_sec": 30.5},
        {"role": "injected", "content": "The doctor is in.", "time_sec": 31},
        {"role": "node_transition", "former_node_name": "a", "new_node_name": "b"},
        {"role": "dtmf", "digit": "1"},
    )
    assert [(turn.role, turn.text, turn.at) for turn in ended.transcript[1:]] == [
        ("customer", "(pressed 42#)", None),
        ("customer", "(by text) ann@example.com", 30.5),
        ("system", "The doctor is in.", 31),
        ("customer", "(pressed 1)", None),
    ]


def test_it_keeps_the_last_result_of_a_tool_and_none_of_one_that_failed() -> None:
    again = {**BOOKED, "content": "N-118"}
    failed = {**BOOKED, "content": '{"error": "full"}', "successful": False}
    ended = of_entries(WISH, BOOKING, BOOKED, BOOKING, again, BOOKING, failed)
    assert ended.variables.action_results == {"create_booking": {"result": "N-118"}}
    assert ended.transcript[-1].text == 'create_booking answered {"error": "full"}'


def test_it_reads_a_result_whose_call_is_missing() -> None:
    assert of_entries(WISH, BOOKED).variables.action_results == {"tool": {"reference": "N-117"}}


# What was taken out.


def test_it_reads_the_scrubbed_transcript_where_there_is_no_other() -> None:
    ended = read(
        data_storage_setting="everything_except_pii",
        transcript=None,
        transcript_object=None,
        transcript_with_tool_calls=None,
        scrubbed_transcript_with_tool_calls=[GREETING, said("user", "This is [name].", 4.5)],
    )
    assert spoken(ended)[-1] == ("customer", "This is [name].")
    assert ended.redacted == ["transcript"]


def test_it_prefers_the_whole_words_to_the_scrubbed_ones() -> None:
    ended = read(scrubbed_transcript_with_tool_calls=[GREETING], data_storage_setting="everything_except_pii")
    assert spoken(ended) == spoken(read())
    as_text = read(
        transcript_object=None, transcript_with_tool_calls=None, scrubbed_transcript_with_tool_calls=[OFFER]
    )
    assert spoken(as_text) == SPOKEN
    assert (ended.redacted, as_text.redacted) == ([], [])


def test_it_names_all_that_an_agent_does_not_store() -> None:
    gone = dict.fromkeys(
        ("transcript", "transcript_object", "transcript_with_tool_calls", "from_number", "metadata"),
    )
    variables = dict.fromkeys(("retell_llm_dynamic_variables", "collected_dynamic_variables"))
    ended = read(data_storage_setting="basic_attributes_only", **gone, **variables)
    assert ended.redacted == ["transcript", "customer_number", "variables"]
    assert read(data_storage_setting="basic_attributes_only").redacted == []
    web = read(data_storage_setting="basic_attributes_only", call_type="web_call")
    assert web.redacted == []


def test_it_calls_no_transcript_redacted_that_never_was() -> None:
    silent = {"transcript": None, "transcript_object": None, "transcript_with_tool_calls": None}
    ended = read(call_status="not_connected", data_storage_setting="everything_except_pii", **silent)
    assert ended.redacted == []
    assert read(**silent).redacted == []


# The signature.


def test_it_verifies_the_sdks_own_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one in the tests of retell-sdk 6.2: of 14 November 2023, so the clock stands there."""
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    digest = "07024cabe7dd8f6d1c6e4a8324ca92c812e6ad4a7ee506c04f7e462e3321823e"
    signed = Delivery({"x-retell-signature": f"v=1700000000000,d={digest}"}, b'{"event":"call_ended"}', "")
    Retell().verify(signed, AUTH)
    with pytest.raises(NotVerified):
        Retell().verify(Delivery(signed.headers, signed.body + b" ", ""), AUTH)


def test_it_verifies_what_is_not_ascii_over_the_bytes() -> None:
    body, stamp = '{"event": "call_ended", "said": "Grüß Gott"}'.encode(), str(int(time.time() * 1000))
    digest = hmac.new(b"test-api-key", body + stamp.encode(), hashlib.sha256).hexdigest()
    Retell().verify(Delivery({"x-retell-signature": f"v={stamp},d={digest}"}, body, ""), AUTH)


@pytest.mark.parametrize("form", ["x-v={0},d={1}", "v={0}, d={1}", "d={1},v={0}", "v={0},d={1},d={1}", "v=٣,d={1}"])
def test_it_refuses_another_form_of_the_signature(form: str) -> None:
    body, stamp = b"{}", str(int(time.time() * 1000))
    digest = hmac.new(b"test-api-key", body + stamp.encode(), hashlib.sha256).hexdigest()
    with pytest.raises(NotVerified, match="form"):
        Retell().verify(Delivery({"x-retell-signature": form.format(stamp, digest)}, body, ""), AUTH)
