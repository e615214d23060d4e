"""Vapi's end-of-call report: what it says of a call, in all its forms, and the ways in which it may be signed."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from pydantic import ValidationError
from standardwebhooks import Webhook

from postcall.sources.editing import SourceContent, create_source, renew_secret
from postcall.sources.ended_call import EndedCall
from postcall.sources.kind import Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.platforms.vapi import Credential, Vapi
from postcall.workspaces.models import Workspace

from .platforms.vapi import MESSAGE, PLATFORM, START_MS, said

SECRET = PLATFORM.auth["secret"]
URL = "https://postcall.example/in/vapi/token"
SPOKEN = [("agent", "Northgate Clinic, how can I help?"), ("customer", "A cleaning on Thursday, please.")]


def report(**changed: Any) -> bytes:
    """The report with some of its fields changed; None takes one out."""
    return json.dumps(
        {"message": {key: value for key, value in (MESSAGE | changed).items() if value is not None}}
    ).encode()


def read(**changed: Any) -> EndedCall:
    ended = Vapi().parse(report(**changed))
    assert isinstance(ended, EndedCall)
    return ended


def with_artifact(**changed: Any) -> EndedCall:
    return read(
        artifact={key: value for key, value in (MESSAGE["artifact"] | changed).items() if value is not None}
    )


def with_call(**changed: Any) -> EndedCall:
    return read(call={key: value for key, value in (MESSAGE["call"] | changed).items() if value is not None})


def spoken(ended: EndedCall) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in ended.transcript]


def test_it_reads_all_that_a_report_says() -> None:
    assert read() == EndedCall.model_validate(
        {
            "external_id": "call-1",
            "agent": "asst-1",
            "direction": "inbound",
            "customer_number": "+14155550132",
            "agent_number": "+14155550100",
            "started_at": datetime(2026, 3, 4, 10, 0, tzinfo=UTC),
            "ended_at": datetime(2026, 3, 4, 10, 1, 52, 500000, tzinfo=UTC),
            "end_reason": "customer-ended-call",
            "ending": "customer_hung_up",
            "connected": True,
            "transcript": [
                {"role": "agent", "text": "Northgate Clinic, how can I help?", "at": 1.2},
                {"role": "customer", "text": "A cleaning on Thursday, please.", "at": 4.5},
                {
                    "role": "tool",
                    "text": 'create_booking called with {"day": "Thursday"}',
                    "at": 7.25,
                    "tool": "create_booking",
                },
                {
                    "role": "tool",
                    "text": 'create_booking answered {"reference": "N-117"}',
                    "at": 8.5,
                    "tool": "create_booking",
                },
                {"role": "agent", "text": "Thursday at two it is.", "at": 9.75},
            ],
            "variables": {
                "pre_call": {"customer": {"externalId": "p-9"}, "metadata": {"crm": "77"}, "plan": "gold"},
                "collected": {"customer": {"name": "Ann"}, "slot": "Thursday at two"},
                "extracted": {"mood": "glad", "service": "check-up", "Service": {"kind": "cleaning"}},
                "action_results": {"create_booking": {"reference": "N-117"}},
            },
            "hints": {"summary": "Ann booked a cleaning.", "successful": "true"},
        }
    )


@pytest.mark.parametrize(
    "kind",
    ["assistant-request", "tool-calls", "transfer-destination-request", "handoff-destination-request",
     "knowledge-base-request", "voice-request", "call.endpointing.request", "status-update", "transcript",
     'transcript[transcriptType="final"]', "speech-update", "conversation-update", "model-output", "voice-input",
     "user-interrupted", "hang", "transfer-update", "phone-call-control", "language-change-detected",
     "assistant.speechStarted", "chat.created", "session.created", "call.deleted", "something-new"],
)  # fmt: skip
def test_it_ignores_every_other_server_message(kind: str) -> None:
    assert Vapi().parse(report(type=kind)) == Ignored(kind)


def test_it_ignores_the_end_of_a_chat() -> None:
    assert isinstance(Vapi().parse(report(call=None, chat={"id": "chat-1"})), Ignored)


@pytest.mark.parametrize("call", [None, {}, {"id": ""}, {"id": None}, {"id": "x" * 256}, "call-1"])
def test_it_refuses_a_report_that_names_no_call(call: Any) -> None:
    with pytest.raises(Unreadable) as refused:
        Vapi().parse(report(call=call))
    assert refused.value.errors == [("message.call.id", "is required")]


# Who called whom.


def test_it_knows_the_agent_by_whatever_the_call_was_given_to() -> None:
    assert with_call(assistantId=None, squadId="squad-1").agent == "squad-1"
    assert with_call(assistantId=None, workflowId="flow-1").agent == "flow-1"
    assert with_call(assistantId=None).agent == "asst-1"
    assert read(call={"id": "call-1"}, assistant={"name": "Front desk"}).agent is None


def test_it_keeps_the_customers_number_whatever_the_direction() -> None:
    ended = with_call(type="outboundPhoneCall")
    assert (ended.direction, ended.customer_number, ended.agent_number) == (
        "outbound",
        "+14155550132",
        "+14155550100",
    )


@pytest.mark.parametrize("kind", ["webCall", "vapi.websocketCall"])
def test_it_takes_no_number_from_where_no_telephone_is(kind: str) -> None:
    """Whoever opens the web page writes what stands there: a stranger's number too."""
    ended = with_call(type=kind)
    assert (ended.direction, ended.customer_number) == (None, None)


