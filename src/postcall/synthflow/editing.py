"""Doing to our actions and agents what Synthflow's API asks for. Every change stands in the audit log under whoever
makes it; what is changed and what is told of it are one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db import transaction
from pydantic import ValidationError

from postcall.actions import attaching
from postcall.actions.attaching import AttachmentContent
from postcall.actions.bindings import Binding
from postcall.actions.editing import (
    ActionContent,
    content_of,
    create_action,
    delete_action,
    lacking,
    locked,
    update_action,
)
from postcall.actions.models import Action, Attachment
from postcall.agents.editing import AgentContent, CannotEdit, ExternalIdTaken, Invalid, create_agent
from postcall.agents.models import Agent
from postcall.calls import receive
from postcall.calls.held_values import HeldValues, held_values
from postcall.config import config
from postcall.shapes import storable
from postcall.sources.reading import errors_of
from postcall.synthflow.mappings import Bound, Mapped, Variable, bound, guessed
from postcall.synthflow.models import ImportedAction
from postcall.synthflow.words import action_name, input_name, words_of
from postcall.workspaces.audit import CHANGED, Actor, Thing, difference, record
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

KIND: Final = "synthflow"
# How our fields are called over there.
_THEIR_FIELDS: Final = {"message": "content", "condition": "instructions"}
_TOLD: Final = ("message", "condition", "always", "urgency", "send_within_s", "inputs")


class Unknown(CannotEdit):
    """There is nothing of that id in the workspace."""


@dataclass(frozen=True)
class Wanted:
    """One action to attach. `mapped` is None where nothing was said of its variables: each is found by its name."""

    action_id: str
    mapped: Sequence[Mapped] | None = None
    when: str | None = None
    trigger_condition: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The action that came of it, and what its writer should know."""

    action: Action
    warnings: list[str] = field(default_factory=list)


def find_action(workspace: Workspace, action_id: str) -> Action:
    """By our id, or by the one under which it came over from Synthflow. Raises Unknown."""
    living = within(workspace, Action).filter(deleted_at=None).select_related("revision")
    action_id = storable(action_id.strip())
    if (pk := _uuid(action_id)) and (found := living.filter(pk=pk).first()):
        return found
    came = within(workspace, ImportedAction).filter(external_id=action_id).values("action")
    if found := living.filter(pk__in=came).first():
        return found
    raise Unknown(f"Action {action_id[:100]} not found")


def find_agent(workspace: Workspace, model_id: str) -> Agent | None:
    """By Synthflow's id, else by ours, else by another platform's where only one agent has it."""
    ref = storable(model_id.strip())
    return receive.find_agent(workspace, KIND, ref) or receive.find_agent(workspace, "api", ref)


def model_id_of(agent: Agent) -> str:
    """How Synthflow knows the agent; our id where it does not."""
    rows = [row for row in agent.external_ids.all() if row.live and row.source_kind == KIND]
    return min(rows, key=lambda row: row.pk).external_id if rows else str(agent.pk)


@transaction.atomic
def create(workspace: Workspace, actor: Actor, content: str, instructions: str, name: object = None) -> Outcome:
    """Raises Invalid."""
    words = words_of(content)
    said = _content(
        name=action_name(instructions, name), message=words.message, condition=instructions.strip() or None
    )
    action = create_action(workspace, said)
    record(workspace, actor, "create", _about(action), difference(None, _told(action), hidden=("message",)))
    return Outcome(action, words.warnings)


@transaction.atomic
def change(
    action: Action, actor: Actor, content: str | None = None, instructions: str | None = None, name: object = None
) -> Outcome:
    """What is None stays. Inputs that the new words add are bound, wherever the action is switched on, as attaching
    it would. Raises Invalid, Archived."""
    action = locked(action)
    before = _told(action)
    assert action.revision is not None
    present = content_of(action, action.revision)
    words = words_of(present.message if content is None else content)
    said = _content(**_changed(present, words.message, instructions, name))
    warnings = list(words.warnings)
    bindings: dict[str, dict[str, Binding]] = {}
    for attachment, names in lacking(action, said.message).items():
        found = _guesses(attachment.agent, names, words.renamed)
        warnings += _notes(found)
        bindings[str(attachment.pk)] = _bindings(found)
    saved = update_action(action, said, bindings)
    changes = difference(before, _told(saved), hidden=("message",))
    told = {**changes, "bindings": CHANGED} if bindings else changes
    record(action.workspace_id, actor, "update", _about(saved), told)
    return Outcome(saved, warnings)


