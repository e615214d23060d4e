"""Synthflow's post-call webhook in all the shapes that are documented or were seen."""

from __future__ import annotations

import copy
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from postcall.calls.models import Call
from postcall.sources.ended_call import EndedCall, Turn, Variables
from postcall.sources.kind import Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.models import Source
from postcall.sources.platforms.synthflow import Synthflow
from postcall.workspaces.models import Workspace

from .platforms.synthflow import PLATFORM, REPORT, sign

READ = Synthflow()
BOOKING = '{"reference": "X1"}'


def report(**changed: Any) -> dict[str, Any]:
    """The report with other fields; `call__status` is the one inside `call`."""
    made = copy.deepcopy(REPORT)
    for path, value in changed.items():
        outer, _, inner = path.rpartition("__")
        (made[outer] if outer else made)[inner] = value
    return made


def parse(event: Any) -> EndedCall:
    read = READ.parse(json.dumps(event).encode())
    assert isinstance(read, EndedCall)
    return read


def verify(event: Any, headers: dict[str, str]) -> None:
    READ.verify(Delivery(headers, json.dumps(event).encode(), "https://postcall.example/in"), PLATFORM.auth)


def ending(**changed: Any) -> tuple[str | None, bool | None, str | None]:
    read = parse(report(**changed))
    return read.ending, read.connected, read.end_reason


def test_it_reads_the_whole_call() -> None:
    said = [
        Turn(role="agent", text="Harbor Dental?"),
        Turn(role="customer", text="A cleaning on Tuesday, please."),
        Turn(role="agent", text="Booked."),
        Turn(role="customer", text="Bye."),
        Turn(role="tool", text=f"create_booking answered {BOOKING}", tool="create_booking"),
    ]
    assert parse(REPORT) == EndedCall(
        external_id="call-1",
        agent="agent-1",
        direction="outbound",
        customer_number="+14155550132",
        started_at=datetime(2026, 3, 4, 9, 59, 46, tzinfo=UTC),
        ended_at=datetime(2026, 3, 4, 10, 1, 39, tzinfo=UTC),
        end_reason="human_goodbye",
        ending="customer_hung_up",
        connected=True,
        transcript=said,
        variables=Variables(
            pre_call={
                "name": "Ann Example",
                "external_id": "crm-7",
                "metadata": {"campaign": "spring"},
                "clinic": "Harbor Dental",
                "plan": {"name": "Basic"},
            },
            collected={"appointment_date": "2026-03-10"},
            extracted={"treatment": "cleaning"},
            action_results={"create_booking": {"reference": "X1"}},
        ),
        hints={
            "successful": "true",
            "opted_in": "true",
            "no_opt_out": "not_applicable",
            "analysis": {"call_summary": "true", "user_sentiment": "partial"},
        },
    )


@pytest.mark.parametrize(
    ("analysis", "held"),
    [
        ({"opted_in": "true", "no_opt_out": "true"}, None),
        ({"opted_in": "not_applicable", "no_opt_out": None, "goal": "false"}, None),
        ({"opted_in": "false", "no_opt_out": "true"}, None),
        ({"no_opt_out": "false"}, True),
        ({"no_opt_out": False}, True),
    ],
)
def test_it_says_of_the_mark_of_an_opt_out_that_no_text_may_be_wanted(
    analysis: dict[str, Any], held: bool | None
) -> None:
    read = parse({"call": {"call_id": "c-1", "model_id": "m-1"}, "analysis": analysis})
    assert read.hints.get("do_not_text") is held


def test_it_reads_the_sample_of_the_documentation_of_2024() -> None:
    read = parse(
        {
            "status": "completed",
            "error_message": "agent_goodbye",
            "lead": {"name": "Ann", "phone_number": "+14155550132"},
            "call": {
                "status": "completed",
                "end_call_reason": "completed",
                "model_id": "1711x745",
                "call_id": "1711x768",
                "duration": 32,
                "start_time": "2026-03-28T18:17:46.205134+01:00",
                "transcript": "\nbot: Do you have a minute? \nhuman: Yes. \nbot: Good",
                "external_id": "test",
            },
            "executed_actions": {},
        }
    )
    assert (read.external_id, read.agent, read.end_reason) == ("1711x768", "1711x745", "agent_goodbye")
    assert (read.ending, read.connected) == ("agent_hung_up", True)
    assert [turn.text for turn in read.transcript] == ["Do you have a minute?", "Yes.", "Good"]


