"""Where a value comes from, in Synthflow's words and in ours."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from postcall.actions.bindings import Binding, dump
from postcall.calls.held_values import Held, HeldValues
from postcall.synthflow.mappings import Variable, bound, entry_of, guessed, read_mapped
from postcall.synthflow.words import action_name, input_name

from .stand_in import entry

BINDING: TypeAdapter[Any] = TypeAdapter(Binding)
HELD = HeldValues(
    3,
    (
        Held("collected", "", "First Name", 3, ("Ann",)),
        Held("pre_call", "", "plan", 3, ("gold",)),
        Held("action_result", "create_booking", "data.reference", 2, ("X1",)),
    ),
)


def binding_of(raw: dict[str, Any], held: HeldValues | None = None) -> dict[str, Any]:
    mapped = read_mapped(raw)
    assert mapped is not None
    return dump(bound(mapped, held).binding)


@pytest.mark.parametrize(
    ("raw", "binding"),
    [
        (entry("company", "hardcoded", "Northgate Clinic"), {"from": "fixed", "value": "Northgate Clinic"}),
        (entry("floor", "hardcoded", 3), {"from": "fixed", "value": 3}),
        (entry("open", "hardcoded", True), {"from": "fixed", "value": "true"}),
        (
            entry("day", "llm", description="the day agreed", example="Tuesday"),
            {"from": "ask", "description": "the day agreed", "example": "Tuesday"},
        ),
        (entry("call_id", "system_vars"), {"from": "system", "name": "call_id"}),
        (entry("who", "system_vars", "user_phone_number"), {"from": "system", "name": "customer_number"}),
        (entry("who", "system_vars", "{from_phone_number}"), {"from": "system", "name": "from_number"}),
        (entry("who", "system_vars", "<to_phone_number>"), {"from": "system", "name": "to_number"}),
        (entry("plan", "prompt_variables"), {"from": "pre_call", "name": "plan"}),
        (entry("plan", "prompt_variables", "lead.plan"), {"from": "pre_call", "name": "lead.plan"}),
        (entry("visit", "fsm_variables", "{visit day}"), {"from": "collected", "name": "visit day"}),
        (
            entry("code", "action_results", "create_booking.reference"),
            {"from": "action_result", "action": "create_booking", "name": "reference"},
        ),
        (entry("purchase", "action_results"), {"from": "extracted", "name": "purchase"}),
    ],
)
def test_it_reads_each_source(raw: dict[str, Any], binding: dict[str, Any]) -> None:
    assert binding_of(raw) == binding


def test_it_finds_whose_result_is_meant_in_what_calls_held() -> None:
    found = binding_of(entry("code", "action_results", "reference"), HELD)
    assert found == {"from": "action_result", "action": "create_booking", "name": "data.reference"}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (entry("x", "hardcoded", " "), "empty"),
        (entry("x", "hardcoded"), "empty"),
        (entry("x", "system_vars", "weather"), "weather"),
        (entry("x", "prompt_variables", ".."), "“..”"),
        (entry("x", "carrier_pigeon"), "carrier_pigeon"),
    ],
)
def test_it_asks_the_transcript_for_what_cannot_be_told_and_says_so(raw: dict[str, Any], why: str) -> None:
    mapped = read_mapped(raw)
    assert mapped is not None
    found = bound(mapped)
    assert found.binding.from_ == "ask"
    assert why in found.note


def test_it_says_that_what_is_optional_there_is_needed_here() -> None:
    mapped = read_mapped(entry("x", "llm", description="a nickname", required=False))
    assert mapped is not None
    assert "fallback" in bound(mapped).note


@pytest.mark.parametrize("raw", [None, [], {}, {"variable_name": None}, {"variable_name": " "}, "x", 7])
def test_it_reads_nothing_out_of_what_names_no_variable(raw: Any) -> None:
    assert read_mapped(raw) is None


def test_it_reads_entries_that_are_json_in_a_string() -> None:
    mapped = read_mapped(
        '{"variable_name": "day", "source": "llm", "llm_config": "{\\"description\\": \\"the day\\"}"}'
    )
    assert mapped is not None
    assert dump(bound(mapped).binding)["description"] == "the day"


@pytest.mark.parametrize(
    ("name", "binding"),
    [
        ("user_phone_number", {"from": "system", "name": "customer_number"}),
        ("first_name", {"from": "collected", "name": "First Name"}),
        ("plan", {"from": "pre_call", "name": "plan"}),
        ("data_reference", {"from": "action_result", "action": "create_booking", "name": "data.reference"}),
        ("visitDay", {"from": "ask", "description": "the visit day, as the call settled it"}),
    ],
)
def test_it_finds_a_variable_by_its_name(name: str, binding: dict[str, Any]) -> None:
    assert dump(guessed(Variable(name), HELD).binding) == binding


@pytest.mark.parametrize(
    ("name", "binding"),
    [
        ("plan", {"from": "pre_call", "name": "plan"}),
        ("Customer Name", {"from": "pre_call", "name": "name"}),
        ("visit day", {"from": "collected", "name": "visit day"}),
    ],
)
def test_it_asks_no_judge_that_reads_no_values(name: str, binding: dict[str, Any]) -> None:
    assert dump(guessed(Variable(name), HELD, reads=False).binding) == binding


@pytest.mark.parametrize(
    "raw",
    [
        {"from": "fixed", "value": "Northgate"},
        {"from": "fixed", "value": 7},
        {"from": "collected", "name": "first_name", "fallback": "there"},
        {"from": "extracted", "name": "satisfaction"},
        {"from": "pre_call", "name": "plan.name", "allow": ["url"]},
        {"from": "system", "name": "started_at", "format": "date"},
        {"from": "system", "name": "customer_number"},
        {"from": "action_result", "action": "a.b", "name": "c"},
        {"from": "ask", "description": "the day agreed", "example": "Tuesday", "format": "date"},
    ],
)
def test_it_loses_nothing_on_the_way_there_and_back(raw: dict[str, Any]) -> None:
    shown = entry_of("x", BINDING.validate_python(raw))
    assert binding_of(shown) == raw
    assert binding_of(shown | {"postcall": {"from": "nonsense"}})["from"]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("a_b", "a_b"),
        ("a b", "a_b"),
        ("_x", "x"),
        ("x_", "x_"),
        ("Größe", "Groe"),
        ("9x", ""),
        ("", ""),
        ("a" * 70, "a" * 64),
    ],
)
def test_it_makes_a_name_that_an_input_may_have(written: str, name: str) -> None:
    assert input_name(written) == name


@pytest.mark.parametrize(
    ("instructions", "given", "name"),
    [
        ("After a booking", "send_sms", "After a booking"),
        ("After a booking", None, "After a booking"),
        ("After a booking", " Booking  text ", "Booking text"),
        ("", None, "Text after a call"),
        ("x" * 200, 7, "x" * 99 + "…"),
    ],
)
def test_it_names_an_action(instructions: str, given: Any, name: str) -> None:
    assert action_name(instructions, given) == name
