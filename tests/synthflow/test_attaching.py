"""Attaching and detaching by /v2, in both forms, for agents that are known and for new ones."""

from __future__ import annotations

from typing import Any

import pytest

from postcall.actions.models import Attachment
from postcall.agents.models import Agent, ExternalId
from postcall.api.v2 import api
from postcall.calls.models import Call
from postcall.work.clock import now
from postcall.workspaces.models import AuditEntry

from .conftest import Script, script_for
from .stand_in import entry

DONE = {"status": "success", "response": {}}


def an_agent(script: Script, external_id: str = "m-1", kind: str = "synthflow", name: str = "Front desk") -> Agent:
    agent = Agent.objects.create(workspace=script.workspace, name=name)
    ExternalId.objects.create(workspace=script.workspace, agent=agent, source_kind=kind, external_id=external_id)
    return agent


def living() -> list[Attachment]:
    return list(Attachment.objects.filter(deleted_at=None).order_by("pk"))


def test_it_attaches_live_to_an_agent_that_it_makes(script: Script) -> None:
    action_id = script.action()
    said = script.post("/actions/attach", {"model_id": "1722x39", "actions": [action_id]})
    assert said["status"] == "success"
    assert "one was made" in said["warnings"][0]
    (attachment,) = living()
    assert (attachment.mode, attachment.agent.name, str(attachment.action_id)) == ("live", "1722x39", action_id)
    assert attachment.inputs["customer_name"]["from"] == "ask"
    row = ExternalId.objects.get()
    assert (row.source_kind, row.external_id, row.agent) == ("synthflow", "1722x39", attachment.agent)


def test_it_answers_as_synthflow_does_when_there_is_nothing_to_warn_of(script: Script) -> None:
    an_agent(script)
    said = script.post("/actions/attach", {"model_id": "m-1", "actions": [script.action("Thanks!")]})
    assert said == DONE


@pytest.mark.parametrize("by", ["synthflow", "vapi", "own"])
def test_it_knows_an_agent_by_any_id(script: Script, by: str) -> None:
    agent = an_agent(script, kind="vapi" if by == "own" else by)
    model_id = str(agent.pk) if by == "own" else "m-1"
    script.post("/actions/attach", {"model_id": model_id, "actions": [script.action()]})
    assert [each.agent for each in living()] == [agent]
    assert Agent.objects.count() == 1


def test_it_takes_synthflows_id_before_another_platforms(script: Script) -> None:
    an_agent(script, kind="vapi", name="Another")
    agent = an_agent(script)
    script.post("/actions/attach", {"model_id": "m-1", "actions": [script.action()]})
    assert [each.agent for each in living()] == [agent]


def test_it_binds_by_name_to_what_the_agents_calls_held(script: Script) -> None:
    agent = an_agent(script)
    Call.objects.create(
        workspace=script.workspace, agent=agent, source_kind="synthflow", external_id="c-1", received_at=now(),
        variables={"collected": {"customer_name": "Ann"}, "pre_call": {"Plan": "gold"}},
    )  # fmt: skip
    action_id = script.action("Hi <customer_name>, <plan>, <call_id>, <day>")
    said = script.post("/actions/attach", {"model_id": "m-1", "actions": [action_id]})
    (attachment,) = living()
    assert {name: one["from"] for name, one in attachment.inputs.items()} == {
        "customer_name": "collected",
        "plan": "pre_call",
        "call_id": "system",
        "day": "ask",
    }
    assert len(said["warnings"]) == 1
    assert "<day>" in said["warnings"][0]


def test_it_binds_nothing_to_a_judge_that_reads_nothing(db: None) -> None:
    script = script_for("Northgate Clinic")
    an_agent(script)
    item = {
        "action_id": script.action("Hi <customer_name>, <day>, <time>"),
        "input_variables_mapping": [entry("time", "llm", description="the time agreed")],
    }
    said = script.post("/actions/attach", {"model_id": "m-1", "items": [item]})
    assert living()[0].inputs == {
        "customer_name": {"from": "pre_call", "name": "name"},
        "day": {"from": "collected", "name": "day"},
        "time": {"from": "ask", "description": "the time agreed"},
    }
    assert "<time> can only be read by a language model" in said["warnings"][0]


