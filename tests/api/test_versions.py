"""ETag and If-Match: nobody overwrites what they have not seen."""

from typing import Any

import pytest

from .conftest import ACTION, BOUND, Api


def test_it_refuses_to_overwrite_what_changed_since(api: Api, action: dict[str, Any]) -> None:
    path = f"/actions/{action['id']}"
    seen = api.get(path).headers["ETag"]
    changed = api.put(path, ACTION | {"name": "First"}, If_Match=seen)
    assert changed.status == 200
    assert changed.headers["ETag"] != seen
    assert api.put(path, ACTION | {"name": "Second"}, If_Match=seen).status == 412
    assert api.delete(path, If_Match=seen).status == 412
    assert api.get(path).json["name"] == "First"
    assert api.delete(path, If_Match=f'"x", {changed.headers["ETag"]}').status == 204


def test_a_star_matches_whatever_there_is(api: Api, action: dict[str, Any]) -> None:
    assert api.put(f"/actions/{action['id']}", ACTION, If_Match="*").status == 200


def test_being_used_makes_no_new_version(api: Api, action: dict[str, Any], agent: dict[str, Any]) -> None:
    seen = api.get(f"/actions/{action['id']}").headers["ETag"]
    api.made(f"/agents/{agent['id']}/attachments", {"action_id": action["id"], "inputs": BOUND})
    assert api.get(f"/actions/{action['id']}").headers["ETag"] == seen


@pytest.mark.parametrize("what", ["agents", "attachments", "sources"])
def test_every_thing_has_a_version(api: Api, action: Any, agent: Any, what: str) -> None:
    path, body = {
        "agents": ("/agents", {"name": "Other"}),
        "attachments": (f"/agents/{agent['id']}/attachments", {"action_id": action["id"]}),
        "sources": ("/sources", {"kind": "generic", "name": "Desk"}),
    }[what]
    made = api.post(path, body)
    one = f"{path}/{made.json['id']}"
    assert made.headers["ETag"] == api.get(one).headers["ETag"]
    assert api.put(one, body, If_Match='"0"').status == 412
    assert api.put(one, body, If_Match=made.headers["ETag"]).status == 200
    assert api.delete(one, If_Match=made.headers["ETag"]).status == 412
    assert api.delete(one).status == 204


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/settings/sending", {"valid_for_s": 60}),
        ("/settings/retention", {"days": 1}),
        ("/settings/twilio", {"use": "sandbox"}),
    ],
)
def test_settings_have_a_version(api: Api, path: str, body: dict[str, Any]) -> None:
    seen = api.get(path).headers["ETag"]
    assert api.put(path, body, If_Match='"0"').status == 412
    assert api.put(path, body, If_Match=seen).status == 200
    assert api.put(path, body, If_Match=seen).status == 412
