"""LiveKit: what an agent reports of its session, and what the server says of its rooms."""

from __future__ import annotations

import copy
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from postcall.calls.models import Call
from postcall.calls.receive import receive
from postcall.sources.ended_call import EndedCall, Turn, Variables
from postcall.sources.kind import Addition, Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.platforms.livekit import LiveKit
from postcall.workspaces.models import Workspace

from .platforms.livekit import CALLER, ITEMS, PLATFORM, REPORT, STARTED, message, token

LIVEKIT = LiveKit()
WHOLE = json.loads(PLATFORM.body)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(STARTED + seconds, UTC)


def read(event: Any) -> EndedCall:
    ended = LIVEKIT.parse(json.dumps(event).encode())
    assert isinstance(ended, EndedCall)
    return ended


def reported(*, caller: Any = CALLER, beside: Any = None, **changed: Any) -> EndedCall:
    return read({"report": REPORT | changed, "caller": caller} | (beside or {}))


def said(*items: Any) -> list[Turn]:
    return reported(chat_history={"items": list(items)}).transcript


TURNS = [
    Turn(role="agent", text="Northgate Clinic, good morning.", at=1),
    Turn(role="customer", text="A check-up on Tuesday, please.", at=4.5),
    Turn(role="tool", text='create_booking called with {"day": "Tuesday"}', at=6, tool="create_booking"),
    Turn(role="tool", text='create_booking answered {"reference": "X1"}', at=7, tool="create_booking"),
    Turn(role="agent", text="Booked, your reference is X1.", at=8),
]


def test_it_reads_a_report_with_what_stands_beside_it() -> None:
    assert read(WHOLE) == EndedCall(
        external_id="call-1",
        agent="front-desk",
        direction="inbound",
        customer_number="+14155550132",
        agent_number="+14155550100",
        started_at=at(0),
        ended_at=at(20.5),
        end_reason="CR_PARTICIPANT_DISCONNECTED",
        ending="customer_hung_up",
        connected=None,
        final=True,
        transcript=TURNS,
        variables=Variables(
            pre_call={"customer_name": "Ann", "plan": "gold"},
            collected={"day": "Tuesday"},
            action_results={"create_booking": {"reference": "X1"}},
        ),
        hints={"tags": ["lk.amd:human"], "errors": {"stt": 1}},
        also_known_as=["AJ_1", "SCL_1"],
    )


def test_it_reads_a_report_that_was_posted_as_it_is() -> None:
    ended = read(REPORT)
    assert (ended.external_id, ended.agent, ended.transcript) == ("call-1", "front-desk", TURNS)
    assert (ended.customer_number, ended.direction, ended.redacted) == (None, None, [])


def test_it_reads_a_report_under_another_name() -> None:
    assert read({"session_report": REPORT}).transcript == TURNS


def test_it_reads_the_report_of_an_older_agent_by_its_events() -> None:
    old = {name: REPORT[name] for name in ("job_id", "room_id", "room", "events", "chat_history", "timestamp")}
    ended = read({"report": old})
    assert (ended.end_reason, ended.ending, ended.agent) == ("participant_disconnected", "customer_hung_up", None)
    assert (ended.started_at, ended.ended_at) == (at(0), at(20.5))  # since its first item
    assert ended.transcript == TURNS


