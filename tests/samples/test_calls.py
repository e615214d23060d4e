"""The sample calls, and what an ideal judge would have Postcall do about them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postcall.actions.message import MAX_LENGTH
from postcall.messages import segments
from postcall.messages.errors import TEXTS
from postcall.samples import SampleCall, load_calls, load_workspace
from postcall.sources.ended_call import EndedCall

NOW = datetime(2026, 3, 4, 18, 0, tzinfo=UTC)  # a Wednesday
CALLS = {sample.name: sample for sample in load_calls(NOW)}
WORKSPACE = load_workspace()
ACTIONS = {action.key: action.body for action in WORKSPACE.actions}
ATTACHED = {(attachment.agent, attachment.action) for attachment in WORKSPACE.attachments}
AGENT_KEYS = {
    external["id"]: agent.key
    for agent in WORKSPACE.agents
    for external in agent.body["external_ids"]  # type: ignore[union-attr]  # a list of objects in every body
    if isinstance(external, dict)
}
TWILIO_MAGIC = {"+15005550004", "+15005550009"}


def texts() -> dict[str, str]:
    folder = files("postcall.samples")
    calls = {path.name: path.read_text("utf-8") for path in (folder / "calls").iterdir() if path.is_file()}
    return {"workspace.json": (folder / "workspace.json").read_text("utf-8"), **calls}


def inputs(agent: str, action: str) -> dict[str, Any]:
    found = next(a for a in WORKSPACE.attachments if (a.agent, a.action) == (agent, action))
    value = found.body["inputs"]
    assert isinstance(value, dict)
    return value


def fill(message: str, values: dict[str, str]) -> str:
    return re.sub(r"<(\w+)>", lambda match: values[match[1]], message)


def estimate(name: str) -> str:
    """The written estimate of one call, filled in as a person would."""
    variables = CALLS[name].call.variables
    return fill(
        str(ACTIONS["estimate"]["message"]),
        {
            "customer_name": variables.extracted["customer"]["first_name"],
            "car": variables.pre_call["vehicle"],
            "notes": variables.pre_call["inspection"]["notes"],
            "total": f"${float(variables.action_results['price_repair']['total']):,.2f}",
            "hours": str(variables.action_results["price_repair"]["hours"]),
        },
    )


@pytest.mark.parametrize("sample", CALLS.values(), ids=CALLS)
def test_it_is_a_call_as_the_api_takes_it(sample: SampleCall) -> None:
    assert EndedCall.model_validate(sample.body) == sample.call
    assert sample.call.external_id == f"sample-{sample.name}"
    assert sample.about


@pytest.mark.parametrize("sample", CALLS.values(), ids=CALLS)
def test_it_ended_within_the_last_hour(sample: SampleCall) -> None:
    call = sample.call
    assert call.started_at is not None
    assert call.ended_at is not None
    assert NOW - timedelta(hours=1) < call.started_at < call.ended_at < NOW


@pytest.mark.parametrize("sample", CALLS.values(), ids=CALLS)
def test_it_has_turns_that_fit_into_the_call(sample: SampleCall) -> None:
    times = [turn.at for turn in sample.call.transcript if turn.at is not None]
    assert len(times) == len(sample.call.transcript)
    assert times == sorted(set(times))
    assert sample.call.started_at
    assert sample.call.ended_at
    length = sample.call.ended_at - sample.call.started_at
    assert all(at < length.total_seconds() for at in times)


@pytest.mark.parametrize("sample", CALLS.values(), ids=CALLS)
def test_it_expects_something_of_every_attached_action(sample: SampleCall) -> None:
    agent = AGENT_KEYS.get(str(sample.call.agent))
    assert set(sample.expected) == {action for key, action in ATTACHED if key == agent}


@pytest.mark.parametrize("sample", CALLS.values(), ids=CALLS)
def test_it_gives_a_reason_exactly_when_nothing_is_sent(sample: SampleCall) -> None:
    for expected in sample.expected.values():
        assert (expected.reason is None) == (expected.outcome == "message")
        assert expected.verdict != "not_met" or expected.reason == "condition_not_met"
        assert expected.error_code is None or expected.error_code in TEXTS


@pytest.mark.parametrize("sample", CALLS.values(), ids=CALLS)
def test_it_judges_no_action_that_always_goes_out(sample: SampleCall) -> None:
    for action, expected in sample.expected.items():
        assert not (expected.verdict and ACTIONS[action].get("always"))


@pytest.mark.parametrize(("agent", "action"), sorted(ATTACHED))
def test_it_shows_every_attachment_both_ways(agent: str, action: str) -> None:
    outcomes = [s.expected[action] for s in CALLS.values() if AGENT_KEYS.get(str(s.call.agent)) == agent]
    fires = [e for e in outcomes if e.outcome == "message" or e.reason in {"shadow", "awaiting_approval"}]
    stays = [e for e in outcomes if e not in fires]
    assert fires
    assert stays
    if not ACTIONS[action].get("always"):
        assert {"met", "not_met"} <= {expected.verdict for expected in outcomes}


@pytest.mark.parametrize(
    "reason",
    [
        "rule_not_met",
        "condition_not_met",
        "missing_input",
        "unsafe_value",
        "message_too_long",
        "not_connected",
        "voicemail",
        "no_transcript",
        "no_recipient",
        "asked_not_to_be_texted",
        "awaiting_approval",
        "shadow",
    ],
)
def test_it_shows_the_hard_ones(reason: str) -> None:
    assert reason in {expected.reason for sample in CALLS.values() for expected in sample.expected.values()}


def test_it_shows_what_twilio_refuses_and_what_does_not_arrive() -> None:
    codes = {expected.error_code for sample in CALLS.values() for expected in sample.expected.values()}
    assert {21610, 21614, 30003} <= codes


def test_it_has_one_call_of_an_agent_nobody_knows() -> None:
    assert [name for name, sample in CALLS.items() if not sample.expected] == ["unknown-agent"]


@pytest.mark.parametrize("name", sorted(texts()))
def test_it_calls_only_numbers_that_nobody_has(name: str) -> None:
    numbers = set(re.findall(r"\+?\d[\d ()-]{7,}\d", texts()[name].replace("\u00a0", " ")))
    for number in numbers - TWILIO_MAGIC:
        assert re.fullmatch(r"\+1\d{3}55501\d\d", number), number


@pytest.mark.parametrize("sample", CALLS.values(), ids=CALLS)
def test_it_has_numbers_with_a_time_zone(sample: SampleCall) -> None:
    if sample.call.customer_number is None:
        return
    number = phonenumbers.parse(sample.call.customer_number)
    assert phonenumbers.is_valid_number(number)


def test_it_texts_nobody_twice() -> None:
    numbers = [s.call.customer_number for s in CALLS.values() if s.call.customer_number]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("sample", CALLS.values(), ids=CALLS)
def test_it_leaves_no_date_open(sample: SampleCall) -> None:
    assert "[[" not in str(sample.body)


@pytest.mark.parametrize("sample", CALLS.values(), ids=CALLS)
def test_it_has_someone_say_the_name_that_a_text_uses(sample: SampleCall) -> None:
    said = " ".join(turn.text for turn in sample.call.transcript)
    for expected in sample.expected.values():
        greeted = re.match(r"(?:Hi|Hola) (\w+),", expected.says[0]) if expected.says else None
        assert greeted is None or greeted[1] in said


def test_it_writes_a_long_estimate_in_several_segments() -> None:
    text = estimate("garage-wants-estimate-in-writing")
    expected = CALLS["garage-wants-estimate-in-writing"].expected["estimate"]
    assert all(part in text for part in expected.says)
    assert segments.count(text).count == expected.segments == 4


def test_it_writes_an_estimate_that_is_too_long() -> None:
    assert len(estimate("garage-estimate-too-long")) > MAX_LENGTH


def test_it_carries_a_code_with_a_leading_zero() -> None:
    results = CALLS["leasing-door-code"].call.variables.action_results
    assert results["issue_door_code"]["code"] == "0472"
    assert inputs("leasing", "door_code")["code"]["allow"] == ["digits"]


def test_it_speaks_the_same_date_as_it_stores() -> None:
    sample = CALLS["dental-books-cleaning"].call
    stored = datetime.fromisoformat(sample.variables.action_results["book_appointment"]["start"])
    assert (
        stored.isoformat() == "2026-03-12T14:30:00-07:00"
    )  # tomorrow's Thursday is too near, and summer time began
    assert "Thursday, March 12" in sample.transcript[6].text


def test_it_speaks_spanish_dates() -> None:
    said = " ".join(turn.text for turn in CALLS["clinica-agenda-cita"].call.transcript)
    assert "el jueves 12 de marzo a las" in said


@settings(deadline=None, max_examples=30)
@given(st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 -- made aware by `timezones`
def test_it_books_ahead_on_any_day(now: datetime) -> None:
    for sample in load_calls(now):
        assert sample.call.started_at is not None
        start = sample.call.variables.action_results.get("book_appointment", {}).get("start")
        if start:
            ahead = datetime.fromisoformat(start).date() - sample.call.started_at.date()
            assert timedelta(days=1) <= ahead <= timedelta(days=9)


def test_it_gives_the_same_calls_again() -> None:
    later = load_calls(NOW + timedelta(days=2))
    assert [sample.call.external_id for sample in later] == [s.call.external_id for s in CALLS.values()]