def _changed(present: ActionContent, message: str, instructions: str | None, name: object) -> dict[str, Any]:
    changed = present.model_dump() | {"message": message}
    if instructions is not None:
        changed |= {"condition": instructions.strip() or None, "always": False}
    if isinstance(name, str) and name.strip():
        changed["name"] = action_name("", name)
    return changed


@transaction.atomic
def remove(action: Action, actor: Actor) -> None:
    """Raises Unknown when somebody else was first."""
    if (action := locked(action)).deleted_at is not None:
        raise Unknown(f"Action {action.pk} not found")
    delete_action(action)
    record(action.workspace_id, actor, "delete", _about(action))


@transaction.atomic
def attach(workspace: Workspace, actor: Actor, model_id: str, wanted: Iterable[Wanted]) -> list[str]:
    """Attaches them all, or none. An agent that nobody knows is made. An action that is attached already keeps how,
    but for a mapping that is given. Returns what its writer should know. Raises Unknown, Invalid, Conflict."""
    found = [(each, find_action(workspace, each.action_id)) for each in wanted]
    warnings: list[str] = []
    agent = find_agent(workspace, model_id)
    if agent is None:
        agent = make_agent(workspace, actor, AgentContent.model_validate(_nameless(model_id)))
        warnings.append(
            f"no agent goes by {model_id}: one was made. Connect Synthflow as a source, and its calls will find it"
        )
    held = held_values(agent)
    # In one order, so that two who attach the same do not wait for each other.
    for each, action in sorted(found, key=lambda pair: pair[1].pk):
        warnings += _attach(agent, action, actor, each, held)
    return warnings


def _nameless(model_id: str) -> dict[str, Any]:
    name = " ".join(model_id.split())[:100]
    return {"name": name, "external_ids": [{"source": KIND, "id": model_id.strip()}]}


def make_agent(workspace: Workspace, actor: Actor, content: AgentContent) -> Agent:
    """Raises ExternalIdTaken."""
    try:
        agent = create_agent(workspace, content)
    except ExternalIdTaken as taken:
        return taken.agent  # somebody else made it since we looked
    told = {name: value for name, value in content.model_dump(mode="json").items() if value not in (None, "", [])}
    record(workspace, actor, "create", Thing("agent", agent.pk, agent.name), difference(None, told))
    return agent


def _attach(agent: Agent, action: Action, actor: Actor, wanted: Wanted, held: HeldValues) -> list[str]:
    action = locked(action)
    assert action.revision is not None
    inputs = action.revision.inputs
    warnings = _refused_or_told(action, wanted)
    present = agent.attachments.select_for_update().filter(action=action, deleted_at=None).first()
    mapped = wanted.mapped or ()
    for each in mapped:
        if each.input not in inputs:
            warnings.append(f"{action.name}: the message has no <{each.variable.name}>; its mapping is not used")
    if present is None:
        found = bindings_of(inputs, mapped, {}, held, reads=judge_reads_values())
        attach_as(agent, action, actor, _bindings(found), mode=None)
    else:
        found = bindings_of([name for name in inputs if name in {each.input for each in mapped}], mapped, {}, held)
        if found:
            _bind(present, action, agent, actor, _bindings(found))
    if not judge_reads_values() and (asks := [f"<{name}>" for name, one in found.items() if one.asks]):
        warnings.append(
            f"{action.name}: {', '.join(asks)} can only be read by a language model: set POSTCALL_JUDGE_MODEL, or "
            "bind it otherwise; nothing goes out without"
        )
    return warnings + [f"{action.name}: {note}" for note in _notes(found)]


def judge_reads_values() -> bool:
    """The built-in judge reads none: docs/judge.md."""
    return config().judge_model != "offline"


def _refused_or_told(action: Action, wanted: Wanted) -> list[str]:
    assert action.revision is not None
    condition = (wanted.trigger_condition or "").strip()
    if condition and condition != action.revision.condition:
        raise Invalid(
            f"`trigger_condition` of {wanted.action_id}: an action has one condition here, its `instructions`, "
            "wherever it is attached. Make another action with this condition, and attach that",
            "trigger_condition",
        )
    if wanted.when in ("before", "during"):
        return [f"{action.name}: it is sent after the call, as every SEND_SMS, not {wanted.when} it"]
    return []


