"""Rules that are offered from what an agent's calls really held."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from postcall.actions.models import Action, Attachment, Revision
from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.followups.models import FollowUp
from postcall.followups.offered_rules import MOST, OfferedRule, offered_rules
from postcall.ids import new_id
from postcall.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> Agent:
    workspace = Workspace.objects.create(name="Northgate Clinic")
    return Agent.objects.create(workspace=workspace, name="Front desk", timezone="UTC")


def an_action(agent: Agent, condition: str = "After scheduling an appointment") -> Action:
    action = Action.objects.create(workspace=agent.workspace, type="post_call_sms", name="Booking")
    action.revision = Revision.objects.create(
        action=action, number=1, message="See you", condition=condition, inputs=[]
    )
    action.save()
    Attachment.objects.create(workspace=agent.workspace, agent=agent, action=action, mode="live")
    return action


def a_call(agent: Agent, **variables: Any) -> Call:
    return Call.objects.create(
        workspace=agent.workspace,
        agent=agent,
        source_kind="api",
        external_id=str(new_id()),
        variables=variables,
        received_at=timezone.now(),
    )


def judged(call: Call, action: Action, result: str, right: bool | None = None) -> None:
    FollowUp.objects.create(
        workspace=call.workspace,
        call=call,
        action=action,
        revision=action.revision,
        attachment=action.attachments.get(),
        result=result,
        feedback_right=right,
        created_at=timezone.now(),
    )


def as_json(offers: list[OfferedRule]) -> list[dict[str, Any]]:
    return [each.as_json for each in offers]


REFERENCE = {"from": "action_result", "action": "create_booking", "name": "reference", "is": "present"}


def test_it_offers_what_a_tool_answered_for_what_the_condition_is_about(agent: Agent) -> None:
    for n in range(10):
        booked = {"create_booking": {"reference": f"NC-{n}", "status": "confirmed"}} if n < 4 else {}
        a_call(agent, collected={"first_name": f"Maya {n}"}, action_results=booked)
    (offer,) = offered_rules(agent, an_action(agent))
    assert (offer.as_json, offer.held, offer.calls) == (REFERENCE, 4, 10)


def test_it_offers_a_status_that_takes_few_values(agent: Agent) -> None:
    for status in ("confirmed", "confirmed", "failed", "failed", "failed"):
        a_call(agent, action_results={"book_slot": {"status": status}})
    (offer,) = offered_rules(agent, an_action(agent))
    assert offer.as_json == {
        "from": "action_result", "action": "book_slot", "name": "status", "is": "equals", "value": "confirmed",
    }  # fmt: skip
    assert offer.held == 2


def test_it_offers_a_flag(agent: Agent) -> None:
    for flag in (True, False, False):
        a_call(agent, extracted={"appointment_booked": flag})
    (offer,) = offered_rules(agent, an_action(agent))
    assert offer.as_json == {"from": "extracted", "name": "appointment_booked", "is": "equals", "value": "true"}
    assert offer.held == 1


def test_it_offers_nothing_that_decides_nothing(agent: Agent) -> None:
    for _ in range(3):
        a_call(agent, action_results={"create_booking": {"reference": "NC-1"}})
    assert offered_rules(agent, an_action(agent)) == []


def test_it_offers_nothing_that_is_about_something_else(agent: Agent) -> None:
    a_call(agent, collected={"shoe_size": "43"})
    a_call(agent)
    assert offered_rules(agent, an_action(agent)) == []


@pytest.mark.parametrize("tool", ["cancel_appointment", "find_slots", "check_availability"])
def test_it_takes_no_other_tool_for_a_booking(agent: Agent, tool: str) -> None:
    a_call(agent, action_results={tool: {"status": "success"}})
    a_call(agent)
    assert offered_rules(agent, an_action(agent)) == []


@pytest.mark.parametrize("name", ["booking_pin", "appointment_token", "booking.password"])
def test_it_offers_nothing_under_a_name_for_secrets(agent: Agent, name: str) -> None:
    a_call(agent, extracted={name: "true"})
    a_call(agent, extracted={name: "false"})
    assert offered_rules(agent, an_action(agent)) == []


def test_it_says_how_often_a_rule_agrees_with_the_verdicts(agent: Agent) -> None:
    action = an_action(agent)
    for n, result in enumerate(["met", "met", "not_met", "not_met", "met", "unclear"]):
        call = a_call(agent, action_results={"create_booking": {"reference": "NC-1"}} if n < 2 else {})
        # The last verdict but one was wrong, somebody said.
        judged(call, action, result, right=False if n == 4 else None)
    (offer,) = offered_rules(agent, action)
    assert (offer.agrees, offer.compared) == (5, 5)


def test_it_finds_by_the_verdicts_what_no_word_tells(agent: Agent) -> None:
    action = an_action(agent)
    for n in range(6):
        judged(a_call(agent, collected={"k_no": n} if n < 3 else {}), action, "met" if n < 3 else "not_met")
        judged(a_call(agent, collected={"shoe_size": 43}), action, "not_met")
    assert {"from": "collected", "name": "k_no", "is": "present"} in as_json(offered_rules(agent, action))
    assert "shoe_size" not in str(as_json(offered_rules(agent, action)))


def test_it_offers_a_handful_at_most_the_surest_first(agent: Agent) -> None:
    for n in range(12):
        a_call(agent, extracted={f"booking_{letter}": n for letter in "abcdefghijkl"[: n + 1]})
    assert len(offered_rules(agent, an_action(agent))) == MOST


def test_it_knows_no_other_agents_calls(agent: Agent) -> None:
    other = Agent.objects.create(workspace=agent.workspace, name="Service line")
    a_call(other, action_results={"create_booking": {"reference": "NC-1"}})
    a_call(other)
    assert offered_rules(agent, an_action(agent)) == []


def test_it_asks_twice(agent: Agent, django_assert_num_queries: Any) -> None:
    action = an_action(agent)
    a_call(agent, action_results={"create_booking": {"reference": "NC-1"}})
    a_call(agent)
    with django_assert_num_queries(2):
        assert offered_rules(agent, action)
