"""/actions: the text and when it goes out."""

from typing import Any

import pytest

from .conftest import ACTION, BOUND, Api


def attached(api: Api, agent: dict[str, Any], action: dict[str, Any], **content: Any) -> dict[str, Any]:
    body = {"action_id": action["id"], "inputs": BOUND} | content
    return api.made(f"/agents/{agent['id']}/attachments", body)


def test_it_makes_an_action(action: dict[str, Any]) -> None:
    assert action["inputs"] == ["customer_name", "day"]
    assert (action["revision"], action["used_by"], action["always"]) == (1, 0, False)
    assert action["segments"] == {"count": 1, "encoding": "GSM-7", "length": 34}


def test_it_shows_an_action_with_its_version(api: Api, action: dict[str, Any]) -> None:
    read = api.get(f"/actions/{action['id']}")
    assert read.json == action
    assert read.headers["ETag"].startswith('"')


def test_it_says_how_many_agents_use_an_action(api: Api, action: Any, agent: Any) -> None:
    attached(api, agent, action)
    assert api.get("/actions").json["items"][0]["used_by"] == 1


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"condition": None}, ""),
        ({"condition": "  "}, ""),
        ({"always": True}, ""),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"message": ""}, "message"),
        ({"message": " \n"}, "message"),
        ({"message": "x" * 1_601}, "message"),
        ({"message": " ".join(f"<i{n}>" for n in range(51))}, "message"),
        ({"condition": "x" * 2_001}, "condition"),
        ({"type": "email"}, "type"),
        ({"urgency": "later"}, "urgency"),
        ({"send_within_s": 0}, "send_within_s"),
        ({"send_within_s": 10**12}, "send_within_s"),
        ({"send_within_s": "soon"}, "send_within_s"),
        ({"message": ["x"]}, "message"),
        ({"condtion": "x"}, "condtion"),
    ],
)
def test_it_refuses_what_makes_no_action(api: Api, changed: dict[str, Any], field: str) -> None:
    refused = api.post("/actions", ACTION | changed)
    assert refused.status == 422
    assert refused.fields == [field]


def test_it_takes_always_in_place_of_a_condition(api: Api) -> None:
    made = api.made("/actions", {"name": "Thanks", "message": "Thank you!", "always": True})
    assert (made["always"], made["condition"]) == (True, None)


def test_it_warns_of_braces_and_gives_the_corrected_text(api: Api) -> None:
    made = api.made("/actions", ACTION | {"message": "Hi {{name}}"})
    assert made["inputs"] == []
    assert [(w["code"], w["suggestion"]) for w in made["warnings"]] == [("braces_placeholder", "Hi <name>")]


@pytest.mark.parametrize("text", ["مرحبا <name>", "🎉 <name> 👩‍👩‍👧", "Ünïcødé <name>", "נ" * 100])
def test_it_keeps_any_script(api: Api, text: str) -> None:
    assert api.made("/actions", ACTION | {"message": text})["message"] == text


def test_it_stores_what_postgresql_cannot_hold_as_replacement_characters(api: Api) -> None:
    made = api.call("POST", "/actions", raw=b'{"name":"n\\u0000","message":"a\\ud800b","condition":"c\\u0000 c"}')
    assert made.status == 201
    assert (made.json["name"], made.json["message"], made.json["condition"]) == ("n�", "a�b", "c� c")


def test_it_makes_a_revision_when_the_words_change(api: Api, action: dict[str, Any]) -> None:
    path = f"/actions/{action['id']}"
    assert api.put(path, ACTION | {"message": "Hello"}).json["revision"] == 2
    assert api.put(path, ACTION | {"message": "Hello", "name": "Other"}).json["revision"] == 2
    revisions = api.get(f"{path}/revisions").json["items"]
    assert [(row["revision"], row["message"]) for row in revisions] == [(2, "Hello"), (1, ACTION["message"])]


def test_it_refuses_a_new_input_that_a_live_attachment_does_not_bind(api: Api, action: Any, agent: Any) -> None:
    attached(api, agent, action)
    refused = api.put(f"/actions/{action['id']}", ACTION | {"message": "Code <code>"})
    assert (refused.status, refused.fields) == (409, ["bindings"])
    assert "Front desk" in refused.json["detail"]
    assert "code" in refused.json["detail"]
    assert api.get(f"/actions/{action['id']}").json["revision"] == 1


def test_it_takes_a_new_input_where_the_action_is_switched_off(api: Api, action: Any, agent: Any) -> None:
    attached(api, agent, action, mode="off")
    assert api.put(f"/actions/{action['id']}", ACTION | {"message": "Code <code>"}).status == 200


@pytest.mark.parametrize("by", ["*", "agent", "attachment"])
def test_it_binds_a_new_input_with_the_change(api: Api, action: Any, agent: Any, by: str) -> None:
    attachment = attached(api, agent, action)
    key = {"*": "*", "agent": agent["id"], "attachment": attachment["id"]}[by]
    bindings = {key: {"code": {"from": "fixed", "value": "X1"}}}
    changed = api.put(f"/actions/{action['id']}", ACTION | {"message": "Code <code>", "bindings": bindings})
    assert changed.status == 200
    shown = api.get(f"/agents/{agent['id']}/attachments/{attachment['id']}").json
    assert shown["inputs"] == {"code": {"from": "fixed", "value": "X1"}}


@pytest.mark.parametrize(
    ("bindings", "field"),
    [
        ({"*": {"other": {"from": "fixed", "value": "x"}}}, "bindings.*.other"),
        ({"nobody": {"code": {"from": "fixed", "value": "x"}}}, "bindings.nobody"),
        ({"*": {"code": {"from": "fixed"}}}, "bindings.*.code.value"),
        ({"*": {"code": {"from": "nowhere"}}}, "bindings.*.code"),
    ],
)
def test_it_refuses_bindings_that_fit_nothing(api: Api, action: Any, agent: Any, bindings: Any, field: str) -> None:
    attached(api, agent, action)
    body = ACTION | {"message": "Code <code>", "bindings": bindings}
    refused = api.put(f"/actions/{action['id']}", body)
    assert (refused.status, refused.fields) == (422, [field])


def test_it_binds_again_what_was_bound_when_a_change_is_taken_back(api: Api, action: Any, agent: Any) -> None:
    attached(api, agent, action)
    api.put(f"/actions/{action['id']}", ACTION | {"message": "Hello"})
    assert api.put(f"/actions/{action['id']}", ACTION).status == 200
    assert api.get(f"/agents/{agent['id']}/attachments").json["items"][0]["inputs"] == BOUND


def test_it_deletes_an_action_and_detaches_it(api: Api, action: Any, agent: Any) -> None:
    attached(api, agent, action)
    assert api.delete(f"/actions/{action['id']}").status == 204
    assert api.get(f"/actions/{action['id']}").status == 404
    assert api.get(f"/agents/{agent['id']}/attachments").json["items"] == []
    assert api.delete(f"/actions/{action['id']}").status == 404