def test_it_reads_numbers_that_stand_with_the_call() -> None:
    call = {"customer": {"number": "+14155550177"}, "phoneNumber": {"twilioPhoneNumber": "+14155550188"}}
    ended = read(call=MESSAGE["call"] | call, customer=None, phoneNumber=None)
    assert (ended.customer_number, ended.agent_number) == ("+14155550177", "+14155550188")


@pytest.mark.parametrize(
    ("uri", "number"),
    [("sip:+14155550132@trunk.example", "+14155550132"), ("sip:ann@example.com", None), ("+14155550132", None)],
)
def test_it_reads_a_number_out_of_a_sip_address(uri: str, number: str | None) -> None:
    assert read(customer={"sipUri": uri}).customer_number == number


def test_it_takes_a_customers_name_for_the_operators_word_only_when_the_operator_called() -> None:
    given, theirs = with_call(type="outboundPhoneCall").variables, read().variables
    assert (given.pre_call["customer"], given.collected.get("customer")) == (
        {"name": "Ann", "externalId": "p-9"},
        None,
    )
    assert theirs.collected["customer"] == {"name": "Ann"}


def test_it_takes_no_time_or_reason_from_the_copy_of_the_call() -> None:
    stale = {"startedAt": "2026-03-04T09:00:00Z", "endedAt": "2026-03-04T09:30:00Z", "endedReason": "customer-busy"}
    ended = read(call=MESSAGE["call"] | stale, startedAt=None, endedAt=None, endedReason=None)
    assert (ended.started_at, ended.ended_at, ended.end_reason, ended.ending) == (None, None, None, None)


# How it ended.


@pytest.mark.parametrize(
    ("reason", "ending", "connected"),
    [
        ("customer-ended-call", "customer_hung_up", True),
        ("customer-ended-call-during-transfer", "customer_hung_up", True),
        ("assistant-ended-call", "agent_hung_up", True),
        ("assistant-ended-call-after-message-spoken", "agent_hung_up", True),
        ("assistant-said-end-call-phrase", "agent_hung_up", True),
        ("assistant-forwarded-call", "transferred", True),
        ("call.ringing.hook-executed-transfer", "transferred", None),
        ("call.ending.hook-executed-say", "agent_hung_up", None),
        ("voicemail", "voicemail", None),
        ("customer-did-not-answer", "no_answer", False),
        ("customer-busy", "busy", False),
        ("silence-timed-out", "silence", None),
        ("exceeded-max-duration", "too_long", None),
        ("manually-canceled", "canceled", None),
        ("scheduled-call-deleted", "canceled", False),
        ("call.ringing.sip-inbound-caller-hungup-before-call-connect", "canceled", False),
        ("twilio-failed-to-connect-call", "failed", False),
        ("vonage-rejected", "failed", False),
        ("twilio-reported-customer-misdialed", "failed", False),
        ("call.start.error-subscription-insufficient-credits", "failed", False),
        ("call-start-error-neither-assistant-nor-server-set", "failed", False),
        ("call.ringing.error-sip-inbound-call-failed-to-connect", "failed", False),
        ("call.in-progress.error-sip-outbound-call-failed-to-connect", "failed", False),
        ("call.in-progress.error-vapifault-transport-never-connected", "failed", False),
        ("call.in-progress.error-providerfault-outbound-sip-480-temporarily-unavailable", "failed", False),
        ("assistant-request-returned-no-assistant", "failed", None),
        ("assistant-not-found", "failed", None),
        ("vonage-completed", "hung_up", None),
        ("call.in-progress.twilio-completed-call", "hung_up", None),
        ("pipeline-error-openai-llm-failed", "error", None),
        ("call.in-progress.error-vapifault-deepgram-transcriber-failed", "error", None),
        ("call.in-progress.error-warm-transfer-max-duration", "error", None),
        ("call.forwarding.operator-busy", "error", None),
        ("assistant-error", "error", None),
        ("worker-shutdown", "error", None),
        ("phone-call-provider-closed-websocket", "error", None),
        ("something-of-a-later-day", None, None),
    ],
)
def test_it_knows_how_a_call_ended(reason: str, ending: str | None, connected: bool | None) -> None:
    ended = read(endedReason=reason, artifact={})
    assert (ended.end_reason, ended.ending, ended.connected) == (reason, ending, connected)


