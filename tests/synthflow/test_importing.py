"""Taking over an account: what there is comes once, stays as the operator has it, and goes on where it was cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from postcall.actions.editing import delete_action
from postcall.actions.models import Action, Attachment
from postcall.agents.editing import delete_agent
from postcall.agents.models import Agent, ExternalId
from postcall.synthflow.account import Account, read_account
from postcall.synthflow.client import Synthflow
from postcall.synthflow.importing import Mode, Step, carry_out, plan
from postcall.workspaces.audit import Actor
from postcall.workspaces.models import AuditEntry, Workspace

from .conftest import Script, script_for
from .stand_in import KEY, StandIn, agent, entry, extractor, sms, use

ACTOR = Actor("cli", "", "tests")


@pytest.fixture
def workspace(db: None) -> Workspace:
    return Workspace.objects.create(name="Northgate Clinic")


@pytest.fixture
def there() -> Iterator[StandIn]:
    """An account with one text that is attached to one agent."""
    used = use("m-1", entry("customer_name", "fsm_variables", "first_name"))
    with StandIn([agent("m-1", "Front desk")], [sms("a-1", uses=[used])]) as stand_in:
        yield stand_in


def account_of(there: StandIn) -> Account:
    with Synthflow(there.url, KEY, sleep=lambda seconds: None) as synthflow:
        return read_account(synthflow, lambda what, done, of: None)


def planned(workspace: Workspace, there: StandIn, mode: Mode = "shadow") -> list[Step]:
    return plan(workspace, account_of(there), mode)


def imported(workspace: Workspace, there: StandIn, mode: Mode = "shadow") -> list[Step]:
    return list(carry_out(planned(workspace, there, mode), ACTOR))


def told(steps: list[Step]) -> list[tuple[str, str]]:
    return [(step.what, step.does) for step in steps]


NEW = [("agent", "make"), ("action", "make"), ("attachment", "make")]


def test_it_changes_nothing_while_it_plans(workspace: Workspace, there: StandIn) -> None:
    assert told(planned(workspace, there)) == NEW
    assert not Agent.objects.exists()
    assert not AuditEntry.objects.exists()
    assert {target.partition("?")[0] for target in there.asked} == {
        "/v2/assistants", "/v2/actions", "/v2/actions/a-1"
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["off", "shadow", "approve", "live"])
def test_it_takes_over_agents_actions_and_how_they_are_attached(
    workspace: Workspace, there: StandIn, mode: Mode
) -> None:
    assert told(imported(workspace, there, mode)) == NEW
    attachment = Attachment.objects.select_related("agent", "action__revision").get()
    assert attachment.mode == mode
    assert attachment.inputs == {"customer_name": {"from": "collected", "name": "first_name"}}
    assert attachment.agent.name == "Front desk"
    assert ExternalId.objects.get().external_id == "m-1"
    action = attachment.action
    assert action.name == "After scheduling an appointment"
    assert action.revision is not None
    assert (action.revision.message, action.revision.condition) == (
        "Hi <customer_name>!", "After scheduling an appointment"
    )  # fmt: skip


def test_it_notes_each_thing_that_it_makes(workspace: Workspace, there: StandIn) -> None:
    imported(workspace, there)
    entries = AuditEntry.objects.order_by("pk").values_list("actor_kind", "verb", "object_kind")
    assert list(entries) == [("cli", "create", kind) for kind in ("agent", "action", "attachment")]


def test_it_doubles_nothing(workspace: Workspace, there: StandIn) -> None:
    imported(workspace, there)
    assert told(planned(workspace, there)) == [("agent", "here"), ("action", "here"), ("attachment", "here")]
    assert imported(workspace, there) == []
    assert Attachment.objects.count() == Action.objects.count() == Agent.objects.count() == 1


def test_it_doubles_nothing_when_two_import_at_once(workspace: Workspace, there: StandIn) -> None:
    first, second = planned(workspace, there), planned(workspace, there)
    assert told(list(carry_out(first, ACTOR))) == NEW
    assert told(list(carry_out(second, ACTOR))) == NEW  # each as if it had been first
    assert Attachment.objects.count() == Action.objects.count() == Agent.objects.count() == 1


def test_it_adds_what_is_new(workspace: Workspace, there: StandIn) -> None:
    imported(workspace, there)
    there.actions.append(sms("a-2", uses=[use("m-1")], instructions="After a cancellation"))
    assert told(imported(workspace, there)) == [("action", "make"), ("attachment", "make")]


@pytest.mark.parametrize("after", [1, 2])
def test_it_goes_on_where_it_was_cut_short(workspace: Workspace, there: StandIn, after: int) -> None:
    steps = carry_out(planned(workspace, there), ACTOR)
    for _ in range(after):
        next(steps)
    assert told(imported(workspace, there)) == NEW[after:]
    assert Attachment.objects.count() == 1


def test_it_leaves_what_was_changed_here_and_says_so(workspace: Workspace, there: StandIn) -> None:
    imported(workspace, there)
    action = Action.objects.select_related("revision").get()
    assert action.revision is not None
    action.revision.message = "Hello <customer_name>"
    action.revision.save()
    Attachment.objects.update(inputs={"customer_name": {"from": "fixed", "value": "you"}}, mode="live")
    steps = planned(workspace, there)
    assert told(steps) == [("agent", "here"), ("action", "differs"), ("attachment", "differs")]
    assert "message was changed here" in steps[1].notes[0]
    assert "<customer_name>" in steps[2].notes[0]
    assert imported(workspace, there) == []


def test_it_says_what_was_changed_there(workspace: Workspace, there: StandIn) -> None:
    imported(workspace, there)
    there.actions[0]["description"] = "After a cancellation"
    (step,) = [step for step in planned(workspace, there) if step.does == "differs"]
    assert "condition was changed at Synthflow" in step.notes[0]


def test_it_brings_back_nothing_that_was_put_away_here(workspace: Workspace, there: StandIn) -> None:
    imported(workspace, there)
    attachment = Attachment.objects.get()
    attachment.deleted_at = attachment.created_at
    attachment.save()
    assert told(planned(workspace, there))[2] == ("attachment", "skip")
    delete_action(attachment.action)
    assert told(planned(workspace, there)) == [("agent", "here"), ("action", "skip")]
    delete_agent(attachment.agent)
    assert told(planned(workspace, there)) == [("agent", "skip"), ("action", "skip")]


def test_it_counts_what_belongs_to_synthflow(workspace: Workspace, there: StandIn) -> None:
    there.actions += [extractor("a-2"), extractor("a-3"), {"action_id": "a-4"}]
    account = account_of(there)
    assert account.others == {"INFORMATION_EXTRACTOR": 2, "UNKNOWN": 1}
    assert len(account.actions) == 1


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (sms("a-1", instructions=""), "when it goes out"),
        (sms("a-1", content=""), "message"),
        (sms("a-1", content="x" * 1_601), "message"),
        (sms("a-1", instructions="x" * 2_001), "condition"),
    ],
)
def test_it_skips_what_cannot_come_over_and_says_why(
    workspace: Workspace, there: StandIn, action: dict[str, Any], why: str
) -> None:
    there.actions[:] = [action]
    (_, step) = planned(workspace, there)
    assert step.does == "skip"
    assert why in step.notes[0]


def test_it_skips_an_attachment_to_nobody(workspace: Workspace, there: StandIn) -> None:
    there.actions[:] = [sms("a-1", uses=[use("m-9")])]
    step = planned(workspace, there)[-1]
    assert step.does == "skip"
    assert "m-9" in step.notes[0]


def test_it_folds_no_condition_of_one_agent_into_all(workspace: Workspace, there: StandIn) -> None:
    there.actions[:] = [sms("a-1", uses=[use("m-1") | {"trigger_condition": "Only for new customers"}])]
    step = planned(workspace, there)[-1]
    assert step.does == "skip"
    assert "Only for new customers" in step.notes[0]


def test_it_names_an_agent_that_has_no_name(workspace: Workspace, there: StandIn) -> None:
    there.agents[:] = [agent("m-1", ""), {"name": "Without an id"}]
    imported(workspace, there)
    assert Agent.objects.get().name == "Synthflow m-1"


def test_it_takes_over_zone_and_language_where_they_are_known(workspace: Workspace, there: StandIn) -> None:
    there.agents[:] = [
        agent("m-1", timezone="Europe/Berlin", agent={"language": "de-DE"}),
        agent("m-2", timezone="Middle/Earth", agent={"language": "elvish!"}),
    ]
    notes = [step.notes for step in imported(workspace, there) if step.what == "agent"]
    zones = Agent.objects.order_by("pk").values_list("timezone", "locale")
    assert list(zones) == [("Europe/Berlin", "de-DE"), ("UTC", "en-US")]
    assert notes[0] == ()
    assert any("Middle/Earth" in note for note in notes[1])


def test_it_uses_what_synthflow_says_of_a_variable(workspace: Workspace, there: StandIn) -> None:
    values = [{"name": "visit day", "type": "string", "description": "the day agreed", "example": "Tuesday"}]
    there.actions[:] = [
        sms("a-1", "See you {{visit day}}, <company>", uses=[use("m-1")], values=values),
        sms("a-2", "See you <visit day>", uses=[use("m-1", entry("visit day", "llm"))], values=values),
    ]
    imported(workspace, there)
    asks = {"from": "ask", "description": "the day agreed", "example": "Tuesday"}
    first, second = Attachment.objects.order_by("pk")
    assert first.inputs["visit_day"] == second.inputs["visit_day"] == asks
    assert first.inputs["company"] == {"from": "collected", "name": "company"}


def test_it_leaves_what_nothing_is_said_of_to_a_judge_that_reads(
    workspace: Workspace, there: StandIn, a_model: None
) -> None:
    there.actions[:] = [sms("a-1", "See you, <company>", uses=[use("m-1")])]
    imported(workspace, there)
    assert Attachment.objects.get().inputs["company"]["from"] == "ask"


def test_it_reads_what_comes_as_json_in_strings(workspace: Workspace, there: StandIn) -> None:
    there.actions[:] = [
        sms("a-1") | {
            "parameters_hard_coded": '{"sms_message_text": "Thanks!"}',
            "assistants": ["m-1", None, 7],
            "input_variables": "[]",
        }
    ]  # fmt: skip
    steps = imported(workspace, there)
    assert told(steps) == NEW
    assert Action.objects.select_related("revision").get().revision.message == "Thanks!"  # type: ignore[union-attr]  # made with one


def test_it_skips_what_was_deleted_while_it_read(workspace: Workspace, there: StandIn) -> None:
    def vanish(target: str) -> None:
        if target.startswith("/v2/actions/"):
            there.actions.clear()

    there.before = vanish
    assert account_of(there).actions == ()


def test_it_keeps_workspaces_apart(workspace: Workspace, there: StandIn) -> None:
    imported(workspace, there)
    other = Workspace.objects.create(name="Harbour Garage")
    assert told(imported(other, there)) == NEW


class AsIs:
    """Answers out of our own /v2, without a wire: the test's transaction is this thread's alone."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def assistants(self, told: Any = None) -> list[dict[str, Any]]:
        return list(self.script.get("/assistants?limit=100")["assistants"])

    def actions(self, told: Any = None) -> list[dict[str, Any]]:
        return list(self.script.get("/actions?limit=100")["actions"])

    def action(self, action_id: str) -> dict[str, Any]:
        return dict(self.script.get(f"/actions/{action_id}?include_assistants=true")["actions"][0])