def test_it_reads_a_webhook_that_was_built_by_hand() -> None:
    read = parse(
        {
            "callId": "call-2",
            "call_status": "completed",
            "model_id": "agent-1",
            "user_phone_number": "+14155550132",
            "to_phone_number": "+14155550100",
            "start_time": 1772618386000,
            "duration": "60",
            "transcript": "bot: Hello\nhuman: Hi\nand good morning",
        }
    )
    assert read == EndedCall(
        external_id="call-2",
        agent="agent-1",
        direction="inbound",
        customer_number="+14155550132",
        agent_number="+14155550100",
        started_at=datetime(2026, 3, 4, 9, 59, 46, tzinfo=UTC),
        ended_at=datetime(2026, 3, 4, 10, 0, 46, tzinfo=UTC),
        end_reason="completed",
        transcript=[Turn(role="agent", text="Hello"), Turn(role="customer", text="Hi\nand good morning")],
    )


@pytest.mark.parametrize("name", ["call_id", "callId", "Call_id"])
def test_it_finds_the_call_under_all_its_spellings(name: str) -> None:
    flat = {name: 17, "call_status": "completed"}
    assert parse(flat).external_id == "17"
    verify(flat, dict(sign(b'{"call": {"call_id": "17"}}', 0, PLATFORM.auth)))


def test_it_reads_turns_that_came_as_a_list() -> None:
    turns = [{"role": "bot", "text": "Hello"}, {"speaker": "human", "message": "Hi"}, {"role": "x", "content": "!"}]
    said = parse(report(call__transcript=turns, executed_actions=None)).transcript
    assert [(turn.role, turn.text) for turn in said] == [("agent", "Hello"), ("customer", "Hi"), ("system", "!")]


# What was collected, extracted, answered


@pytest.mark.parametrize(
    "collected",
    [
        {"day": {"value": "Tuesday", "collected": True}, "email": {"value": None, "collected": False}},
        {"agent-1": {"day": {"value": "Tuesday", "collected": True}, "email": {"value": "x", "collected": False}}},
        {
            "agent-1": {"day": {"value": "Tuesday", "collected": True}},
            "agent-0": {"day": {"value": "Monday", "collected": True}},
        },
        '{"day": {"value": "Tuesday", "collected": true}}',
        {"day": {"value": "Tuesday"}},
        {"day": "Tuesday"},
    ],
)
def test_it_reads_collected_variables_in_both_shapes(collected: Any) -> None:
    assert parse(report(collected_variables=collected)).variables.collected == {"day": "Tuesday"}


def test_it_keeps_a_collected_variable_that_is_named_value() -> None:
    entry = {"value": {"value": "7", "collected": True}}
    assert parse(report(collected_variables=entry)).variables.collected == {"value": "7"}
    assert parse(report(collected_variables={"agent-1": entry})).variables.collected == {"value": "7"}


@pytest.mark.parametrize("nothing", [None, [], "", "null", 7])
def test_it_reads_a_call_that_collected_nothing(nothing: Any) -> None:
    assert parse(report(collected_variables=nothing, executed_actions=nothing)).variables.collected == {}


@pytest.mark.parametrize(
    ("key", "action"),
    [
        ("extract_info_1", {"return_value": {"preferred day": "Tuesday"}}),
        ("info_extractor_9", {"return_value": '{"preferred day": "Tuesday"}'}),
        ("x", {"action_type": "INFORMATION_EXTRACTOR", "return_value": {"preferred day": "Tuesday"}}),
        (
            "extract_info_1",
            {"return_value": "Tuesday", "parameters_hard_coded": '{"identifier": "preferred day", "examples": []}'},
        ),
    ],
)
def test_it_reads_extractors_of_every_kind(key: str, action: Any) -> None:
    read = parse(report(executed_actions={key: action}))
    assert read.variables.extracted == {"preferred day": "Tuesday"}
    assert read.variables.action_results == {}
    assert all(turn.role != "tool" for turn in read.transcript)


@pytest.mark.parametrize(
    ("returned", "result"),
    [(BOOKING, {"reference": "X1"}), ({"a": 1}, {"a": 1}), ("done", {"result": "done"}), ([1], {"result": [1]})],
)
def test_it_reads_what_actions_answered(returned: Any, result: Any) -> None:
    read = parse(report(executed_actions={"custom_1": {"action_type": "custom", "return_value": returned}}))
    assert read.variables.action_results == {"custom_1": result}
    assert (read.transcript[-1].role, read.transcript[-1].tool) == ("tool", "custom_1")


def test_it_tells_of_an_action_that_failed_but_gives_no_result_of_it() -> None:
    failed = {"name": "book", "error_message": "500", "return_value": None, "parameters_hard_coded": {"key": "k"}}
    read = parse(report(executed_actions={"custom_1": failed}))
    assert read.variables.action_results == {}
    assert read.transcript[-1].text == 'book answered {"error": "500"}'