def test_it_does_not_say_that_nobody_was_reached_where_the_customer_spoke() -> None:
    assert (read(endedReason="customer-busy").ending, read(endedReason="customer-busy").connected) == ("busy", None)


# The transcript.


def test_it_leaves_the_prompt_out() -> None:
    """Else an agent told what to do about voicemail would seem to have reached one."""
    assert all("voicemail" not in turn.text for turn in read().transcript)
    assert (
        with_artifact(messages=MESSAGE["artifact"]["messages"][:1], transcript=None).transcript
        == read(artifact={"messagesOpenAIFormatted": MESSAGE["artifact"]["messagesOpenAIFormatted"]}).transcript[:1]
    )


def test_it_reads_the_transcript_in_openais_form() -> None:
    formatted = [
        {"role": "system", "content": "You are the front desk."},
        {"role": "assistant", "content": "Northgate Clinic, how can I help?"},
        {"role": "user", "content": [{"type": "text", "text": "A cleaning on Thursday, please."}]},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "tc-1", "function": {"name": "create_booking", "arguments": {"day": "Thursday"}}}
            ],
        },
        {"role": "tool", "tool_call_id": "tc-1", "content": '{"reference": "N-117"}'},
    ]
    ended = with_artifact(messages=None, messagesOpenAIFormatted=formatted)
    assert spoken(ended) == [
        *SPOKEN,
        ("tool", 'create_booking called with {"day": "Thursday"}'),
        ("tool", 'create_booking answered {"reference": "N-117"}'),
    ]
    assert ended.variables.action_results == {"create_booking": {"reference": "N-117"}}


def test_it_reads_the_transcript_that_is_one_text() -> None:
    assert spoken(with_artifact(messages=[], messagesOpenAIFormatted=None)) == SPOKEN


@pytest.mark.parametrize("name", ["messages", "messagesOpenAIFormatted", "transcript"])
def test_it_reads_a_report_of_the_time_before_artifacts(name: str) -> None:
    older = read(artifact=None, **{name: MESSAGE["artifact"][name]})
    assert older.transcript
    assert spoken(older)[0] == SPOKEN[0]


def test_it_reckons_the_time_of_a_turn_where_only_the_clock_is_told() -> None:
    entry = {"role": "user", "message": "Hello?", "time": START_MS + 2500}
    assert with_artifact(messages=[entry]).transcript[0].at == 2.5


def test_it_keeps_the_last_result_of_a_tool() -> None:
    def result(text: str) -> dict[str, Any]:
        return {"role": "tool_call_result", "name": "lookup", "result": text}

    ended = with_artifact(messages=[said("user", "Hi", 1), result('{"id": 1}'), result("none"), result("")])
    assert ended.variables.action_results == {"lookup": {"result": "none"}}