def test_it_attaches_items_with_their_mappings(script: Script) -> None:
    action_id = script.action("Hi {{customer name}}, <company>, <day>")
    item = {
        "action_id": action_id,
        "slug": "sms",
        "attachment_type": "after",
        "trigger_condition": None,
        "input_variables_mapping": [
            entry("customer name", "fsm_variables"),
            entry("company", "hardcoded", "Northgate Clinic"),
            entry("day", "llm", description="the day agreed", example="Tuesday"),
        ],
    }
    an_agent(script)
    assert script.post("/actions/attach", {"model_id": "m-1", "items": [item]}) == DONE
    assert living()[0].inputs == {
        "customer_name": {"from": "collected", "name": "customer name"},
        "company": {"from": "fixed", "value": "Northgate Clinic"},
        "day": {"from": "ask", "description": "the day agreed", "example": "Tuesday"},
    }


def test_it_attaches_once_and_changes_only_a_mapping_that_is_given(script: Script) -> None:
    action_id = script.action("Hi <customer_name>, <company>")
    body = {"model_id": "m-1", "actions": [action_id]}
    script.post("/actions/attach", body)
    (attachment,) = living()
    Attachment.objects.update(mode="approve", on_unclear="skip")
    assert script.post("/actions/attach", body) == DONE
    item = {"action_id": action_id, "input_variables_mapping": [entry("company", "hardcoded", "Northgate")]}
    script.post("/actions/attach", {"model_id": "m-1", "items": [item]})
    (after,) = living()
    assert (after.pk, after.mode, after.on_unclear) == (attachment.pk, "approve", "skip")
    assert after.inputs == attachment.inputs | {"company": {"from": "fixed", "value": "Northgate"}}


def test_it_says_that_a_mapping_is_of_no_use(script: Script) -> None:
    an_agent(script)
    item = {"action_id": script.action("Thanks!"), "input_variables_mapping": [entry("day", "llm")]}
    said = script.post("/actions/attach", {"model_id": "m-1", "items": [item]})
    assert "<day>" in said["warnings"][0]


@pytest.mark.parametrize("when", ["before", "during"])
def test_it_says_that_a_text_goes_out_after_the_call(script: Script, when: str) -> None:
    an_agent(script)
    item = {"action_id": script.action("Thanks!"), "attachment_type": when}
    said = script.post("/actions/attach", {"model_id": "m-1", "items": [item]})
    assert "after the call" in said["warnings"][0]
    assert len(living()) == 1


@pytest.mark.parametrize("condition", [None, "", " ", "After a booking"])
def test_it_takes_a_trigger_condition_that_says_nothing_more(script: Script, condition: str | None) -> None:
    item = {"action_id": script.action(), "trigger_condition": condition}
    script.post("/actions/attach", {"model_id": "m-1", "items": [item]})
    assert len(living()) == 1


def test_it_drops_no_trigger_condition_in_silence(script: Script) -> None:
    item = {"action_id": script.action(), "trigger_condition": "Only for new customers"}
    status, said = script.call("POST", "/actions/attach", {"model_id": "m-1", "items": [item]})
    assert status == 422
    assert "trigger_condition" in said["detail"]
    assert not living()
    assert not Agent.objects.exists()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"actions": []}, "model_id"),
        ({"model_id": "m-1"}, "actions"),
        ({"model_id": "m-1", "actions": []}, "actions"),
        ({"model_id": " ", "actions": ["x"]}, "model_id"),
        ({"model_id": "m" * 256, "actions": ["x"]}, "model_id"),
        ({"model_id": "m-1", "actions": "x"}, "actions"),
        ({"model_id": "m-1", "items": [{"slug": "x"}]}, "items.0.action_id"),
        ({"model_id": "m-1", "items": [{"action_id": "x", "attachment_type": "whenever"}]}, "attachment_type"),
        ({"model_id": "m-1", "items": [{"action_id": "x", "input_variables_mapping": [{}]}]}, "variable_name"),
    ],
)
def test_it_names_what_is_wrong(script: Script, body: Any, told: str) -> None:
    status, said = script.call("POST", "/actions/attach", body)
    assert (status, list(said)) == (422, ["detail"])
    assert told in said["detail"]


def test_it_attaches_all_or_none(script: Script) -> None:
    body = {"model_id": "m-1", "actions": [script.action(), "nobody's"]}
    assert script.call("POST", "/actions/attach", body)[0] == 404
    assert not living()
    assert not Agent.objects.exists()


