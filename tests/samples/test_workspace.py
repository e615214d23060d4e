"""What the sample workspace sets up, and that it shows what the product does."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from postcall.messages import segments
from postcall.samples import SampleAction, SampleAttachment, load_workspace

WORKSPACE = load_workspace()
ACTIONS = {action.key: action for action in WORKSPACE.actions}
AGENTS = {agent.key: agent for agent in WORKSPACE.agents}
INPUT = re.compile(r"<([A-Za-z][A-Za-z0-9_]*)>")


def body(thing: SampleAction | SampleAttachment) -> dict[str, Any]:
    return thing.body


def label(attachment: SampleAttachment) -> str:
    return f"{attachment.agent}-{attachment.action}"


def bindings() -> list[dict[str, Any]]:
    return [binding for attachment in WORKSPACE.attachments for binding in body(attachment)["inputs"].values()]


@pytest.mark.parametrize("attachment", WORKSPACE.attachments, ids=label)
def test_it_binds_exactly_the_inputs_of_the_message(attachment: SampleAttachment) -> None:
    message = body(ACTIONS[attachment.action])["message"]
    assert set(body(attachment)["inputs"]) == set(INPUT.findall(message))


def test_it_attaches_an_action_once_an_agent() -> None:
    pairs = [(attachment.agent, attachment.action) for attachment in WORKSPACE.attachments]
    assert len(set(pairs)) == len(pairs)
    assert {agent for agent, _ in pairs} == set(AGENTS)
    assert {action for _, action in pairs} == set(ACTIONS)


def test_it_maps_one_action_differently_at_two_agents() -> None:
    mapped = {a.agent: a.body["inputs"] for a in WORKSPACE.attachments if a.action == "appointment"}
    assert set(mapped) == {"dental", "garage"}
    assert mapped["dental"] != mapped["garage"]


def test_it_uses_every_binding() -> None:
    kinds = {binding["from"] for binding in bindings()}
    assert kinds == {"fixed", "collected", "extracted", "system", "pre_call", "action_result", "ask"}


def test_it_uses_every_format() -> None:
    formats = {binding["format"] for binding in bindings() if "format" in binding}
    assert formats == {"date", "time", "datetime", "number", "money"}


def test_it_asks_for_a_date() -> None:
    assert [b["format"] for b in bindings() if b["from"] == "ask" and "format" in b] == ["date"]


def test_it_decides_by_rule_by_always_and_by_judge() -> None:
    decided = {
        (bool(body(attachment)["only_if"]), body(ACTIONS[attachment.action]).get("always", False))
        for attachment in WORKSPACE.attachments
    }
    assert decided == {(True, True), (False, True), (True, False), (False, False)}


@pytest.mark.parametrize("action", WORKSPACE.actions, ids=lambda action: action.key)
def test_it_gives_an_action_a_condition_or_always(action: SampleAction) -> None:
    assert bool(action.body.get("condition")) != bool(action.body.get("always"))


def test_it_shows_the_modes_that_do_something() -> None:
    assert {attachment.body["mode"] for attachment in WORKSPACE.attachments} == {"shadow", "approve", "live"}
    assert {attachment.body["on_unclear"] for attachment in WORKSPACE.attachments} == {"hold", "skip"}


@pytest.mark.parametrize(
    "condition",
    [
        "When the customer confirms they're interested in the offer",
        "After scheduling an appointment",
        "When the customer requests more information",
        "If the customer agrees to receive promotional messages",
        "After the caller confirms that they want the details by text",
    ],
)
def test_it_has_the_conditions_people_know(condition: str) -> None:
    assert condition in {action.body.get("condition") for action in WORKSPACE.actions}


def test_it_has_the_messages_people_know() -> None:
    assert ACTIONS["sms_confirmation"].body["name"] == "sms_confirmation"
    assert (
        ACTIONS["appointment"].body["message"]
        == "Hi <customer_name>, your appointment is confirmed for <appointment_date>."
    )


@pytest.mark.parametrize("key", AGENTS)
def test_it_names_real_zones_and_locales(key: str) -> None:
    agent = AGENTS[key].body
    assert ZoneInfo(str(agent["timezone"])).key == agent["timezone"]
    assert Locale.parse(str(agent["locale"]), sep="-").territory == "US"


def test_it_has_an_agent_that_speaks_spanish() -> None:
    assert "es-US" in {agent.body["locale"] for agent in WORKSPACE.agents}


def test_it_shows_every_choice_of_a_sender() -> None:
    senders = [agent.body["sender"] for agent in WORKSPACE.agents]
    assert None in senders
    assert {"follow_agent_number": True} in senders
    assert {"from_number": "+14155550100"} in senders


def test_it_writes_english_messages_cheaply() -> None:
    forced = {key: segments.count(str(action.body["message"])).forced_by for key, action in ACTIONS.items()}
    assert not any(forced.values())
