"""Bland: one flat report of each call, in the shapes that its documentation shows over the years."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from postcall.sources.ended_call import EndedCall, Ending, Turn, Variables
from postcall.sources.kind import Delivery, Ignored, Unreadable
from postcall.sources.platforms.bland import Bland

from .platforms.bland import EVENT, PLATFORM, sign

SILENT = {"transcripts": [], "concatenated_transcript": ""}
START = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)


def parsed(*without: str, **changed: Any) -> EndedCall:
    told = copy.deepcopy(EVENT) | changed
    for name in without:
        del told[name]
    read = Bland().parse(json.dumps(told).encode())
    assert isinstance(read, EndedCall)
    return read


def test_it_reads_a_call() -> None:
    assert parsed() == EndedCall(
        external_id="call-1",
        agent="pathway_bookings",
        direction="outbound",
        customer_number="+14155550132",
        agent_number="+14155550100",
        started_at=START,
        ended_at=datetime(2026, 3, 4, 10, 0, 46, tzinfo=UTC),
        end_reason="ended by ASSISTANT",
        ending="agent_hung_up",
        connected=True,
        transcript=[
            Turn(role="agent", text="Northgate Clinic, is this Ann?", at=1.5),
            Turn(role="customer", text="Yes. Tuesday, please.", at=5),
            Turn(role="tool", text="Calling tool: Book", at=9),
            Turn(role="agent", text="You are booked.", at=12),
        ],
        variables=Variables(
            pre_call={"campaign": "spring", "first_name": "Ann"},
            collected={"appointment_time": "Tuesday at ten", "input": {"date": "2026-03-10"}},
            extracted={"booked": True, "day": "Tuesday"},
        ),
        hints={
            "summary": "Ann booked an appointment.",
            "disposition": "BOOKED",
            "answered_by": "human",
            "tags": ["Booked"],
        },
    )


def test_it_takes_the_human_for_the_customer_of_an_inbound_call_too() -> None:
    ended = parsed(inbound=True)
    assert (ended.direction, ended.customer_number, ended.agent_number) == (
        "inbound",
        "+14155550100",
        "+14155550132",
    )


@pytest.mark.parametrize(
    ("other", "direction", "customer"),
    [
        ("+14155550132", "outbound", "+14155550132"),
        ("+14155550100", "inbound", "+14155550100"),
        ("+14155550199", None, None),
        ("32", None, None),
        ("", "outbound", "+14155550132"),
    ],
)
def test_it_finds_the_direction_by_the_other_party(other: str, direction: str | None, customer: str | None) -> None:
    ended = parsed("inbound", variables={"phone_number": other})
    assert (ended.direction, ended.customer_number) == (direction, customer)


def test_it_names_no_number_where_both_ends_may_be_the_other_party() -> None:
    ended = parsed("inbound", to="+14155550100", variables={"phone_number": "+14155550100"})
    assert (ended.direction, ended.customer_number) == (None, None)


def test_it_names_no_number_where_the_direction_is_not_to_be_known() -> None:
    ended = parsed("inbound", "request_data", "variables")
    assert (ended.direction, ended.customer_number, ended.agent_number) == (None, None, None)


@pytest.mark.parametrize(
    ("written", "variables", "number"),
    [
        ("4155550132", {"to": "+14155550132"}, "+14155550132"),
        ("(415) 555-0132", {}, "+14155550132"),
        ("20 7946 0018", {"to": "+442079460018"}, "+442079460018"),
        ("4155550132", {"to": "+442079460018"}, "+14155550132"),
        ("anonymous", {}, "anonymous"),
        (None, {"to": "+14155550132"}, None),
        (None, {}, None),
    ],
)
def test_it_completes_a_number_without_its_country(
    written: str | None, variables: dict[str, str], number: str | None
) -> None:
    assert parsed(to=written, variables=variables).customer_number == number


@pytest.mark.parametrize(
    ("without", "changed", "agent"),
    [
        ([], {"metadata": {"agent": "reception"}}, "pathway_bookings"),
        (["pathway_id"], {"metadata": {"agent": "reception", "agent_id": "x"}}, "reception"),
        (["pathway_id"], {"metadata": {"agent_id": "front-desk"}}, "front-desk"),
        (["pathway_id"], {"inbound": True}, "+14155550132"),
        (["pathway_id"], {}, None),
        ([], {"pathway_id": None, "metadata": None}, None),
    ],
)
def test_it_names_the_agent_by_what_it_is_known_by(
    without: list[str], changed: dict[str, Any], agent: str | None
) -> None:
    assert parsed(*without, **changed).agent == agent


@pytest.mark.parametrize(
    ("corrected", "minutes", "seconds"),
    [
        ("196", 1, 196),
        (46, 1, 46),
        ("1:33", 9, 93),
        ("1:02:03", 9, 3723),
        ("0", 0.75, 45),
        (None, 0.5, 30),
        ("soon", "1.5", 90),
    ],
)
def test_it_reads_how_long_it_took(corrected: Any, minutes: Any, seconds: int) -> None:
    ended = parsed(corrected_duration=corrected, call_length=minutes)
    assert ended.ended_at is not None
    assert (ended.ended_at - START).total_seconds() == seconds


def test_it_does_not_take_the_latest_end_for_the_end() -> None:
    assert parsed("corrected_duration", "call_length").ended_at is None
    ended = parsed("corrected_duration", "call_length", ended_at="2026-03-04T10:00:40Z")
    assert ended.ended_at == datetime(2026, 3, 4, 10, 0, 40, tzinfo=UTC)


def test_it_counts_from_the_request_where_the_start_is_not_told() -> None:
    ended = parsed(started_at=None, created_at="2026-03-04T10:00:00")
    assert (ended.started_at, ended.transcript[1].at) == (START, 5)


@pytest.mark.parametrize("written", [EVENT["concatenated_transcript"], "user : Hi \n assistant: Hello\nuser:Bye"])
def test_it_reads_the_transcript_that_is_one_text(written: str) -> None:
    roles = [turn.role for turn in parsed(transcripts=None, concatenated_transcript=written).transcript]
    assert roles[-2:] == (
        ["customer", "agent"] if written == EVENT["concatenated_transcript"] else ["agent", "customer"]
    )
    assert len(roles) == 3


def test_it_takes_no_machines_words_for_the_customers() -> None:
    said = [{"user": "robot", "text": "One."}, {"user": "narrator", "text": "Two."}, {"user": "user", "text": None}]
    assert parsed(transcripts=said).transcript == [
        Turn(role="agent", text="One."),
        Turn(role="system", text="Two."),
    ]


@pytest.mark.parametrize(
    ("changed", "ending", "connected"),
    [
        ({"answered_by": "voicemail"}, "voicemail", None),
        ({"answered_by": "no-answer", **SILENT}, "no_answer", False),
        ({"answered_by": None, "status": "no-answer", **SILENT}, "no_answer", False),
        ({"answered_by": None, "status": "busy", **SILENT}, "busy", False),
        ({"answered_by": None, "status": "failed", "completed": False, **SILENT}, "failed", False),
        ({"answered_by": None, "status": "canceled", **SILENT}, "canceled", False),
        ({"answered_by": None, "status": None, "queue_status": "queue_error", **SILENT}, "failed", False),
        ({"answered_by": None, "status": None, "queue_status": "call_error", **SILENT}, "failed", False),
        ({"answered_by": None, "status": None, "queue_status": "call_error"}, "error", None),
        ({"answered_by": None, "queue_status": "complete_error"}, "agent_hung_up", None),
        ({"answered_by": "no-answer"}, "agent_hung_up", None),
        ({"answered_by": "unknown", "call_ended_by": "USER"}, "customer_hung_up", None),
        ({"answered_by": "unknown", "call_ended_by": None}, None, None),
        ({"transferred_to": "+14155550177"}, "transferred", True),
        ({"disposition_tag": "TRANSFERRED", "answered_by": None}, "agent_hung_up", None),
        (
            {
                "answered_by": None,
                "status": None,
                "call_ended_by": None,
                "completed": False,
                "error_message": "Broken",
            },
            "error",
            None,
        ),
    ],
)
def test_it_says_in_our_words_how_it_ended(
    changed: dict[str, Any], ending: Ending | None, connected: bool | None
) -> None:
    ended = parsed(**changed)
    assert (ended.ending, ended.connected) == (ending, connected)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"error_message": "The number is not in service."}, "The number is not in service."),
        ({"status": "no-answer"}, "no-answer"),
        ({"status": None, "queue_status": "queue_error"}, "queue_error"),
        ({"call_ended_by": "USER"}, "ended by USER"),
        ({"call_ended_by": None}, "completed"),
        ({"call_ended_by": None, "status": None, "queue_status": None}, None),
    ],
)
def test_it_keeps_blands_own_words_for_the_end(changed: dict[str, Any], reason: str | None) -> None:
    assert parsed(**changed).end_reason == reason


def test_it_tells_what_was_given_from_what_became_known() -> None:
    ended = parsed(
        metadata={"first_name": "A.", "source": "web"},
        request_data={"task": "Call Ann", "voice": "maya", "request_data": {"first_name": "Ann", "plan": "Gold"}},
        variables={"first_name": "Ann", "plan": "Silver", "Now": "x", "zip": "94103"},
        analysis=None,
    )
    assert ended.variables == Variables(
        pre_call={"first_name": "Ann", "source": "web", "plan": "Gold"}, collected={"plan": "Silver"}
    )


def test_it_takes_an_analysis_in_words_for_an_opinion() -> None:
    ended = parsed(analysis="Went well.", pathway_tags=["Booked", None])
    assert ended.variables.extracted == {}
    assert (ended.hints["analysis"], ended.hints["tags"]) == ("Went well.", ["Booked"])


def test_it_reads_a_call_of_2023() -> None:
    """Without `inbound`, `started_at` and transcripts with their times, and with a number as it was typed."""
    told = {
        "call_id": "c1",
        "status": "completed",
        "corrected_duration": "71",
        "end_at": "2023-12-16T00:15:41.000Z",
        "to": "4155550132",
        "from": "+14155550100",
        "completed": True,
        "created_at": "2023-12-16T00:15:26.59585+00:00",
        "queue_status": "complete",
        "answered_by": "human",
        "variables": {"appointment_time": "tomorrow at 3pm", "from": "+14155550100", "to": "+14155550132"},
        "concatenated_transcript": "user : Yes? \n assistant: Is 3pm fine?",
        "request_data": {"phone_number": "4155550132", "reduce_latency": False},
    }
    ended = Bland().parse(json.dumps(told).encode())
    assert isinstance(ended, EndedCall)
    assert (ended.direction, ended.customer_number, ended.agent) == ("outbound", "+14155550132", None)
    assert [turn.role for turn in ended.transcript] == ["customer", "agent"]
    assert ended.variables.collected == {"appointment_time": "tomorrow at 3pm"}


def test_it_keeps_another_id_of_the_call() -> None:
    assert parsed(c_id="c-9").also_known_as == ["c-9"]
    assert parsed("call_id", c_id="c-9").external_id == "c-9"


@pytest.mark.parametrize(
    ("event", "what"),
    [
        ({"call_id": "call-1", "category": "latency", "message": "LLM: 300 ms", "log_level": "info"}, "latency"),
        ({"call_id": "call-1", "completed": False, "queue_status": "started", "inbound": True}, "started"),
        ({"call_id": "call-1", "status": "in-progress", "queue_status": "started"}, "in_progress"),
    ],
)
def test_it_ignores_what_is_said_while_the_call_goes_on(event: dict[str, Any], what: str) -> None:
    assert Bland().parse(json.dumps(event).encode()) == Ignored(what)


@pytest.mark.parametrize(
    ("event", "errors"),
    [
        ({"call_id": "call-1", "status": "completed"}, []),
        ({"answered_by": "human"}, [("call_id", "is required")]),
        ({"call_id": "x" * 256, "answered_by": "human"}, [("call_id", "is required")]),
    ],
)
def test_it_says_what_is_missing(event: dict[str, Any], errors: list[tuple[str, str]]) -> None:
    with pytest.raises(Unreadable) as refused:
        Bland().parse(json.dumps(event).encode())
    assert refused.value.errors == errors


def test_it_takes_the_signature_in_capitals_too() -> None:
    made = sign(PLATFORM.body, 0, PLATFORM.auth)["x-webhook-signature"].upper()
    Bland().verify(Delivery({"x-webhook-signature": made}, PLATFORM.body, ""), PLATFORM.auth)


def test_it_agrees_with_the_sample_of_the_documentation() -> None:
    """Made by Node: createHmac("sha256", key).update(JSON.stringify(body)).digest("hex")."""
    made = "19905fe07980e42c2d52623b627ea0863f8d3ad04c129bf10180f8ccc73c5739"
    delivery = Delivery({"x-webhook-signature": made}, b'{"call_id":"call-1","summary":"caf\xc3\xa9"}', "")
    Bland().verify(delivery, {"secret": "northgate-signing-secret"})
