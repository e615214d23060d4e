"""What recent calls held, as it is offered to whoever maps inputs."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from postcall.agents.models import Agent
from postcall.calls.held_values import LONGEST, LOOKED_AT, Held, held_values
from postcall.calls.models import Call
from postcall.ids import new_id
from postcall.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> Agent:
    workspace = Workspace.objects.create(name="Northgate Clinic")
    return Agent.objects.create(workspace=workspace, name="Front desk")


def a_call(agent: Agent, **variables: Any) -> Call:
    return Call.objects.create(
        workspace=agent.workspace,
        agent=agent,
        source_kind="api",
        external_id=str(new_id()),
        variables=variables,
        received_at=timezone.now(),
    )


def test_it_counts_in_how_many_calls_a_name_had_a_value(agent: Agent) -> None:
    for name in ("Inés", "Tom", "Maya", "Maya", None):
        a_call(agent, collected={"first_name": name})
    held = held_values(agent)
    assert held.calls == 5
    assert held.held == (Held("collected", "", "first_name", 4, ("Maya", "Tom", "Inés")),)


def test_it_looks_at_the_latest_calls_only(agent: Agent) -> None:
    a_call(agent, collected={"old_name": "Maya"})
    for _ in range(LOOKED_AT):
        a_call(agent, collected={"new_name": "Maya"})
    assert [(each.name, each.calls) for each in held_values(agent).held] == [("new_name", LOOKED_AT)]


def test_it_names_the_parts_of_objects_lists_and_tools_answers(agent: Agent) -> None:
    a_call(
        agent,
        extracted={"plan": {"name": "Gold", "seats": [{"no": 4}]}, "slot": {"value": "9:40", "collected": True}},
        action_results={"create_booking": {"ref": "NC-4821"}},
    )
    found = {(each.namespace, each.tool, each.name): each.values for each in held_values(agent).held}
    assert found == {
        ("extracted", "", "plan.name"): ("Gold",),
        ("extracted", "", "plan.seats.0.no"): ("4",),
        ("extracted", "", "slot"): ("9:40",),
        ("action_result", "create_booking", "ref"): ("NC-4821",),
    }


@pytest.mark.parametrize("name", ["password", "api_key", "accessToken", "client.secret", "card_number", "CVV"])
def test_it_shows_no_value_of_a_name_for_secrets(agent: Agent, name: str) -> None:
    a_call(agent, pre_call={name: "opens-doors"})
    assert [each.values for each in held_values(agent).held] == [()]


def test_it_shows_no_value_that_looks_like_a_key(agent: Agent) -> None:
    a_call(agent, pre_call={"header": "Bearer sk_live_4eC39HqLyjWDarjtT1zdp7dc"})
    assert [each.values for each in held_values(agent).held] == [()]


def test_it_shows_moments_though_they_are_long(agent: Agent) -> None:
    a_call(agent, collected={"start": "2026-12-01T09:40:00-08:00"})
    assert held_values(agent).held[0].values == ("2026-12-01T09:40:00-08:00",)


def test_it_cuts_what_is_long(agent: Agent) -> None:
    a_call(agent, collected={"notes": "likes mornings " * 50})
    (shown,) = held_values(agent).held[0].values
    assert len(shown) == LONGEST
    assert shown.endswith("…")


def test_it_offers_the_likest_names_first(agent: Agent) -> None:
    a_call(agent, collected={"first_name": "Maya", "email": "x", "order_no": 4, "customer_full_name": "Maya O."})
    assert [each.name for each in held_values(agent).like("customer_name")] == ["customer_full_name", "first_name"]


def test_it_knows_nothing_of_calls_that_were_forgotten_or_are_of_other_agents(agent: Agent) -> None:
    forgotten = a_call(agent, collected={"first_name": "Maya"})
    Call.objects.filter(pk=forgotten.pk).update(forgotten_at=timezone.now())
    a_call(Agent.objects.create(workspace=agent.workspace, name="Night desk"), collected={"first_name": "Tom"})
    assert held_values(agent).held == ()


def test_it_stands_whatever_a_platform_sends(agent: Agent) -> None:
    nested: Any = "end"
    for _ in range(30):
        nested = {"a": nested}
    many = {str(n): n for n in range(5_000)}
    a_call(agent, collected={"": "x", " ": "y", "..": "z", "deep": nested, "many": many})
    a_call(agent, collected=["not", "an", "object"])
    assert held_values(agent).calls == 2


@pytest.mark.parametrize("name", ["pin_code", "userPin", "card_cvv", "SSN", "one_time_code", "otp"])
def test_it_shows_no_value_of_a_secret_however_it_is_written(agent: Agent, name: str) -> None:
    a_call(agent, collected={name: "4821"}, action_results={"get_access_token": {"result": "open sesame"}})
    assert [each.values for each in held_values(agent).held] == [(), ()]


def test_it_shows_no_card_but_an_order(agent: Agent) -> None:
    a_call(agent, collected={"paid_with": "4111 1111 1111 1111", "shipping": "481516"})
    assert {each.name: each.values for each in held_values(agent).held} == {
        "paid_with": (),
        "shipping": ("481516",),
    }
