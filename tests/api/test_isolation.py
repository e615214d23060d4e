"""Nothing crosses workspaces: another one's id is a 404 at every address that there is."""

from collections.abc import Callable
from typing import Any

import pytest

from postcall.api.serving import api as the_api

from .conftest import ACTION, Api, Followed, a_backtest, a_webhook

BODIES: dict[str, Any] = {
    "update_action": ACTION,
    "update_agent": {"name": "Mine now"},
    "create_attachment": {"action_id": "00000000-0000-7000-8000-000000000000"},
    "update_attachment": {"action_id": "00000000-0000-7000-8000-000000000000"},
    "update_source": {"kind": "generic", "name": "Mine now"},
    "update_webhook": {"url": "https://93.184.216.34/in", "events": ["message.sent"]},
    "assign_call": {"agent_id": "00000000-0000-7000-8000-000000000000"},
    "approve_follow_up": {},
    "give_feedback": {"right": True},
    "resend_message": {"reason": "x"},
    "create_case": {"call_id": "00000000-0000-7000-8000-000000000000", "expected": "met"},
    "update_case": {"expected": "met"},
}


def operations() -> list[tuple[str, str, str]]:
    """Every operation on one thing: (id, method, path)."""
    paths = the_api.get_openapi_schema(path_prefix="")["paths"]
    return [
        (operation["operationId"], method.upper(), path)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if "{" in path
    ]


@pytest.fixture
def ids(api: Api, follow: Callable[..., Followed], agent: dict[str, Any]) -> dict[str, str]:
    """By the names that stand in the paths: one thing of each kind."""
    done = follow()
    attachment = api.get(f"/agents/{agent['id']}/attachments").json["items"][0]
    return {
        "action_id": attachment["action_id"],
        "agent_id": agent["id"],
        "attachment_id": attachment["id"],
        "call_id": done.call,
        "follow_up_id": done.follow_up,
        "message_id": str(done.message),
        "source_id": api.made("/sources", {"kind": "generic", "name": "Desk"})["id"],
        **a_webhook(api),
        **a_backtest(api, attachment["action_id"], done.call),
        "number": api.made("/opt-outs", {"number": "+14155550139"})["number"],
    }


@pytest.mark.parametrize(("operation", "method", "path"), operations())
def test_it_does_not_know_another_workspaces_things(
    stranger: Api, ids: dict[str, str], operation: str, method: str, path: str
) -> None:
    answer = stranger.call(method, path.format(**ids), BODIES.get(operation))
    assert answer.status == 404, answer.json


def lists() -> list[str]:
    """Every address that is looked at without naming one thing."""
    paths = the_api.get_openapi_schema(path_prefix="")["paths"]
    return [path for path, methods in paths.items() if "get" in methods and "{" not in path]


@pytest.mark.parametrize("path", lists())
def test_it_shows_nothing_of_another_workspace(api: Api, stranger: Api, ids: dict[str, str], path: str) -> None:
    shown = stranger.get(path)
    assert shown.status == 200
    assert not shown.json.get("items")
    assert not shown.json.get("next")
    told = shown.response.content.decode()
    assert not [held for held in (*ids.values(), str(api.workspace.pk)) if held in told]


def test_it_uses_nothing_of_another_workspace(stranger: Api, ids: dict[str, str]) -> None:
    mine = stranger.made("/agents", {"name": "Mine"})
    refused = stranger.post(f"/agents/{mine['id']}/attachments", {"action_id": ids["action_id"]})
    assert (refused.status, refused.fields) == (422, ["action_id"])
    own = stranger.made("/actions", ACTION)["id"]
    refused = stranger.post("/backtests", {"action_id": ids["action_id"]})
    assert (refused.status, refused.fields) == (422, ["action_id"])
    refused = stranger.post("/backtests", {"action_id": own, "agent_id": ids["agent_id"]})
    assert (refused.status, refused.fields) == (422, ["agent_id"])
    refused = stranger.post(f"/actions/{own}/cases", {"call_id": ids["call_id"], "expected": "met"})
    assert (refused.status, refused.fields) == (422, ["call_id"])
    assert stranger.get(f"/actions/{own}/cases/{ids['case_id']}").status == 404
    assert stranger.post("/test", {"call_id": ids["call_id"], "condition": "After a booking"}).status == 404
    taken = stranger.made("/calls", {"external_id": "c-1", "agent": ids["agent_id"]})
    assert taken["status"] == "unassigned"