def test_it_reads_the_report_of_an_agent_in_javascript() -> None:
    items = [
        {"type": "message", "role": "user", "content": ["Hello"], "createdAt": (STARTED + 1) * 1000},
        {"type": "function_call", "callId": "c", "name": "book", "args": "{}", "createdAt": (STARTED + 2) * 1000},
        {"type": "function_call_output", "callId": "c", "output": "done", "isError": False},
    ]
    ended = reported(chat_history={"items": items}, timestamp=(STARTED + 20.5) * 1000)
    assert ended.transcript[0] == Turn(role="customer", text="Hello", at=1)
    assert ended.variables.action_results == {"book": {"result": "done"}}
    assert ended.ended_at == at(20.5)


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        ("CR_PARTICIPANT_DISCONNECTED", "customer_hung_up"),
        ("CR_USER_INITIATED", "agent_hung_up"),
        ("CR_COMPLETED", "agent_hung_up"),
        ("task_completed", "agent_hung_up"),
        ("CR_ERROR", "error"),
        ("CR_JOB_SHUTDOWN", None),
        ("CR_OF_TOMORROW", None),
    ],
)
def test_it_knows_how_a_session_ends(reason: str, ending: str | None) -> None:
    ended = reported(close_reason=reason)
    assert (ended.end_reason, ended.ending) == (reason, ending)


@pytest.mark.parametrize("tag", ["lk.amd:machine-vm", "lk.amd:machine-unavailable"])
def test_it_knows_an_answering_machine_that_livekit_heard(tag: str) -> None:
    assert reported(tags=[tag, "campaign:march"]).ending == "voicemail"
    assert reported(tags=["lk.amd:machine-ivr"]).ending == "customer_hung_up"


def test_it_knows_a_call_that_was_made_by_the_missing_rule() -> None:
    ended = reported(caller={name: value for name, value in CALLER.items() if name != "sip.ruleID"})
    assert (ended.direction, ended.customer_number) == ("outbound", "+14155550132")


def test_it_takes_the_number_that_the_job_was_to_dial() -> None:
    ended = reported(caller=None, beside={"metadata": {"phone_number": "+14155550132"}})
    assert (ended.direction, ended.customer_number) == ("outbound", "+14155550132")


def test_it_reads_a_caller_given_as_a_participant() -> None:
    caller = {"identity": "sip_1", "attributes": CALLER}
    assert reported(caller=caller).customer_number == "+14155550132"
    assert reported(caller=None, beside={"participant": caller}).customer_number == "+14155550132"


def test_it_names_a_number_that_the_trunk_hides() -> None:
    hidden = {name: value for name, value in CALLER.items() if "hone" not in name}
    ended = reported(caller=hidden)
    assert (ended.customer_number, ended.redacted) == (None, ["customer_number"])
    ended = reported(caller=hidden, beside={"customer_number": "+14155550132"})
    assert (ended.customer_number, ended.redacted) == ("+14155550132", [])


def test_it_reads_a_talk_in_the_browser_without_numbers() -> None:
    ended = reported(caller={})
    assert (ended.customer_number, ended.agent_number, ended.direction, ended.redacted) == (None, None, None, [])


def test_it_takes_the_job_where_there_is_no_room() -> None:
    assert reported(room_id="").external_id == "AJ_1"


def test_it_lets_the_snippet_name_the_agent() -> None:
    assert reported(agent_name="", beside={"agent": "night-desk"}).agent == "night-desk"
    assert reported(agent_name="").agent is None


def test_it_leaves_instructions_out_and_tells_of_a_handover() -> None:
    turns = said(
        message("developer", "Be brief.", 0),
        {"type": "agent_config_update", "instructions": "Sell more.", "created_at": STARTED + 1},
        {"type": "agent_handoff", "new_agent_id": "greeter", "created_at": STARTED},
        {"type": "agent_handoff", "old_agent_id": "greeter", "new_agent_id": "booker", "created_at": STARTED + 2},
        message("assistant", "I can book that.", 3),
    )
    assert turns == [
        Turn(role="system", text="greeter handed over to booker", at=2),
        Turn(role="agent", text="I can book that.", at=3),
    ]


def test_it_reads_parts_that_are_no_text_by_their_transcript() -> None:
    parts = [
        {"type": "image_content", "image": "data:…"},
        {"type": "audio_content", "transcript": "Yes."},
        "Please.",
    ]
    assert said(message("user", "", 1) | {"content": parts}) == [Turn(role="customer", text="Yes. Please.", at=1)]