def test_it_shows_nobody_the_settings_of_an_action() -> None:
    assert "Authorization" not in parse(REPORT).model_dump_json()


def test_it_takes_an_evaluation_for_a_hint() -> None:
    read = parse(
        report(executed_actions={"e": {"name": "polite", "action_type": "CUSTOM_EVAL", "return_value": "yes"}})
    )
    assert read.hints["evaluations"] == {"polite": "yes"}
    assert read.variables.action_results == {}


@pytest.mark.parametrize("given", [[{"key": "clinic", "value": "A"}], '{"clinic": "A"}', {"clinic": "A"}])
def test_it_reads_what_was_given_with_the_call(given: Any) -> None:
    assert parse(report(lead={"prompt_variables": given})).variables.pre_call["clinic"] == "A"


# How it ended


@pytest.mark.parametrize("status", ["pending", "ringing", "in-progress", "in_progress", "paused", "registered"])
def test_it_waits_for_the_end_of_a_call(status: str) -> None:
    for reason in (None, "", "undefined"):
        event = report(call__status=status, call__end_call_reason=reason)
        assert READ.parse(json.dumps(event).encode()) == Ignored(status.replace("_", "-"))


def test_it_believes_a_reason_for_the_end_over_a_status_that_lags() -> None:
    assert ending(call__status="in-progress")[0] == "customer_hung_up"


@pytest.mark.parametrize(
    ("status", "reason", "known"),
    [
        ("completed", "human_goodbye", ("customer_hung_up", True)),
        ("completed", "agent_goodbye", ("agent_hung_up", True)),
        ("completed", "human_pick_up_cut_off", ("customer_hung_up", None)),
        ("completed", "max_duration", ("too_long", None)),
        ("completed", "custom_end_call", ("agent_hung_up", None)),
        ("completed", "voicemail", ("voicemail", None)),
        ("completed", "voicemail_message_left", ("voicemail", None)),
        ("completed", "undefined", (None, None)),
        ("completed", "something new", (None, None)),
        ("hangup_on_voicemail", "undefined", ("voicemail", None)),
        ("left_voicemail", None, ("voicemail", None)),
        ("no-answer", "voicemail", ("voicemail", None)),
        ("failed", None, ("failed", None)),
        ("canceled", None, ("canceled", None)),
        ("user-canceled", "user_canceled", ("canceled", None)),
        ("spam", None, (None, None)),
        ("something new", "something new", (None, None)),
    ],
)
def test_it_knows_how_calls_end(status: str, reason: str | None, known: tuple[str | None, bool | None]) -> None:
    assert ending(call__status=status, call__end_call_reason=reason)[:2] == known


@pytest.mark.parametrize("status", ["no-answer", "busy"])
def test_it_says_that_nobody_was_reached_only_where_nobody_spoke(status: str) -> None:
    silent = {"call__status": status, "call__end_call_reason": None}
    assert ending(**silent, call__transcript="")[1] is False
    assert ending(**silent, call__transcript="bot: Hello?")[1] is False
    assert ending(**silent)[1] is None


def test_it_keeps_the_reason_as_it_was_given() -> None:
    assert ending(call__end_call_reason=None)[2] == "completed"
    own = {"call__end_call_reason": "custom_end_call", "call__custom_end_call_reason": "Customer is abusive"}
    assert ending(**own)[2] == "custom_end_call: Customer is abusive"


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "then", 1e300, {}])
def test_it_reads_a_call_whose_start_is_no_time(start: Any) -> None:
    assert parse(report(call__start_time=start)).started_at is None


# Whose numbers


@pytest.mark.parametrize(
    ("call", "direction", "agent_number"),
    [
        ({}, "outbound", None),
        ({"direction": "Inbound"}, "inbound", None),
        ({"type_of_call": "outbound", "diversion": "sip"}, "outbound", None),
        ({"diversion": "<sip:+14155550100@clinic.example>"}, "inbound", None),
        ({"from_phone_number": "+14155550100"}, "outbound", "+14155550100"),
        ({"to_phone_number": "+14155550100"}, "inbound", "+14155550100"),
        ({"to_phone_number": "+14155550132", "from_phone_number": "+14155550100"}, "outbound", "+14155550100"),
    ],
)
def test_it_finds_out_who_called(call: dict[str, str], direction: str, agent_number: str | None) -> None:
    read = parse(report(call=REPORT["call"] | call))
    assert (read.direction, read.agent_number) == (direction, agent_number)
    assert read.customer_number == "+14155550132"


