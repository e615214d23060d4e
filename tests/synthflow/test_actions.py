"""Actions by /v2: asked and answered as Synthflow's API does."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from postcall.actions.models import Action, Attachment
from postcall.api.v2 import INSTEAD
from postcall.workspaces.models import AuditEntry

from .conftest import Script, message_of

SMS = {"content": "Hi <customer_name>, see you <day>.", "instructions": "After scheduling an appointment"}


def test_it_makes_an_action_and_answers_as_synthflow_does(script: Script) -> None:
    status, said = script.call("POST", "/actions", {"SEND_SMS": SMS})
    action = Action.objects.get()
    assert (status, said) == (
        200,
        {
            "status": "success",
            "response": {
                "action_id": str(action.pk),
                "action_type": "SEND_SMS",
                "prompt_variables": ["customer_name", "day"],
            },
        },
    )
    assert action.revision is not None
    assert (action.revision.message, action.revision.condition) == (SMS["content"], SMS["instructions"])


def test_it_names_an_action_after_its_instructions(script: Script) -> None:
    script.post("/actions", {"SEND_SMS": SMS})
    assert Action.objects.get().name == "After scheduling an appointment"


def test_it_cuts_a_long_name_between_words(script: Script) -> None:
    action = Action.objects.get(pk=script.action(instructions="After the caller has asked for a quote " * 5))
    assert len(action.name) <= 100
    assert action.name.endswith("…")
    assert "After the caller has asked for a quote ".startswith(
        action.name.removesuffix("…").rpartition("quote ")[2]
    )


def test_it_lists_page_by_page(script: Script) -> None:
    ids = [script.action(instructions=f"After booking {number}") for number in range(3)]
    listed = script.get("/actions?limit=2&offset=1")
    assert listed["pagination"] == {"total_records": 3, "limit": 2, "offset": 1}
    assert [each["action_id"] for each in listed["actions"]] == ids[1:]
    assert script.get("/actions")["pagination"] == {"total_records": 3, "limit": 20, "offset": 0}
    assert listed["actions"][0] == {
        "action_id": ids[1],
        "action_type": "SEND_SMS",
        "name": "After booking 1",
        "description": "After booking 1",
        "parameters_hard_coded": {"sms_message_text": "Hi <customer_name>!"},
    }


def test_it_shows_one_without_its_assistants_unless_asked(script: Script) -> None:
    attachment = script.attached()
    (shown,) = script.get(f"/actions/{attachment.action_id}")["actions"]
    assert shown["assistants"] == shown["input_variables"]["assistants"] == []
    (shown,) = script.get(f"/actions/{attachment.action_id}?include_assistants=true")["actions"]
    assert shown["assistants"] == ["m-1"]
    assert shown["input_variables"]["values"] == [
        {
            "name": "customer_name",
            "type": "string",
            "description": "the customer name, as the call settled it",
            "example": "",
        }
    ]
    (uses,) = shown["input_variables"]["assistants"]
    assert (uses["model_id"], uses["attachment_type"]) == ("m-1", "after")
    (entry,) = uses["input_variables_mapping"]
    assert (entry["variable_name"], entry["source"]) == ("customer_name", "llm")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("Hi {{customer_name}}", "Hi <customer_name>"),
        ("Hi {{ customer name }}", "Hi <customer_name>"),
        ("Hi {customer_name}", "Hi <customer_name>"),
        ("Hi <customer name>, {{day}}", "Hi <customer_name>, <day>"),
        ("Hi {{lead.first-name}}", "Hi <lead_first_name>"),
        ("Hi {{größe}}", "Hi <groe>"),
    ],
)
def test_it_writes_every_placeholder_as_one_that_is_filled(script: Script, written: str, message: str) -> None:
    said = script.post("/actions", {"SEND_SMS": SMS | {"content": written}})
    assert message_of(said["response"]["action_id"]) == message
    assert said["warnings"]


@pytest.mark.parametrize("written", ["I <3 you", "5 < 6 and 7 > 6", "{50% off}", "{see our site}", "<>", "{}"])
def test_it_leaves_other_signs_alone(script: Script, written: str) -> None:
    said = script.post("/actions", {"SEND_SMS": SMS | {"content": written}})
    assert message_of(said["response"]["action_id"]) == written
    assert "warnings" not in said


@pytest.mark.parametrize(
    ("sms", "message", "condition"),
    [
        ({"content": "Thanks!"}, "Thanks!", "After a booking"),
        ({"instructions": "After a cancellation"}, "Hi <customer_name>!", "After a cancellation"),
        ({}, "Hi <customer_name>!", "After a booking"),
    ],
)
def test_it_changes_what_is_given(script: Script, sms: dict[str, str], message: str, condition: str) -> None:
    action_id = script.action()
    status, said = script.call("PUT", f"/actions/{action_id}", {"SEND_SMS": sms})
    assert (status, said) == (200, {"status": "success", "response": {"action_id": action_id}})
    revision = Action.objects.get(pk=action_id).revision
    assert revision is not None
    assert (revision.message, revision.condition) == (message, condition)


def test_it_binds_what_a_change_adds_where_the_action_is_live(script: Script) -> None:
    attachment = script.attached()
    status, said = script.call(
        "PUT", f"/actions/{attachment.action_id}", {"SEND_SMS": {"content": "Hi <customer_name>, {{code}}"}}
    )
    assert status == 200
    assert any("<code>" in warning for warning in said["warnings"])
    attachment.refresh_from_db()
    assert attachment.mode == "live"
    assert attachment.inputs["code"]["from"] == "ask"


def test_it_deletes(script: Script) -> None:
    attachment = script.attached()
    status, said = script.call("DELETE", f"/actions/{attachment.action_id}")
    assert (status, said) == (200, {"status": "success", "response": {"answer": "Action deleted"}})
    assert script.call("GET", f"/actions/{attachment.action_id}")[0] == 404
    assert script.call("DELETE", f"/actions/{attachment.action_id}")[0] == 404
    assert not Attachment.objects.filter(deleted_at=None).exists()


def test_it_says_what_to_use_instead_of_what_it_has_not(script: Script) -> None:
    for kind in (*INSTEAD, "SEND_PIGEON"):
        status, said = script.call("POST", "/actions", {kind: {"name": "x"}})
        assert (status, list(said)) == (400, ["error", "message"])
        assert said["error"] == "unsupported_action_type"
        assert kind in said["message"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "SEND_SMS"),
        ({"SEND_SMS": {"content": "Hi"}}, "SEND_SMS.instructions"),
        ({"SEND_SMS": {"instructions": "After a booking"}}, "SEND_SMS.content"),
        ({"SEND_SMS": {"content": " ", "instructions": "After a booking"}}, "SEND_SMS.content"),
        ({"SEND_SMS": {"content": ["Hi"], "instructions": "After a booking"}}, "SEND_SMS.content"),
        ({"SEND_SMS": "Hi"}, "SEND_SMS"),
        ({"SEND_SMS": {"content": "x" * 1_601, "instructions": "After a booking"}}, "SEND_SMS.content"),
        ({"SEND_SMS": {"content": "Hi", "instructions": "x" * 2_001}}, "SEND_SMS.instructions"),
        ([], "object"),
    ],
)
def test_it_names_what_is_wrong_in_synthflows_envelope(script: Script, body: Any, told: str) -> None:
    status, said = script.call("POST", "/actions", body)
    assert status == 422
    assert list(said) == ["detail"]
    assert told in said["detail"]
    assert not Action.objects.exists()


def test_it_looks_at_no_field_that_it_does_not_know(script: Script) -> None:
    script.post("/actions", {"SEND_SMS": SMS | {"from_number": "+14155550100"}, "folder": "x"})
    assert Action.objects.count() == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_it_does_not_know_every_id(script: Script, method: str) -> None:
    for action_id in ("nope", str(uuid4()), "%00", "1722936793779x397329270058999800"):
        status, said = script.call(method, f"/actions/{action_id}", {"SEND_SMS": SMS} if method == "PUT" else None)
        assert (status, list(said)) == (404, ["detail"]), action_id


def test_it_refuses_a_page_that_is_none(script: Script) -> None:
    for query in ("limit=0", "limit=x", "offset=-1", "limit=%D9%A3", "offset=99999999999"):
        assert script.call("GET", f"/actions?{query}")[0] == 422, query


def test_it_gives_no_page_of_thousands(script: Script) -> None:
    assert script.get("/actions?limit=5000")["pagination"]["limit"] == 200


def test_it_takes_addresses_with_a_slash_at_their_end(script: Script) -> None:
    assert script.get("/actions/")["actions"] == []
    assert script.get("/assistants/")["assistants"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/actions/initialize"),
        ("POST", "/calls"),
        ("GET", "/"),
        ("GET", "/phone_numbers"),
        ("GET", "/a/b/c/"),
    ],
)
def test_it_says_what_there_is_where_there_is_nothing(script: Script, method: str, path: str) -> None:
    status, said = script.call(method, path, {})
    assert status in (404, 405)
    assert "/v2/actions" in said["message"] if status == 404 else "does not take" in said["detail"]


def test_it_asks_for_a_key_in_synthflows_envelope(script: Script) -> None:
    response = Client().get("/v2/actions")
    assert (response.status_code, list(response.json())) == (401, ["detail"])
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"SEND_SMS": NaN}'])
def test_it_stumbles_over_no_bytes(script: Script, body: bytes) -> None:
    status, said = script.call("POST", "/actions", body)
    assert (status, list(said)) == (400, ["detail"])


def test_it_does_once_what_is_asked_twice_with_one_key(script: Script) -> None:
    answers = [script.call("POST", "/actions", {"SEND_SMS": SMS}, Idempotency_Key="k-1") for _ in range(2)]
    assert answers[0] == answers[1]
    assert Action.objects.count() == 1
    assert AuditEntry.objects.count() == 1


def test_it_shows_an_action_for_every_call_without_a_condition(script: Script) -> None:
    action_id = script.action()
    revision = Action.objects.get(pk=action_id).revision
    assert revision is not None
    revision.condition, revision.always = "", True
    revision.save()
    assert script.get("/actions")["actions"][0]["description"] == ""
    script.call("PUT", f"/actions/{action_id}", {"SEND_SMS": {"content": "Thanks!"}})
    action = Action.objects.get(pk=action_id)
    assert action.revision is not None
    assert (action.revision.message, action.revision.always) == ("Thanks!", True)