def test_it_takes_no_result_from_a_tool_that_failed() -> None:
    ended = reported(
        chat_history={
            "items": [
                *ITEMS,
                ITEMS[3] | {"call_id": "call_2"},
                ITEMS[4] | {"call_id": "call_2", "output": "no such day", "is_error": True},
            ]
        }
    )
    assert ended.variables.action_results == {"create_booking": {"reference": "X1"}}
    assert ended.transcript[-1].text == "create_booking answered no such day"


def test_it_takes_the_last_result_of_a_tool() -> None:
    again = ITEMS[4] | {"output": '{"reference": "X2"}'}  # a tool that wrote its own JSON
    ended = reported(chat_history={"items": [*ITEMS, again]})
    assert ended.variables.action_results == {"create_booking": {"reference": "X2"}}


def test_it_refuses_a_report_that_names_no_call() -> None:
    with pytest.raises(Unreadable, match="names no call"):
        read({"report": REPORT | {"room_id": None, "job_id": ""}})


# The server's webhooks.

ROOM = {"sid": "RM_1", "name": "call-_+14155550132_a1B2", "creationTime": "1772618400"}
JOB = {
    "id": "AJ_1",
    "room": ROOM,
    "agentName": "front-desk",
    "state": {"status": "JS_SUCCESS", "startedAt": "1772618400000000000", "endedAt": "1772618420500000000"},
}


def webhook(event: str, **more: Any) -> dict[str, Any]:
    return {"event": event, "room": ROOM, "id": "EV_1", "createdAt": "1772618421"} | more


def test_it_waits_for_the_report_when_a_job_ended() -> None:
    assert read(webhook("agent_job_ended", job=JOB)) == EndedCall(
        external_id="RM_1",
        agent="front-desk",
        started_at=at(0),
        ended_at=at(20.5),
        final=False,
        hints={"job_status": "JS_SUCCESS"},
        also_known_as=["AJ_1"],
    )


def test_it_tells_of_a_job_that_broke_down_without_calling_it_unanswered() -> None:
    job = JOB | {"state": {"status": "JS_FAILED", "error": "agent crashed"}}
    ended = read(webhook("agent_job_ended", job=job))
    assert (ended.ending, ended.end_reason, ended.connected) == ("error", None, None)
    assert ended.hints == {"job_status": "JS_FAILED", "job_error": "agent crashed"}
    assert ended.ended_at == at(21)


def test_it_reads_the_caller_of_a_job_that_was_made_for_one() -> None:
    job = JOB | {"participant": {"sid": "PA_1", "kind": "SIP", "attributes": CALLER}}
    ended = read(webhook("agent_job_ended", job=job))
    assert (ended.customer_number, ended.agent_number) == ("+14155550132", "+14155550100")
    assert (ended.direction, ended.also_known_as) == ("inbound", ["AJ_1", "SCL_1"])


def test_it_knows_the_room_of_a_job_by_either() -> None:
    assert read({"event": "agent_job_ended", "job": JOB}).external_id == "RM_1"
    assert read({"event": "agent_job_ended", "job": {"id": "AJ_1"}}).external_id == "AJ_1"
    with pytest.raises(Unreadable, match="neither room nor job"):
        read({"event": "agent_job_ended"})


@pytest.mark.parametrize(
    "event",
    ["room_started", "participant_joined", "participant_left", "track_published", "egress_ended",
     "ingress_started", "agent_job_started", "room_of_tomorrow"],
)  # fmt: skip
def test_it_makes_no_call_of_what_happens_in_rooms(event: str) -> None:
    participant = {"sid": "PA_1", "kind": "SIP", "attributes": CALLER, "disconnectReason": "CLIENT_INITIATED"}
    body = json.dumps(webhook(event, participant=participant)).encode()
    assert LIVEKIT.parse(body) == Ignored(event)