def test_it_detaches_and_attaches_again(script: Script) -> None:
    action_id = script.action()
    body = {"model_id": "m-1", "actions": [action_id]}
    script.post("/actions/attach", body)
    assert script.post("/actions/detach", body) == DONE
    assert not living()
    assert script.post("/actions/detach", body) == DONE
    script.post("/actions/attach", body)
    assert len(living()) == 1


def test_it_detaches_nothing_from_an_agent_that_nobody_knows(script: Script) -> None:
    status, said = script.call("POST", "/actions/detach", {"model_id": "m-9", "actions": [script.action()]})
    assert (status, list(said)) == (404, ["detail"])


def test_it_lists_assistants_for_scripts_that_look_for_their_id(script: Script) -> None:
    attachment = script.attached()
    (shown,) = script.get("/assistants")["assistants"]
    assert (shown["model_id"], shown["name"], shown["actions"]) == ("m-1", "m-1", [str(attachment.action_id)])
    assert script.get("/assistants/m-1")["assistants"] == [shown]
    assert script.call("GET", "/assistants/m-2")[0] == 404


def test_it_shows_an_agent_of_another_platform_by_our_id(script: Script) -> None:
    agent = an_agent(script, kind="vapi")
    assert script.get("/assistants")["assistants"][0]["model_id"] == str(agent.pk)


OPERATIONS = {
    "list_actions": ("GET", "/actions", None),
    "get_action": ("GET", "/actions/ID", None),
    "list_assistants": ("GET", "/assistants", None),
    "get_assistant": ("GET", "/assistants/m-1", None),
    "create_action": ("POST", "/actions", {"SEND_SMS": {"content": "Hi", "instructions": "After a booking"}}),
    "update_action": ("PUT", "/actions/ID", {"SEND_SMS": {"content": "Hello"}}),
    "delete_action": ("DELETE", "/actions/ID", None),
    "attach_actions": ("POST", "/actions/attach", {"model_id": "m-2", "actions": ["ID"]}),
    "detach_actions": ("POST", "/actions/detach", {"model_id": "m-1", "actions": ["ID"]}),
}


def asked(script: Script, operation: str, action_id: str) -> tuple[int, Any]:
    method, path, body = OPERATIONS[operation]
    if body and "actions" in body:
        body = body | {"actions": [action_id]}
    return script.call(method, path.replace("ID", action_id), body)


def test_it_walks_over_every_operation() -> None:
    paths = api.get_openapi_schema(path_prefix="")["paths"]
    there = {operation["operationId"] for methods in paths.values() for operation in methods.values()}
    assert there == set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_lets_a_key_do_as_much_as_its_scope_says(script: Script, operation: str) -> None:
    action_id = str(script.attached().action_id)
    reads = OPERATIONS[operation][0] == "GET"
    for scope in ("read", "ingest"):
        status, said = asked(script_for("Northgate Clinic", scope), operation, action_id)
        assert (status == 403) is not reads
        assert reads or list(said) == ["detail"]
    assert asked(Script(script.workspace, "nobody's"), operation, action_id)[0] == 401
    assert asked(script, operation, action_id)[0] == 200


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_knows_nothing_of_another_workspaces(script: Script, operation: str) -> None:
    action_id = str(script.attached().action_id)
    status, said = asked(script_for("Harbour Garage"), operation, action_id)
    if operation.startswith("list"):
        assert action_id not in str(said)
        assert said["response"]["pagination"]["total_records"] == 0
    else:
        assert status == (200 if operation == "create_action" else 404)
    assert len(living()) == 1


@pytest.mark.parametrize("operation", [each for each, (method, _, _) in OPERATIONS.items() if method != "GET"])
def test_it_notes_every_change(script: Script, operation: str) -> None:
    action_id = str(script.attached().action_id)
    before = AuditEntry.objects.count()
    assert asked(script, operation, action_id)[0] == 200
    entries = list(AuditEntry.objects.order_by("-pk")[: AuditEntry.objects.count() - before])
    # Attaching to an agent that nobody knows makes it, too.
    assert len(entries) == (2 if operation == "attach_actions" else 1)
    for made in entries:
        assert (made.workspace, made.actor_kind) == (script.workspace, "key")
        assert made.verb
        assert made.object_name
        assert "Hello" not in str(made.changes)


def test_it_undoes_all_that_a_refused_request_began(script: Script) -> None:
    before = AuditEntry.objects.count()
    script.call("POST", "/actions/attach", {"model_id": "m-1", "actions": ["nobody's"]})
    assert AuditEntry.objects.count() == before