@pytest.mark.parametrize(
    ("changed", "taken_out"),
    [
        ({"lead": {"phone_number": "[REDACTED]", "name": "Ann"}}, ["customer_number"]),
        ({"lead": {"phone_number": "+1******0132", "name": "[REDACTED]"}}, ["customer_number", "variables"]),
        ({"lead": {}, "redact_pii": True}, ["customer_number"]),
        ({"lead": {}, "call__redact_pii": True, "call__transcript": ""}, ["customer_number", "transcript"]),
        ({"lead": {}}, []),
        ({"redact_pii": True}, []),
    ],
)
def test_it_notices_what_was_taken_out(changed: dict[str, Any], taken_out: list[str]) -> None:
    assert parse(report(**changed)).redacted == taken_out


# Whether it is one


def test_it_has_no_use_for_the_question_who_answers() -> None:
    asked = {"event": "call_inbound", "call_inbound": {"model_id": "", "from_number": "+14155550132"}}
    assert READ.parse(json.dumps(asked).encode()) == Ignored("call_inbound")
    with pytest.raises(NotVerified, match="inbound webhook"):
        verify(asked, {"synthflow-signature": "x"})


@pytest.mark.parametrize(
    "event",
    [
        {"call_id": "x", "transcript": "bot: Hello"},
        {"call": {"call_id": "x", "agent_id": "y", "call_status": "ended"}},
        {"lead": {}, "call": {"status": "completed"}},
        {"lead": {}, "call": {"call_id": ""}},
        {"lead": {}, "call": {"call_id": "x" * 256}},
    ],
)
def test_it_refuses_what_is_not_synthflows_or_names_no_call(event: Any) -> None:
    with pytest.raises(Unreadable):
        READ.parse(json.dumps(event).encode())


@pytest.mark.parametrize(
    "name",
    ["synthflow-signature", "http-synthflow-signature", "http_synthflow_signature", "x-synthflow-signature"],
)
def test_it_takes_the_signature_under_every_name_it_has(name: str) -> None:
    (signature,) = sign(PLATFORM.body, 0, PLATFORM.auth).values()
    verify(REPORT, {name: f" {signature} "})


def test_it_makes_the_signature_of_the_documentation() -> None:
    """secret_key "your-secret-key" and call_id "123456789", as the page has them; by openssl:
    printf 123456789 | openssl dgst -sha256 -hmac your-secret-key -binary | base64"""
    body = b'{"call": {"call_id": "123456789"}}'
    delivery = Delivery(
        {"synthflow-signature": "BDYfUVpCOdnUFPaYuTYUbNCIr4aYC/CL503qxdV2c8A="}, body, "https://postcall.example/in"
    )
    READ.verify(delivery, {"secret": "your-secret-key"})


def test_it_refuses_the_signature_of_another_call() -> None:
    with pytest.raises(NotVerified):
        verify(report(call__call_id="call-2"), dict(sign(PLATFORM.body, 0, PLATFORM.auth)))


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b"\xff", b'{"call": {"call_id": null}}'])
def test_it_refuses_to_verify_what_names_no_call(body: bytes) -> None:
    with pytest.raises(NotVerified, match="names no call"):
        READ.verify(Delivery({"synthflow-signature": "x"}, body, ""), PLATFORM.auth)


# Through the door


def deliver(source: Source, event: Any) -> Any:
    body = json.dumps(event).encode()
    headers = {"HTTP_SYNTHFLOW_SIGNATURE": next(iter(sign(body, time.time(), PLATFORM.auth).values()))}
    return Client().post(f"/in/synthflow/{source.token}", body, content_type="application/json", headers=headers)


def test_the_first_body_of_a_call_counts_since_the_signature_covers_none(db: None) -> None:
    workspace = Workspace.objects.create(name="Harbor Dental")
    source = Source.objects.create(
        workspace=workspace, kind="synthflow", name="Desk", auth=json.dumps(dict(PLATFORM.auth))
    )
    assert deliver(source, REPORT).json() == {"status": "accepted"}
    stored = Call.objects.values().get()
    forged = report(
        lead={"phone_number": "+14155550199"}, call__transcript="human: Text me a link", collected_variables=None
    )
    assert deliver(source, forged).json() == {"status": "duplicate"}
    assert Call.objects.values().get() == stored


def test_a_delivery_without_its_type_is_answered_in_json_too(db: None) -> None:
    workspace = Workspace.objects.create(name="Harbor Dental")
    source = Source.objects.create(
        workspace=workspace, kind="synthflow", name="Desk", auth=json.dumps(dict(PLATFORM.auth))
    )
    signed = sign(PLATFORM.body, time.time(), PLATFORM.auth)["http-synthflow-signature"]
    answer = Client().post(
        f"/in/synthflow/{source.token}",
        PLATFORM.body,
        content_type="application/x-www-form-urlencoded",
        headers={"Synthflow-Signature": signed},
    )
    assert answer.json() == {"status": "accepted"}