def test_it_takes_over_another_postcall_and_loses_nothing(workspace: Workspace) -> None:
    theirs = script_for("Harbour Garage")
    item = {
        "action_id": theirs.action("Hi <customer_name>, <company>, <day>, <code>"),
        "input_variables_mapping": [
            entry("customer_name", "fsm_variables", "first name"),
            entry("company", "hardcoded", "Harbour Garage"),
            entry("day", "llm", description="the day agreed", example="Tuesday"),
            entry("code", "action_results", "create_booking.data.reference"),
        ],
    }
    theirs.post("/actions/attach", {"model_id": "m-1", "items": [item]})
    account = read_account(AsIs(theirs), lambda what, done, of: None)  # type: ignore[arg-type]  # it reads alike
    assert told(list(carry_out(plan(workspace, account, "live"), ACTOR))) == NEW
    before, after = Attachment.objects.order_by("pk")
    assert (before.inputs, before.mode) == (after.inputs, after.mode)
    assert before.action.name == after.action.name
    assert after.workspace_id == workspace.pk


def test_its_scripts_may_go_on_with_synthflows_own_ids(db: None, there: StandIn) -> None:
    script = script_for("Northgate Clinic")
    imported(script.workspace, there)
    assert script.get("/actions/a-1")["actions"][0]["name"] == "After scheduling an appointment"
    script.post("/actions/detach", {"model_id": "m-1", "actions": ["a-1"]})
    assert not Attachment.objects.filter(deleted_at=None).exists()
    status = Client().get("/v2/actions/a-1", headers={"Authorization": f"Bearer {script_for('Other').key}"})
    assert status.status_code == 404
