"""ElevenLabs Agents: conversations over telephone, SMS, WhatsApp and browsers, and calls that never began."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from postcall.sources.ended_call import EndedCall, Ending, Turn, Variables
from postcall.sources.kind import Addition, Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.platforms.elevenlabs import ElevenLabs

from .platforms.elevenlabs import EVENT, PLATFORM, sign

AUTH = dict(PLATFORM.auth)


def parsed(change: Callable[[dict[str, Any]], object] = lambda data: None, **event: Any) -> EndedCall:
    told = copy.deepcopy(EVENT) | event
    change(told["data"])
    read = ElevenLabs().parse(json.dumps(told).encode())
    assert isinstance(read, EndedCall)
    return read


def failed(metadata: dict[str, Any], reason: str | None = "unknown", **more: Any) -> EndedCall:
    data = {
        "agent_id": "agent_1",
        "conversation_id": "call-2",
        "failure_reason": reason,
        "metadata": metadata,
        **more,
    }
    read = ElevenLabs().parse(
        json.dumps({"type": "call_initiation_failure", "event_timestamp": 1772618500, "data": data}).encode()
    )
    assert isinstance(read, EndedCall)
    return read


def test_it_reads_a_conversation_by_telephone() -> None:
    assert parsed() == EndedCall(
        external_id="call-1",
        agent="agent_front_desk",
        direction="inbound",
        customer_number="+14155550132",
        agent_number="+14155550100",
        started_at=datetime(2026, 3, 4, 10, 0, tzinfo=UTC),
        ended_at=datetime(2026, 3, 4, 10, 0, 21, tzinfo=UTC),
        end_reason="Call ended by remote party",
        ending="customer_hung_up",
        connected=True,
        transcript=[
            Turn(role="agent", text="Northgate Clinic, how may I help?", at=0),
            Turn(role="customer", text="I need an appointment on Tuesday. I am Ann.", at=4),
            Turn(role="agent", text="One moment.", at=9),
            Turn(
                role="tool",
                text='create_booking called with {"day": "2026-03-10"}',
                at=9,
                tool="create_booking",
            ),
            Turn(role="tool", text='create_booking answered {"reference": "NG-7"}', at=12, tool="create_booking"),
            Turn(role="agent", text="You are booked for Tuesday at ten.", at=12),
            Turn(role="customer", text="Thank you, goodbye.", at=17),
        ],
        variables=Variables(
            pre_call={"clinic": "Northgate"},
            collected={"booking_reference": "NG-7"},
            extracted={"first_name": "Ann"},
            action_results={"create_booking": {"reference": "NG-7"}},
        ),
        hints={
            "summary": "Ann booked an appointment.",
            "title": "Appointment booked",
            "successful": "success",
            "evaluation": {"booked": "success"},
            "language": "en",
        },
        also_known_as=["CA0001"],
    )


def test_it_takes_the_human_for_the_customer_of_an_outbound_call_too() -> None:
    ended = parsed(lambda data: data["metadata"]["phone_call"].update(direction="outbound", type="sip_trunking"))
    assert (ended.direction, ended.customer_number, ended.agent_number) == (
        "outbound",
        "+14155550132",
        "+14155550100",
    )


def test_it_reads_a_number_out_of_a_sip_address() -> None:
    ended = parsed(
        lambda data: data["metadata"]["phone_call"].update(
            external_number="sip:+14155550132@trunk.example;user=phone"
        )
    )
    assert ended.customer_number == "+14155550132"


def test_it_takes_the_callers_system_variable_where_the_line_leaves_the_number_out() -> None:
    ended = parsed(
        lambda data: data["metadata"].update(phone_call={"type": "sip_trunking", "direction": "inbound"})
    )
    assert (ended.customer_number, ended.agent_number) == ("+14155550132", "+14155550100")


def test_it_does_not_ask_the_system_variable_whom_the_agent_called() -> None:
    ended = parsed(lambda data: data["metadata"].update(phone_call={"type": "twilio", "direction": "outbound"}))
    assert (ended.direction, ended.customer_number, ended.agent_number) == ("outbound", None, None)


def test_it_takes_no_number_from_a_conversation_in_a_browser() -> None:
    """There the variables are what the page, and so its visitor, gives."""
    ended = parsed(lambda data: data["metadata"].update(phone_call=None))
    assert (ended.direction, ended.customer_number, ended.agent_number) == (None, None, None)
    assert ended.also_known_as == []


@pytest.mark.parametrize(
    ("line", "customer", "agent"),
    [
        (
            {
                "sms": {
                    "direction": "inbound",
                    "sms_user_phone_number": "+14155550133",
                    "agent_phone_number": "+1415",
                }
            },
            "+14155550133",
            "+1415",
        ),
        ({"whatsapp": {"direction": "inbound", "whatsapp_user_id": "14155550134"}}, "+14155550134", None),
        ({"whatsapp": {"direction": "inbound", "whatsapp_user_id": "US.134912086553027"}}, None, None),
        (
            {
                "whatsapp": {
                    "direction": "inbound",
                    "whatsapp_user_id": "US.1",
                    "recipient": {"phone": "+14155550135"},
                }
            },
            "+14155550135",
            None,
        ),
    ],
)
def test_it_reads_who_wrote_by_sms_or_whatsapp(
    line: dict[str, Any], customer: str | None, agent: str | None
) -> None:
    ended = parsed(lambda data: data["metadata"].update(phone_call=None, **line))
    assert (ended.direction, ended.customer_number, ended.agent_number) == ("inbound", customer, agent)


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        ("end_call tool was called.", "agent_hung_up"),
        ("Client disconnected: 1000", "customer_hung_up"),
        ("voicemail_detection tool was called.", "voicemail"),
        ("transfer_to_number tool was called.", "transferred"),
        ("transfer_to_agent tool was called.", None),
        ("Ending conversation after 40 seconds of silence.", "silence"),
        ("Max inactive time reached", "silence"),
        ("Max duration limit reached", "too_long"),
        ("This request exceeds your quota limit.", "error"),
        ("Moon in the wrong house", None),
        (None, None),
    ],
)
def test_it_says_in_our_words_how_it_ended(reason: str | None, ending: Ending | None) -> None:
    ended = parsed(lambda data: data["metadata"].update(termination_reason=reason))
    assert (ended.end_reason, ended.ending) == (reason, ending)


@pytest.mark.parametrize(
    ("result", "ending", "connected"),
    [
        ("answered", "customer_hung_up", True),
        ("voicemail", "voicemail", None),
        ("busy", "busy", False),
        ("no_answer", "no_answer", False),
        ("failed", "failed", False),
        ("moved", "customer_hung_up", None),
    ],
)
def test_it_believes_the_carrier_about_who_was_reached(result: str, ending: Ending, connected: bool | None) -> None:
    def change(data: dict[str, Any]) -> None:
        data.update(transcript=[], user_message_count=0, agent_message_count=0)
        data["metadata"]["phone_call"].update(direction="outbound", call_result=result)

    ended = parsed(change)
    assert (ended.ending, ended.connected) == (ending, connected)


def test_it_does_not_say_that_nobody_was_reached_where_somebody_spoke() -> None:
    def change(data: dict[str, Any]) -> None:
        data["user_message_count"] = None
        data["metadata"]["phone_call"]["call_result"] = "failed"

    assert parsed(change).connected is None


@pytest.mark.parametrize(
    ("outcome", "ending"),
    [
        ("voicemail_detection_success", "voicemail"),
        ("transfer_to_number_twilio_success", "transferred"),
        ("transfer_to_number_error", "customer_hung_up"),
        ("transfer_to_agent_success", "customer_hung_up"),
    ],
)
def test_it_hears_from_system_tools_how_it_ended(outcome: str, ending: Ending) -> None:
    result = {
        "type": "system",
        "request_id": "r",
        "tool_name": outcome.rpartition("_")[0],
        "result_value": "Done",
        "result": {"result_type": outcome, "status": "success"},
        "is_error": False,
    }
    ended = parsed(lambda data: data["transcript"][2].update(tool_results=[result]))
    assert ended.ending == ending
    assert ended.variables.action_results[result["tool_name"]] == result["result"]  # type: ignore[index]  # a str


@pytest.mark.parametrize(("spoken", "ending"), [(True, "error"), (False, "failed")])
def test_it_reads_a_conversation_that_failed(spoken: bool, ending: Ending) -> None:
    def change(data: dict[str, Any]) -> None:
        data["status"] = "failed"
        data["metadata"].update(termination_reason=None, error={"code": 1011, "reason": "The line broke"})
        if not spoken:
            data.update(transcript=[], user_message_count=0, agent_message_count=0)

    ended = parsed(change)
    assert (ended.ending, ended.end_reason, ended.hints["error"]) == (ending, "The line broke", "The line broke")


def test_it_keeps_the_last_answer_of_a_tool_that_is_no_error() -> None:
    def result(value: str, **more: Any) -> dict[str, Any]:
        return {"tool_name": "create_booking", "result_value": value, "is_error": False, **more}

    def change(data: dict[str, Any]) -> None:
        data["transcript"] = [
            {"role": "agent", "message": None, "tool_results": [result('{"reference": "A"}'), result("[1, 2]")]},
            {"role": "agent", "message": None, "tool_results": [result("Timed out", is_error=True)]},
        ]

    ended = parsed(change)
    assert ended.variables.action_results == {"create_booking": {"result": [1, 2]}}
    assert [turn.text for turn in ended.transcript][-1] == "create_booking answered Timed out"


def test_it_tells_a_call_before_its_result_where_one_entry_has_both() -> None:
    entry = {
        "role": "agent",
        "message": "Let me look.",
        "tool_calls": [{"request_id": "r", "tool_name": "find", "params_as_json": "{}"}],
        "tool_results": [{"request_id": "r", "tool_name": "find", "result_value": "none"}],
        "time_in_call_secs": 3,
    }
    ended = parsed(lambda data: data.update(transcript=[entry]))
    assert [turn.text for turn in ended.transcript] == ["Let me look.", "find called with {}", "find answered none"]


def test_it_reads_what_several_voices_said() -> None:
    parts = [{"text": "Hello.", "voice_label": "a"}, {"text": "And welcome."}]
    entry = {"role": "agent", "message": None, "multivoice_message": {"parts": parts}, "time_in_call_secs": 0}
    ended = parsed(lambda data: data.update(transcript=[entry]))
    assert [turn.text for turn in ended.transcript] == ["Hello. And welcome."]


def test_it_reads_the_data_collection_as_a_list_too() -> None:
    listed = [{"data_collection_id": "plan", "value": "Gold", "rationale": "Said."}]
    ended = parsed(
        lambda data: data["analysis"].update(data_collection_results=None, data_collection_results_list=listed)
    )
    assert ended.variables.extracted == {"plan": "Gold"}


def test_it_names_what_redaction_took_out() -> None:
    def change(data: dict[str, Any]) -> None:
        data["metadata"]["phone_call"]["external_number"] = "[PHONE_NUMBER]"
        data["transcript"] = [{"role": "user", "message": "I am [NAME].", "time_in_call_secs": 1}]
        data["analysis"]["data_collection_results"] = {
            "name": {"value": "Dr. [NAME_FAMILY]"},
            "seats": {"value": [2, "two"]},
        }

    ended = parsed(change)
    assert ended.redacted == ["customer_number", "variables"]
    assert ended.customer_number is None
    assert ended.variables.extracted == {"seats": [2, "two"]}
    assert ended.transcript[0].text == "I am [NAME]."


@pytest.mark.parametrize(
    "change",
    [
        lambda data: [data.pop(name) for name in ("transcript", "user_message_count", "agent_message_count")],
        lambda data: data.update(transcript=[]),
        lambda data: (
            data.update(transcript=[], user_message_count=None, agent_message_count=None),
            data["metadata"].update(deletion_settings={"deleted_transcript_at_time_unix_secs": 1772618490}),
        ),
    ],
)
def test_it_names_a_transcript_that_was_left_out(change: Callable[[dict[str, Any]], object]) -> None:
    ended = parsed(change)
    assert (ended.transcript, ended.redacted) == ([], ["transcript"])


def test_it_takes_an_empty_conversation_for_an_empty_one() -> None:
    ended = parsed(lambda data: data.update(transcript=[], user_message_count=0, agent_message_count=0))
    assert (ended.redacted, ended.connected) == ([], None)


def test_it_keeps_no_secret_of_the_agent() -> None:
    given = {"secret__token": "x", "system__time": "now", "plan": "Gold"}
    ended = parsed(lambda data: data["conversation_initiation_client_data"].update(dynamic_variables=given))
    assert ended.variables.pre_call == {"plan": "Gold"}


def test_it_reads_a_call_that_never_began_on_twilio() -> None:
    body = {
        "CallSid": "CA0002",
        "CallStatus": "busy",
        "Direction": "outbound-api",
        "To": "+14155550132",
        "From": "+14155550100",
        "SipResponseCode": "486",
    }
    given = {"dynamic_variables": {"clinic": "Northgate", "system__agent_id": "agent_1"}}
    ended = failed({"type": "twilio", "body": body}, "busy", conversation_initiation_client_data=given)
    assert ended == EndedCall(
        external_id="call-2",
        agent="agent_1",
        direction="outbound",
        customer_number="+14155550132",
        agent_number="+14155550100",
        ended_at=datetime(2026, 3, 4, 10, 1, 40, tzinfo=UTC),
        end_reason="busy",
        ending="busy",
        connected=False,
        variables=Variables(pre_call={"clinic": "Northgate"}),
        also_known_as=["CA0002"],
    )


@pytest.mark.parametrize(
    ("reason", "metadata", "said", "ending"),
    [
        ("no-answer", {"type": "twilio", "body": {"CallStatus": "no-answer"}}, "no-answer", "no_answer"),
        ("unknown", {"type": "twilio", "body": {"CallStatus": "canceled"}}, "canceled", "canceled"),
        ("unknown", {"type": "sip", "body": {"sip_status_code": 480}}, "unknown", "no_answer"),
        (
            "unknown",
            {"type": "sip", "body": {"sip_status_code": 404, "error_reason": "No route"}},
            "No route",
            "failed",
        ),
        ("unknown", {}, "unknown", "failed"),
        (None, {"type": "sip", "body": None}, None, "failed"),
    ],
)
def test_it_says_why_a_call_never_began(
    reason: str | None, metadata: dict[str, Any], said: str | None, ending: Ending
) -> None:
    ended = failed(metadata, reason)
    assert (ended.end_reason, ended.ending, ended.connected) == (said, ending, False)


def test_it_reads_the_numbers_of_a_sip_trunk() -> None:
    ended = failed({"type": "sip", "body": {"to_number": "+14155550132", "from_number": "+14155550100"}})
    assert (ended.direction, ended.customer_number, ended.agent_number) == (
        "outbound",
        "+14155550132",
        "+14155550100",
    )


@pytest.mark.parametrize(
    "kind", ["post_call_audio", "answering_machine_detection", "workspace_event", "call.ended", "x" * 300]
)
def test_it_ignores_other_events(kind: str) -> None:
    read = ElevenLabs().parse(json.dumps({"type": kind, "data": {"conversation_id": "call-1"}}).encode())
    assert read == Ignored(kind[:100])


@pytest.mark.parametrize(("told", "ending"), [("machine_start", "voicemail"), ("human", None)])
def test_it_adds_the_carriers_word_on_who_picked_up(told: str, ending: Ending | None) -> None:
    event = {"type": "answering_machine_detection", "data": {"conversation_id": "call-1", "answered_by": told}}
    assert ElevenLabs().parse(json.dumps(event).encode()) == Addition(
        keys=("call-1",), hints={"answered_by": told}, ending=ending
    )


@pytest.mark.parametrize("kind", ["post_call_transcription", "call_initiation_failure"])
def test_it_asks_for_the_conversations_id(kind: str) -> None:
    with pytest.raises(Unreadable) as refused:
        ElevenLabs().parse(json.dumps({"type": kind, "data": {"agent_id": "agent_1"}}).encode())
    assert refused.value.errors == [("data.conversation_id", "is required")]


def test_it_takes_any_of_several_signatures() -> None:
    right = sign(PLATFORM.body, time.time(), AUTH)["elevenlabs-signature"]
    stamp, _, made = right.partition(",")
    for written in (f"{stamp},v0={'0' * 64},{made}", f"{made}, {stamp}"):
        ElevenLabs().verify(Delivery({"elevenlabs-signature": written}, PLATFORM.body, ""), AUTH)


def test_it_takes_the_last_retry() -> None:
    headers = sign(PLATFORM.body, time.time() - 45 * 60, AUTH)
    ElevenLabs().verify(Delivery(dict(headers), PLATFORM.body, ""), AUTH)


def test_it_signs_the_time_as_it_was_written() -> None:
    headers = sign(PLATFORM.body, time.time(), AUTH)["elevenlabs-signature"].replace("t=", "t=0")
    with pytest.raises(NotVerified, match="another secret"):
        ElevenLabs().verify(Delivery({"elevenlabs-signature": headers}, PLATFORM.body, ""), AUTH)


def test_it_agrees_with_the_vendors_own_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signature is one that `construct_event` of `elevenlabs` 2.78.0 takes for this secret, time and body."""
    monkeypatch.setattr(time, "time", lambda: 1772618600.0)
    made = "01c07661969d346c901bdb45fe897bae943464837fc984d90311d612dbe8d51c"
    body = '{"type":"post_call_audio","data":{"name":"Zoë"}}'.encode()
    delivery = Delivery({"elevenlabs-signature": f"t=1772618500,v0={made}"}, body, "")
    ElevenLabs().verify(delivery, {"secret": "wsec_northgate"})
