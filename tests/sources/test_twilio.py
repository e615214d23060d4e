"""Twilio's callbacks about calls, and what agents on Twilio forward."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK ships no types

from postcall.agents.models import Agent, ExternalId
from postcall.calls.models import Call
from postcall.sources.ended_call import EndedCall, Turn, Variables
from postcall.sources.kind import Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.models import Source
from postcall.sources.platforms.twilio import Twilio
from postcall.workspaces.models import Workspace

from .platforms import URL
from .platforms.twilio import CALL_SID, FORM, PLATFORM
from .posted import posted, snippet
from .test_every_kind import _broken

READ = Twilio()
TOKEN = PLATFORM.auth["secret"]
SAID = [
    {"role": "agent", "text": "Harbor Dental, hello?"},
    {"role": "customer", "text": "A cleaning on Tuesday, please."},
]
STATUS = {
    "CallSid": CALL_SID,
    "CallStatus": "completed",
    "CallDuration": "94",
    "Direction": "inbound",
    "From": "+14155550132",
    "To": "+14155550100",
    "Timestamp": "Wed, 04 Mar 2026 10:01:34 +0000",
    "CallbackSource": "call-progress-events",
    "SequenceNumber": "0",
}


def form(**changed: str | None) -> bytes:
    return urlencode({name: value for name, value in (STATUS | changed).items() if value is not None}).encode()


def parse(body: bytes) -> EndedCall:
    read = READ.parse(body)
    assert isinstance(read, EndedCall)
    return read


def handed(data: Any, **changed: str | None) -> EndedCall:
    return parse(form(SessionId="VX1", SessionStatus="ended", HandoffData=json.dumps(data), **changed))


def event(**data: Any) -> bytes:
    return json.dumps({"type": "call.ended", "data": {"external_id": CALL_SID, **data}}).encode()


def with_hash(url: str, body: bytes) -> str:
    return f"{url}?bodySHA256={hashlib.sha256(body).hexdigest()}"


def signature(url: str, fields: Mapping[str, str] | None = None, algorithm: str | None = None) -> str:
    made: str = RequestValidator(TOKEN).compute_signature(url, dict(fields or {}), algorithm)
    return made


# Twilio's own callbacks


def test_it_reads_the_end_of_a_session_that_brings_the_whole_conversation() -> None:
    assert parse(PLATFORM.body) == EndedCall(
        external_id=CALL_SID,
        agent="+14155550100",
        direction="inbound",
        customer_number="+14155550132",
        agent_number="+14155550100",
        end_reason="completed",
        ending="hung_up",
        connected=True,
        final=True,
        transcript=[Turn.model_validate(turn) for turn in SAID],
        variables=Variables(collected={"treatment": "cleaning"}),
        hints={"handoff": {"reasonCode": "done"}, "session": "ended"},
    )


def test_it_takes_a_status_callback_for_a_thin_report() -> None:
    assert parse(form()) == EndedCall(
        external_id=CALL_SID,
        agent="+14155550100",
        direction="inbound",
        customer_number="+14155550132",
        agent_number="+14155550100",
        started_at=datetime(2026, 3, 4, 10, 0, tzinfo=UTC),
        ended_at=datetime(2026, 3, 4, 10, 1, 34, tzinfo=UTC),
        end_reason="completed",
        ending="hung_up",
        connected=True,
        final=False,
    )


@pytest.mark.parametrize("status", ["queued", "initiated", "ringing", "in-progress"])
def test_it_waits_for_the_end_of_a_call(status: str) -> None:
    assert READ.parse(form(CallStatus=status)) == Ignored(status)


def test_it_takes_the_end_of_a_session_for_the_end_of_the_conversation_though_the_call_goes_on() -> None:
    read = parse(form(CallStatus="in-progress", SessionStatus="ended", SessionId="VX1", Timestamp=None))
    assert (read.final, read.ending, read.end_reason, read.connected) == (False, None, "ended", True)


def test_it_says_that_a_session_broke() -> None:
    broken = {"SessionStatus": "failed", "ErrorCode": "64105", "ErrorMessage": "WebSocket ended"}
    read = parse(form(CallStatus="in-progress", **broken))
    assert (read.ending, read.hints["error_code"], read.hints["error"]) == ("error", "64105", "WebSocket ended")


@pytest.mark.parametrize(
    ("changed", "known"),
    [
        ({"CallStatus": "busy"}, ("busy", False)),
        ({"CallStatus": "no-answer"}, ("no_answer", False)),
        ({"CallStatus": "failed"}, ("failed", False)),
        ({"CallStatus": "canceled"}, ("canceled", False)),
        ({"CallStatus": "something new"}, (None, None)),
        ({}, ("hung_up", None)),
        ({"AnsweredBy": "human"}, ("hung_up", True)),
        ({"AnsweredBy": "unknown"}, ("hung_up", None)),
        ({"AnsweredBy": "fax"}, ("hung_up", False)),
        ({"AnsweredBy": "machine_end_beep"}, ("voicemail", None)),
    ],
)
def test_it_knows_how_calls_end(changed: dict[str, str], known: tuple[str | None, bool | None]) -> None:
    read = parse(form(Direction="outbound-api", **changed))
    assert (read.ending, read.connected) == known


@pytest.mark.parametrize(
    ("direction", "customer", "ours"),
    [
        ("inbound", "+14155550132", "+14155550100"),
        ("outbound-api", "+14155550100", "+14155550132"),
        ("outbound-dial", "+14155550100", "+14155550132"),
        (None, None, None),
        ("sideways", None, None),
    ],
)
def test_it_texts_the_end_that_is_not_ours(direction: str | None, customer: str | None, ours: str | None) -> None:
    read = parse(form(Direction=direction))
    assert (read.customer_number, read.agent_number, read.agent) == (customer, ours, ours)


def test_it_reports_no_leg_to_whom_the_call_was_handed() -> None:
    assert READ.parse(form(ParentCallSid="CA1", Direction="outbound-dial")) == Ignored("a leg of another call")


def test_it_has_no_use_for_callbacks_about_other_things() -> None:
    assert isinstance(READ.parse(form(CallStatus=None, RecordingStatus="completed")), Ignored)
    told = json.dumps({"event_type": "voice_intelligence_transcript_available", "transcript_sid": "GT1"})
    assert READ.parse(told.encode()) == Ignored("voice_intelligence_transcript_available")


@pytest.mark.parametrize("when", ["", "soon", "Wed, 99 Mar 2026 10:01:34 +0000", "0"])
@pytest.mark.parametrize("length", [None, "", "-5", "nan", "9" * 400])
def test_it_reads_a_call_whose_times_it_cannot(when: str, length: str | None) -> None:
    assert parse(form(Timestamp=when, CallDuration=length)).started_at is None


# What an agent hands over with its last message


@pytest.mark.parametrize(
    "words",
    [
        {"transcript": SAID},
        {
            "messages": [
                {"role": "assistant", "content": SAID[0]["text"]},
                {"role": "user", "content": SAID[1]["text"]},
            ]
        },
        {"transcript": json.dumps(SAID)},
    ],
)
def test_it_reads_words_that_were_handed_over(words: Any) -> None:
    read = handed(words)
    assert [(turn.role, turn.text) for turn in read.transcript] == [(said["role"], said["text"]) for said in SAID]
    assert read.final


@pytest.mark.parametrize(
    ("given", "variables"),
    [
        ({"name": "Ann"}, Variables(collected={"name": "Ann"})),
        (
            {"pre_call": {"plan": "A"}, "action_results": {"book": {"reference": "X1"}}, "extracted": "x"},
            Variables(pre_call={"plan": "A"}, action_results={"book": {"reference": "X1"}}),
        ),
    ],
)
def test_it_reads_values_that_were_handed_over(given: Any, variables: Variables) -> None:
    read = handed({"variables": given, "agent": "front-desk"})
    assert (read.variables, read.agent, read.final) == (variables, "front-desk", True)


@pytest.mark.parametrize("data", [{"reasonCode": "human"}, "to a human", [], {"transcript": []}, {"variables": {}}])
def test_it_waits_for_more_where_nothing_of_the_conversation_was_handed_over(data: Any) -> None:
    assert handed(data).final is False


def test_it_waits_for_more_where_the_agent_says_so() -> None:
    assert handed({"transcript": SAID, "final": False}).final is False


def test_it_survives_whatever_is_handed_over() -> None:
    for data in _broken(FORM["HandoffData"].encode()):
        parse(form(SessionId="VX1", HandoffData=data.decode()))


# What an agent's own code posts


def test_it_reads_a_call_that_was_forwarded() -> None:
    read = parse(event(customer_number="+14155550132", agent_number="+14155550100", transcript=SAID))
    assert (read.final, read.agent, len(read.transcript)) == (True, "+14155550100", 2)
    assert parse(event(agent="front-desk", agent_number="+14155550100")).agent == "front-desk"


@pytest.mark.parametrize("external_id", ["call-1", CALL_SID[:-1], CALL_SID + "0", "SM" + CALL_SID[2:]])
def test_it_wants_the_call_sid_of_a_call_that_was_forwarded(external_id: str) -> None:
    with pytest.raises(Unreadable) as refused:
        READ.parse(event(external_id=external_id))
    assert refused.value.errors[0][0] == "data.external_id"


def test_it_says_what_is_wrong_with_a_call_that_was_forwarded() -> None:
    with pytest.raises(Unreadable) as refused:
        READ.parse(event(colour="red"))
    assert refused.value.errors == [("data.colour", "there is no such field")]


def test_it_survives_whatever_is_forwarded() -> None:
    for body in _broken(event(transcript=SAID, variables={"collected": {"a": 1}})):
        try:
            read = READ.parse(body)
        except Unreadable:
            continue
        assert isinstance(read, EndedCall | Ignored)


# The signature


def verify(body: bytes, headers: Mapping[str, str], url: str = URL) -> None:
    READ.verify(Delivery(headers, body, url), PLATFORM.auth)


@pytest.mark.parametrize(
    ("signed", "delivered"),
    [
        ("https://postcall.example/in", "https://postcall.example/in"),
        ("https://postcall.example:443/in", "https://postcall.example/in"),
        ("https://postcall.example/in", "https://postcall.example:443/in"),
    ],
)
def test_it_takes_an_address_with_its_port_or_without(signed: str, delivered: str) -> None:
    verify(form(), {"x-twilio-signature": signature(signed, STATUS)}, delivered)


@pytest.mark.parametrize("url", ["http://postcall.example/in/kind/token", URL + "?a=b", URL + "/", "https://[", ""])
def test_it_refuses_what_was_signed_for_another_address(url: str) -> None:
    with pytest.raises(NotVerified, match="POSTCALL_PUBLIC_URL"):
        verify(form(), {"x-twilio-signature": signature(URL, STATUS)}, url)


def test_it_takes_signatures_with_a_shared_key() -> None:
    name = "x-twilio-webhooks-signature-settings"
    signed = {"x-twilio-signature": signature(URL, STATUS, "HMAC_SHA256"), name: "key=k,algorithm=HMAC_SHA256"}
    verify(form(), signed)
    for other in ("key=k,algorithm=HMAC_SHA1", "key=k,algorithm=HMAC_MD5"):
        with pytest.raises(NotVerified):
            verify(form(), {**signed, name: other})


def test_it_takes_a_form_with_a_field_twice_and_one_that_is_empty() -> None:
    body = urlencode([*STATUS.items(), ("CallerCity", ""), ("Tag", "b"), ("Tag", "a"), ("Tag", "b")]).encode()
    # As the SDK signs lists of values: each once, in their order.
    whole = "".join(
        name + value for name, value in sorted({*STATUS.items(), ("CallerCity", ""), ("Tag", "a"), ("Tag", "b")})
    )
    verify(body, {"x-twilio-signature": signature(URL + whole)})


def test_it_takes_json_by_its_hash_in_the_address() -> None:
    body = event(transcript=SAID)
    url = with_hash(URL, body)
    verify(body, {"x-twilio-signature": signature(url)}, url)
    assert RequestValidator(TOKEN).validate(url, body.decode(), signature(url))


def test_it_refuses_other_json_under_a_signed_address() -> None:
    url = with_hash(URL, event())
    with pytest.raises(NotVerified, match="another body"):
        verify(event(transcript=SAID), {"x-twilio-signature": signature(url)}, url)


def test_it_refuses_json_whose_address_holds_no_hash() -> None:
    with pytest.raises(NotVerified, match="bodySHA256"):
        verify(event(), {"x-twilio-signature": signature(URL)})


def test_it_refuses_a_form_under_an_address_that_was_signed_for_json() -> None:
    url = with_hash(URL, event())
    with pytest.raises(NotVerified):
        verify(form(), {"x-twilio-signature": signature(url)}, url)


# The documentation's snippet, and the door


def test_the_snippet_of_the_documentation_posts_what_is_taken() -> None:
    sent = posted(
        snippet("sources/twilio.md", "RequestValidator"),
        "SOURCE_URL",
        "/in/twilio/token",
        AUTH_TOKEN=TOKEN,
        call_sid=CALL_SID,
        caller="+14155550132",
        our_number="+14155550100",
        transcript=SAID,
    )
    READ.verify(sent, PLATFORM.auth)
    read = parse(sent.body)
    assert (read.external_id, read.customer_number) == (CALL_SID, "+14155550132")
    assert [turn.text for turn in read.transcript] == [said["text"] for said in SAID]


@pytest.fixture
def source(db: None) -> Source:
    workspace = Workspace.objects.create(name="Harbor Dental")
    agent = Agent.objects.create(workspace=workspace, name="Front desk", timezone="America/New_York")
    ExternalId.objects.create(workspace=workspace, agent=agent, source_kind="twilio", external_id="+14155550100")
    return Source.objects.create(
        workspace=workspace, kind="twilio", name="Desk", auth=json.dumps(dict(PLATFORM.auth))
    )


def post_form(source: Source, **changed: str | None) -> Any:
    path = f"/in/twilio/{source.token}"
    fields = {name: value for name, value in (STATUS | changed).items() if value is not None}
    return Client().post(
        path,
        urlencode(fields),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature(f"http://127.0.0.1:8000{path}", fields)},
    )


def post_event(source: Source, body: bytes) -> Any:
    path = with_hash(f"/in/twilio/{source.token}", body)
    signed = {"X-Twilio-Signature": signature(f"http://127.0.0.1:8000{path}")}
    return Client().post(path, body, content_type="application/json", headers=signed)


def test_the_words_that_follow_join_the_status_of_their_call(source: Source) -> None:
    thin = post_form(source)
    assert (thin["Content-Type"], thin.content) == ("text/xml", b"<Response><!-- accepted --></Response>")
    waiting = Call.objects.get()
    assert (waiting.final, waiting.judge_after is not None) == (False, True)
    assert post_event(source, event(transcript=SAID)).json() == {"status": "accepted"}
    call = Call.objects.get()
    assert (call.final, call.agent, len(call.transcript)) == (True, waiting.agent, 2)
    assert (call.customer_number, call.agent_number) == ("+14155550132", "+14155550100")
    assert (call.direction, call.started_at, call.ending) == ("inbound", waiting.started_at, "hung_up")
    assert call.agent is not None


def test_a_status_that_comes_after_the_words_changes_nothing(source: Source) -> None:
    words = event(transcript=SAID, customer_number="+14155550132", agent="+14155550100")
    assert post_event(source, words).json() == {"status": "accepted"}
    stored = Call.objects.values().get()
    assert b"duplicate" in post_form(source).content
    assert Call.objects.values().get() == stored


def test_words_of_a_call_take_the_place_of_what_a_status_said_of_reaching_anybody(source: Source) -> None:
    post_form(source, CallStatus="no-answer")
    post_event(source, event(transcript=SAID))
    assert Call.objects.get().connected is None


def test_a_form_that_twilio_did_not_sign_is_refused(source: Source) -> None:
    refused = Client().post(
        f"/in/twilio/{source.token}",
        form(),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature(URL, STATUS)},
    )
    assert (refused.status_code, Call.objects.count()) == (401, 0)