def test_it_adds_the_end_of_a_room_to_the_call_that_was_in_it() -> None:
    finished = LIVEKIT.parse(json.dumps(webhook("room_finished")).encode())
    assert finished == Addition(("RM_1",), end_reason="room_finished")
    assert LIVEKIT.parse(b'{"event": "room_finished"}') == Ignored("room_finished")


def test_it_refuses_what_is_not_livekits() -> None:
    with pytest.raises(Unreadable, match="neither"):
        LIVEKIT.parse(b'{"event": "call_ended", "call": {}}')


@pytest.mark.django_db
@pytest.mark.parametrize("order", ["job first", "report first"])
def test_a_job_and_its_report_are_one_call(order: str) -> None:
    workspace = Workspace.objects.create(name="Northgate Clinic")
    thin, whole = webhook("agent_job_ended", job=JOB), {"report": REPORT | {"room_id": "RM_1"}, "caller": CALLER}
    events = [thin, whole, thin] if order == "job first" else [whole, thin]
    receipts = [receive(workspace, None, "livekit", read(event), b"{}").status for event in events]
    assert receipts == (
        ["accepted", "enriched", "duplicate"] if order == "job first" else ["accepted", "duplicate"]
    )
    call = Call.objects.get()
    assert (call.external_id, call.final, call.customer_number) == ("RM_1", True, "+14155550132")
    assert len(call.transcript) == len(TURNS)


# How it is signed.


def verify(body: bytes, authorization: str, auth: Any = PLATFORM.auth) -> None:
    LIVEKIT.verify(Delivery({"authorization": authorization}, body, "https://postcall.example"), auth)


def test_it_takes_a_token_of_livekits_own_library() -> None:
    """Made by livekit-api 1.2.2, and valid for a hundred years."""
    body = b'{"event":"room_finished","room":{"sid":"RM_1"},"id":"EV_1","createdAt":"1772618400"}'
    made = (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJzaGEyNTYiOiJMb3pKSlhJRjhTTkFDaXRNZS9vUmRkRmdYNVlTaldiTnpwZGQvbGUrYk0wPSIsInN1YiI6IiIsIm"
        "lzcyI6IkFQSW5vcnRoZ2F0ZSIsIm5iZiI6MTcwNDA2NzIwMCwiZXhwIjo0ODU3NjY3MjAwfQ."
        "yTL104J1lM401FmI_yIlmVVup3fyaWPDm2m4OF4TZGM"
    )
    verify(body, made)
    verify(body, f"Bearer {made}")
    with pytest.raises(NotVerified, match="another body"):
        verify(body + b" ", made)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"iss": "APIother"}, "another API key"),
        ({"iss": None}, "does not name its key"),
        ({"exp": None}, "has no end"),
        ({"sha256": None}, "no sha256"),
        ({"sha256": 7}, "no sha256"),
        ({"sha256": ""}, "another body"),
        ({"exp": 1}, "run out"),
        ({"nbf": int(time.time()) + 3600}, "of later"),
    ],
)
def test_it_says_what_is_wrong_with_a_token(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(NotVerified, match=said):
        verify(b"{}", token(b"{}", time.time(), PLATFORM.auth, **changed))


@pytest.mark.parametrize("algorithm", ["none", "HS512"])
def test_it_takes_no_token_of_another_algorithm(algorithm: str) -> None:
    import jwt

    claims = jwt.decode(token(b"{}", time.time(), PLATFORM.auth), options={"verify_signature": False})
    secret = "" if algorithm == "none" else PLATFORM.auth["secret"] * 2
    auth = dict(PLATFORM.auth) | {"secret": secret or PLATFORM.auth["secret"]}
    with pytest.raises(NotVerified):
        verify(b"{}", jwt.encode(claims, secret, algorithm=algorithm), auth)


def test_it_does_not_change_what_it_reads() -> None:
    before = copy.deepcopy(WHOLE)
    read(WHOLE)
    assert before == WHOLE
