"""/agents/{id}/attachments: an action attached to an agent."""

from typing import Any

import pytest

from .conftest import BOUND, Api


@pytest.fixture
def path(agent: dict[str, Any]) -> str:
    return f"/agents/{agent['id']}/attachments"


def test_it_is_live_when_all_inputs_are_bound(api: Api, path: str, action: Any) -> None:
    made = api.made(path, {"action_id": action["id"], "inputs": BOUND})
    assert (made["mode"], made["unbound"], made["inputs"]) == ("live", [], BOUND)


def test_it_is_off_while_an_input_is_unbound(api: Api, path: str, action: Any) -> None:
    made = api.made(path, {"action_id": action["id"], "inputs": {"day": BOUND["day"]}})
    assert (made["mode"], made["unbound"]) == ("off", ["customer_name"])


@pytest.mark.parametrize("mode", ["shadow", "approve", "live"])
def test_it_refuses_to_switch_on_what_is_not_all_bound(api: Api, path: str, action: Any, mode: str) -> None:
    refused = api.post(path, {"action_id": action["id"], "inputs": {"day": BOUND["day"]}, "mode": mode})
    assert (refused.status, refused.fields) == (422, ["mode"])
    assert "customer_name" in refused.json["detail"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"inputs": {"nobody": {"from": "fixed", "value": "x"}}}, "inputs.nobody"),
        ({"inputs": {"day": {"from": "nowhere"}}}, "inputs.day"),
        ({"inputs": {"day": {"name": "x"}}}, "inputs.day"),
        ({"inputs": {"day": {"from": "collected"}}}, "inputs.day.name"),
        ({"inputs": {"day": {"from": "collected", "name": "a..b"}}}, "inputs.day.name"),
        ({"inputs": {"day": {"from": "system", "name": "moon_phase"}}}, "inputs.day.name"),
        ({"inputs": {"day": {"from": "fixed", "value": ""}}}, "inputs.day.value"),
        ({"inputs": {"day": {"from": "collected", "name": "x", "allow": ["all"]}}}, "inputs.day.allow.0"),
        ({"mode": "on"}, "mode"),
        ({"on_unclear": "send"}, "on_unclear"),
        ({"recipient_override": "nobody"}, "recipient_override"),
        ({"only_if": [{"from": "pre_call", "name": "x", "is": "equals"}]}, "only_if.0"),
        ({"only_if": [{"from": "ask", "name": "x", "is": "present"}]}, "only_if.0.from"),
        ({"only_if": "x"}, "only_if"),
        ({"action_id": "x"}, "action_id"),
        ({"action_id": "00000000-0000-7000-8000-000000000000"}, "action_id"),
    ],
)
def test_it_refuses_what_makes_no_attachment(api: Api, path: str, action: Any, changed: Any, field: str) -> None:
    refused = api.post(path, {"action_id": action["id"], "mode": "off"} | changed)
    assert (refused.status, refused.fields) == (422, [field])


def test_it_offers_rules_from_what_calls_held(api: Api, agent: dict[str, Any], action: Any) -> None:
    rule = {"from": "action_result", "action": "create_booking", "name": "reference", "is": "present"}
    for n in range(2):
        api.post(
            "/calls",
            {
                "external_id": f"c-{n}",
                "agent": agent["id"],
                "transcript": [{"role": "customer", "text": "Hello"}],
                "variables": {"action_results": {"create_booking": {"reference": "X1"}} if n else {}},
            },
        )
    place = f"/agents/{agent['id']}/offered-rules?action_id="
    (offer,) = api.get(f"{place}{action['id']}").json["items"]
    assert offer == {"rule": rule, "calls": 2, "held": 1, "compared": 0, "agrees": 0}
    assert api.get(f"{place}{agent['id']}").status == 422


def test_it_attaches_an_action_to_an_agent_once(api: Api, path: str, action: Any) -> None:
    made = api.made(path, {"action_id": action["id"]})
    refused = api.post(path, {"action_id": action["id"]})
    assert (refused.status, made["id"] in refused.json["detail"]) == (409, True)


def test_it_attaches_again_what_was_detached(api: Api, path: str, action: Any) -> None:
    made = api.made(path, {"action_id": action["id"]})
    assert api.delete(f"{path}/{made['id']}").status == 204
    assert api.get(f"{path}/{made['id']}").status == 404
    assert api.made(path, {"action_id": action["id"]})["id"] != made["id"]


def test_it_keeps_the_mode_when_a_change_says_none(api: Api, path: str, action: Any) -> None:
    made = api.made(path, {"action_id": action["id"], "inputs": BOUND, "mode": "approve"})
    changed = api.put(f"{path}/{made['id']}", {"action_id": action["id"], "inputs": BOUND, "on_unclear": "skip"})
    assert (changed.json["mode"], changed.json["on_unclear"]) == ("approve", "skip")


def test_it_refuses_to_unbind_an_input_of_what_is_live(api: Api, path: str, action: Any) -> None:
    made = api.made(path, {"action_id": action["id"], "inputs": BOUND})
    refused = api.put(f"{path}/{made['id']}", {"action_id": action["id"], "inputs": {}})
    assert (refused.status, refused.fields) == (422, ["mode"])
    assert api.get(f"{path}/{made['id']}").json["inputs"] == BOUND


def test_it_keeps_the_action_of_an_attachment(api: Api, path: str, action: Any) -> None:
    made = api.made(path, {"action_id": action["id"]})
    other = api.made("/actions", {"name": "Other", "message": "Hello", "always": True})
    refused = api.put(f"{path}/{made['id']}", {"action_id": other["id"]})
    assert (refused.status, refused.fields) == (422, ["action_id"])


def test_it_keeps_rules_and_the_recipient_as_given(api: Api, path: str, action: Any) -> None:
    rules = [{"from": "action_result", "action": "book", "name": "reference", "is": "present"}]
    body = {"action_id": action["id"], "only_if": rules, "recipient_override": "+1 (512) 555-0180"}
    made = api.made(path, body)
    assert (made["only_if"], made["recipient_override"]) == (rules, "+15125550180")


def test_it_finds_no_attachment_under_another_agent(api: Api, path: str, action: Any) -> None:
    made = api.made(path, {"action_id": action["id"]})
    other = api.made("/agents", {"name": "Other"})
    assert api.get(f"/agents/{other['id']}/attachments/{made['id']}").status == 404