@pytest.mark.parametrize(
    "plan",
    [
        {"assistant": {"artifactPlan": {"transcriptPlan": {"enabled": False}}}},
        {"call": MESSAGE["call"] | {"artifactPlan": {"transcriptPlan": {"enabled": False}}}},
    ],
)
def test_it_names_a_transcript_that_is_switched_off(plan: dict[str, Any]) -> None:
    assert read(artifact={}, **plan).redacted == ["transcript"]
    assert read(**plan).redacted == []
    assert read(artifact={}).redacted == []


# Variables and hints.


def test_it_takes_what_changed_during_the_call_for_collected() -> None:
    values = {"plan": "silver", "now": "Mar 4", "time": "10:00 AM"}
    assert with_artifact(variableValues=values).variables.collected == {
        "customer": {"name": "Ann"},
        "plan": "silver",
    }
    assert with_artifact(variableValues=None, variables={"slot": "two"}).variables.collected["slot"] == "two"


def test_it_reads_what_was_given_with_a_call_wherever_it_stands() -> None:
    call = {
        "assistantOverrides": None,
        "squadOverrides": {"variableValues": {"a": 1, "b": 1}},
        "customer": {"assistantOverrides": {"variableValues": {"b": 2}}},
    }
    assert with_call(**call).variables.pre_call == {"customer": {"externalId": "p-9"}, "a": 1, "b": 2}


def test_it_lets_a_structured_output_replace_the_older_data() -> None:
    outputs = {"id-1": {"name": "service", "result": "cleaning"}, "id-2": {"result": 5}}
    assert with_artifact(structuredOutputs=outputs).variables.extracted == {
        "mood": "glad",
        "service": "cleaning",
        "id-2": 5,
    }


@pytest.mark.parametrize("analysis", [{}, None, "none"])
def test_it_does_without_an_analysis(analysis: Any) -> None:
    ended = read(analysis=analysis, summary="Older bodies have it here.")
    assert ended.hints == {"summary": "Older bodies have it here."}
    assert ended.variables.extracted == {"Service": {"kind": "cleaning"}}


# Who may send.


def auth(plan: Mapping[str, Any] | None = None, secret: str = SECRET) -> dict[str, Any]:
    given = {"secret": secret} | ({} if plan is None else {"plan": plan})
    return Credential.model_validate(given).model_dump(mode="json", exclude_none=True)


def verify(headers: Mapping[str, str], plan: Mapping[str, Any] | None = None, body: bytes = b"{}") -> None:
    Vapi().verify(Delivery(headers, body, URL), auth(plan))


def now() -> str:
    return str(int(time.time()))


def digest(signed: bytes, key: bytes = SECRET.encode(), algorithm: str = "sha256") -> bytes:
    return hmac.digest(key, signed, algorithm)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-vapi-secret": SECRET},
        {"authorization": f"Bearer {SECRET}"},
        {"authorization": f"bearer  {SECRET} "},
    ],
)
def test_it_takes_the_secret_as_it_is(headers: dict[str, str]) -> None:
    verify(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-vapi-secret": SECRET[:-1]},
        {"x-vapi-secret": ""},
        {"authorization": SECRET},
        {"authorization": f"Basic {SECRET}"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {SECRET}x"},
        {"authorization": f"Bearer {SECRET}", "x-signature": "0" * 64},
        {"authorization": f"Bearer {SECRET}", "x-signature": "0" * 64, "x-timestamp": now()},
    ],
)
def test_it_takes_nothing_else(headers: dict[str, str]) -> None:
    with pytest.raises(NotVerified):
        verify(headers)


def test_it_takes_milliseconds_too() -> None:
    stamp = str(int(time.time() * 1000))
    verify({"x-timestamp": stamp, "x-signature": digest(stamp.encode() + b".{}").hex().upper()})
    old = str(int((time.time() - 301) * 1000))
    with pytest.raises(NotVerified, match="old"):
        verify({"x-timestamp": old, "x-signature": digest(old.encode() + b".{}").hex()})