def bindings_of(
    inputs: Sequence[str],
    mapped: Iterable[Mapped],
    described: Mapping[str, Variable],
    held: HeldValues | None,
    *,
    reads: bool = True,
) -> dict[str, Bound]:
    """By input: as it is mapped, else as its name says. `described`: what is said of the variables, by their names
    over there. `reads`: whether the judge reads values."""
    by_input = {each.input: each for each in mapped}
    known = {input_name(name): variable for name, variable in described.items()}
    return {
        name: bound(by_input[name], held)
        if name in by_input
        else guessed(known.get(name, Variable(name)), held, reads=reads)
        for name in inputs
    }


def _bindings(found: Mapping[str, Bound]) -> dict[str, Binding]:
    return {name: one.binding for name, one in found.items()}


def attach_as(
    agent: Agent, action: Action, actor: Actor, inputs: Mapping[str, Binding], mode: str | None
) -> Attachment:
    """Raises CannotEdit."""
    content = AttachmentContent.model_validate(
        {"action_id": action.pk, "mode": mode, "inputs": {name: _raw(each) for name, each in inputs.items()}}
    )
    made = attaching.attach(agent, action, content)
    told = {"mode": made.mode, "inputs": made.inputs, "agent_id": str(agent.pk)}
    record(agent.workspace_id, actor, "create", _about_attachment(made, action, agent), difference(None, told))
    return made


def _bind(
    attachment: Attachment, action: Action, agent: Agent, actor: Actor, inputs: Mapping[str, Binding]
) -> None:
    assert action.revision is not None
    before = {"inputs": attachment.inputs}
    content = AttachmentContent.model_validate(
        {
            "action_id": action.pk,
            "mode": attachment.mode,
            "on_unclear": attachment.on_unclear,
            "recipient_override": attachment.recipient_override or None,
            "only_if": attachment.only_if,
            "inputs": {
                **{name: raw for name, raw in attachment.inputs.items() if name in action.revision.inputs},
                **{name: _raw(each) for name, each in inputs.items()},
            },
        }
    )
    attachment.action, attachment.agent = action, agent
    saved = attaching.update_attachment(attachment, content)
    changes = difference(before, {"inputs": saved.inputs})
    record(agent.workspace_id, actor, "update", _about_attachment(saved, action, agent), changes)


def _raw(binding: Binding) -> dict[str, Any]:
    return binding.model_dump(mode="json", by_alias=True)


@transaction.atomic
def detach(workspace: Workspace, actor: Actor, model_id: str, action_ids: Sequence[str]) -> None:
    """What is not attached is left alone. Raises Unknown."""
    actions = [find_action(workspace, each) for each in action_ids]
    agent = find_agent(workspace, model_id)
    if agent is None:
        raise Unknown(f"Assistant {model_id[:100]} not found")
    for action in sorted(actions, key=lambda each: each.pk):
        action = locked(action)
        present = agent.attachments.select_for_update().filter(action=action, deleted_at=None).first()
        if present is not None:
            attaching.detach(present)
            record(workspace, actor, "delete", _about_attachment(present, action, agent))


def _guesses(agent: Agent, names: Iterable[str], renamed: Mapping[str, str]) -> dict[str, Bound]:
    held = held_values(agent)
    reads = judge_reads_values()
    return {name: guessed(Variable(renamed.get(name, name)), held, reads=reads) for name in names}


def _notes(found: Mapping[str, Bound]) -> list[str]:
    return [f"<{name}> {one.note}" for name, one in found.items() if one.note]


Made = TypeVar("Made")


def _content(**fields: Any) -> ActionContent:
    return _said(lambda: ActionContent.model_validate(fields))


def _said(make: Callable[[], Made]) -> Made:
    """Raises Invalid, in Synthflow's names for the fields."""
    try:
        return make()
    except ValidationError as error:
        field_name, said = errors_of(error)[0]
        theirs = _THEIR_FIELDS.get(field_name, field_name)
        raise Invalid(f"SEND_SMS.{theirs}: {said}" if theirs else said, theirs) from None


def _uuid(written: str) -> UUID | None:
    try:
        return UUID(written)
    except ValueError:
        return None


def _told(action: Action) -> dict[str, Any]:
    revision = action.revision
    assert revision is not None
    words = {name: value for name in _TOLD if (value := getattr(revision, name)) not in ("", [], False)}
    return {"name": action.name, "revision": revision.number, **words}


def _about(action: Action) -> Thing:
    return Thing("action", action.pk, action.name)


def _about_attachment(attachment: Attachment, action: Action, agent: Agent) -> Thing:
    return Thing("attachment", attachment.pk, f"{action.name}, {agent.name}")