@pytest.mark.parametrize("headers", [{"x-vapi-secret": SECRET}, {"authorization": f"Bearer {SECRET}"}])
def test_it_takes_nothing_but_the_signature_once_there_is_a_plan(headers: dict[str, str]) -> None:
    with pytest.raises(NotVerified, match="x-signature is missing"):
        verify(headers, plan={})


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_it_verifies_any_plan(algorithm: str) -> None:
    """In Vapi's own spelling, with every part of it changed."""
    plan = {
        "type": "hmac",
        "algorithm": algorithm,
        "signatureHeader": "X-Hub-Signature",
        "timestampHeader": "X-When",
        "signaturePrefix": f"{algorithm}=",
        "payloadFormat": "{method} {url} {svix-id} {timestamp} {body}",
        "messageIdHeader": "X-Message-Id",
        "signatureEncoding": "base64",
    }
    body, stamp = b'{"said": "{timestamp} {body}"}', now()
    signed = f"POST {URL} m-1 {stamp} ".encode() + body
    made = base64.b64encode(digest(signed, algorithm=algorithm)).decode()
    headers = {"x-when": stamp, "x-message-id": "m-1", "x-hub-signature": f"{algorithm}={made}"}
    verify(headers, plan, body)
    for name, wrong in [("x-message-id", "m-2"), ("x-when", str(int(stamp) - 1)), ("x-hub-signature", made)]:
        with pytest.raises(NotVerified):
            verify(headers | {name: wrong}, plan, body)
    with pytest.raises(NotVerified):
        verify(headers, plan, body + b" ")


def test_it_verifies_a_body_that_is_signed_alone() -> None:
    plan = {"signature_header": "x-vapi-signature", "include_timestamp": False}
    verify({"x-vapi-signature": digest(b"{}").hex()}, plan)
    with pytest.raises(NotVerified):
        verify({"x-vapi-signature": digest(b"{} ").hex()}, plan)


def test_it_verifies_what_the_library_of_standard_webhooks_signed() -> None:
    plan = {
        "signature_header": "webhook-signature",
        "timestamp_header": "webhook-timestamp",
        "message_id_header": "webhook-id",
        "payload_format": "{svix-id}.{timestamp}.{body}",
        "prefix": "v1,",
        "encoding": "base64",
        "secret_is_base64": True,
    }
    at = datetime.now(UTC).replace(microsecond=0)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", at, PLATFORM.body.decode()),
    }
    verify(headers, plan, PLATFORM.body)
    with pytest.raises(NotVerified):
        verify(headers | {"webhook-id": "msg_2"}, plan, PLATFORM.body)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"payload_format": "{timestamp}"}, "has to hold {body}"),
        ({"payload_format": "{body}"}, "has to hold {timestamp}"),
        ({"payload_format": "{timestamp}.{body}", "include_timestamp": False}, "has to hold {timestamp}"),
        ({"algorithm": "md5"}, "sha256"),
        ({"signature_header": "x signature"}, "pattern"),
        ({"secretKey": "x"}, "secretKey"),
    ],
)
def test_it_refuses_a_plan_that_is_none(plan: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        auth(plan)


def test_it_refuses_a_secret_that_its_plan_could_not_read() -> None:
    with pytest.raises(ValidationError, match="base64"):
        auth({"secret_is_base64": True}, secret="not base64 but long enough")
    with pytest.raises(ValidationError, match="16"):
        auth(secret="short")


def test_it_makes_a_secret_that_does_for_every_plan() -> None:
    made, again = Vapi().new_auth(), Vapi().new_auth()
    assert made != again
    assert len(base64.b64decode(made["secret"], validate=True)) == 32
    auth({"secret_is_base64": True}, secret=made["secret"])


@pytest.mark.django_db
def test_it_goes_on_taking_nothing_but_the_signature_when_its_secret_is_replaced() -> None:
    content = SourceContent(
        kind="vapi", name="Front desk", auth={"secret": SECRET, "plan": {"algorithm": "sha512"}}
    )
    source, _ = create_source(Workspace.objects.create(name="Northgate Clinic"), content)
    made = renew_secret(source)["secret"]

    def answer(**headers: str) -> int:
        posted = Client().post(
            f"/in/vapi/{source.token}", PLATFORM.body, content_type="application/json", headers=headers
        )
        return posted.status_code

    stamp = now()
    signed = stamp.encode() + b"." + PLATFORM.body
    for secret in (SECRET, made):
        right = digest(signed, secret.encode(), "sha512").hex()
        assert answer(x_timestamp=stamp, x_signature=right) == 200
        assert answer(authorization=f"Bearer {secret}") == 401
