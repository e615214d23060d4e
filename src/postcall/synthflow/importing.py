"""Taking over what a Synthflow account has: first what would be done, then the doing, step by step.

Each step is a transaction of its own, and what came over is remembered: an import that was cut short goes on where
it was, and another one adds what is new. Whatever is here already is left as it is; where it differs that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.db import transaction
from pydantic import ValidationError

from postcall.actions.bindings import dump
from postcall.actions.editing import ActionContent
from postcall.actions.message import inputs_of
from postcall.actions.models import Action, Attachment
from postcall.agents.editing import AgentContent, CannotEdit
from postcall.agents.models import Agent, ExternalId
from postcall.calls.held_values import held_values
from postcall.sources.reading import errors_of
from postcall.synthflow import editing
from postcall.synthflow.account import Account, TheirAction, TheirAgent, Use
from postcall.synthflow.editing import KIND, attach_as, bindings_of, judge_reads_values, make_agent
from postcall.synthflow.mappings import Bound, Variable
from postcall.synthflow.models import ImportedAction
from postcall.synthflow.words import Words, action_name, input_name, words_of
from postcall.workspaces.audit import Actor
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import locked, within

Mode = Literal["off", "shadow", "approve", "live"]
Does = Literal["make", "here", "differs", "skip"]


@dataclass(frozen=True)
class Step:
    """One thing of the account. `make`: it is made here; `here`: it is here already; `differs`: it is here and not
    as it is there, and is left so; `skip`: it cannot come over. `notes` say why, and what to look at; of
    `asks` inputs the judge reads the value out of the transcript."""

    what: Literal["agent", "action", "attachment"]
    does: Does
    name: str
    notes: tuple[str, ...] = ()
    make: Callable[[Actor], None] | None = None
    asks: int = 0


def plan(workspace: Workspace, account: Account, mode: Mode) -> list[Step]:
    """What importing would do now; nothing is changed. Attachments are made in `mode`."""
    agents = {each.model_id: each for each in account.agents}
    steps = [_agent(workspace, each) for each in account.agents]
    for action in account.actions:
        step = _action(workspace, action)
        steps.append(step)
        if step.does != "skip":
            steps += [_attachment(workspace, action, use, agents, mode) for use in action.uses]
    return steps


def carry_out(steps: list[Step], actor: Actor) -> Iterator[Step]:
    """Makes what is to be made; yields each step when it is done, as `skip` where it could not be."""
    for step in steps:
        if step.make is None:
            continue
        try:
            step.make(actor)
        except CannotEdit as error:
            yield Step(step.what, "skip", step.name, (*step.notes, str(error)))
        else:
            yield step


def _agent(workspace: Workspace, theirs: TheirAgent) -> Step:
    name = theirs.name or f"Synthflow {theirs.model_id}"[:100]
    if (here := _agent_here(workspace, theirs.model_id)) is not None:
        return Step("agent", "here", here.name)
    if within(workspace, ExternalId).filter(source_kind=KIND, external_id=theirs.model_id).exists():
        note = f"it was deleted here: make an agent with the synthflow id {theirs.model_id}, and import again"
        return Step("agent", "skip", name, (note,))
    content, notes = _agent_content(theirs, name)

    @transaction.atomic
    def make(actor: Actor) -> None:
        locked(workspace)
        if _agent_here(workspace, theirs.model_id) is None:
            make_agent(workspace, actor, content)

    return Step("agent", "make", name, notes, make)


def _agent_content(theirs: TheirAgent, name: str) -> tuple[AgentContent, tuple[str, ...]]:
    """With its zone and language where they are ones that we know."""
    notes = [] if theirs.name else ["it has no name there"]
    said: dict[str, Any] = {"name": name, "external_ids": [{"source": KIND, "id": theirs.model_id}]}
    for field, value in (("timezone", theirs.timezone), ("locale", theirs.locale)):
        if not value:
            continue
        try:
            AgentContent.model_validate(said | {field: value})
        except ValidationError:
            notes.append(f"Postcall knows no {field} “{value[:40]}”")
        else:
            said[field] = value
    if "timezone" not in said:
        notes.append("set its time zone: UTC until then")
    return AgentContent.model_validate(said), tuple(notes)


def _agent_here(workspace: Workspace, model_id: str) -> Agent | None:
    rows = within(workspace, ExternalId).filter(live=True, source_kind=KIND, external_id=model_id)
    row = rows.select_related("agent").first()
    return row.agent if row else None


def _action(workspace: Workspace, theirs: TheirAction) -> Step:
    name = action_name(theirs.instructions, theirs.name)
    came = _imported(workspace, theirs.action_id)
    if came is not None:
        return _action_here(came, theirs)
    if not theirs.instructions:
        note = f"it does not say when it goes out: {theirs.action_id} has no instructions there"
        return Step("action", "skip", name, (note,))
    words = words_of(theirs.content)
    try:
        ActionContent(name=name, message=words.message, condition=theirs.instructions)
    except ValidationError as error:
        field, said = errors_of(error)[0]
        return Step("action", "skip", name, (f"its {field} cannot be taken over: {said}",))

    @transaction.atomic
    def make(actor: Actor) -> None:
        locked(workspace)
        if _imported(workspace, theirs.action_id) is None:
            made = editing.create(workspace, actor, theirs.content, theirs.instructions, theirs.name)
            ImportedAction.objects.create(
                workspace=workspace, action=made.action, external_id=theirs.action_id, digest=theirs.digest
            )

    return Step("action", "make", name, tuple(words.warnings), make)


def _imported(workspace: Workspace, action_id: str) -> ImportedAction | None:
    rows = within(workspace, ImportedAction).select_related("action", "action__revision")
    return rows.filter(external_id=action_id).first()


def _action_here(came: ImportedAction, theirs: TheirAction) -> Step:
    action = came.action
    revision = action.revision
    assert revision is not None
    if action.deleted_at is not None:
        return Step("action", "skip", action.name, ("it is archived here: restore it, and import again",))
    pairs = (
        ("message", revision.message, words_of(theirs.content).message),
        ("condition", revision.condition, theirs.instructions),
    )
    differing = " and ".join(name for name, ours, their in pairs if ours.split() != their.split())
    if not differing:
        return Step("action", "here", action.name)
    where = "here" if came.digest == theirs.digest else "at Synthflow"
    return Step("action", "differs", action.name, (f"its {differing} was changed {where}: left as it is",))


def _attachment(
    workspace: Workspace, theirs: TheirAction, use: Use, agents: Mapping[str, TheirAgent], mode: Mode
) -> Step:
    came = _imported(workspace, theirs.action_id)
    action = came.action if came else None
    agent = _agent_here(workspace, use.model_id)
    name = f"{_name_of(action, theirs)}, {_agent_name(agent, agents, use.model_id)}"
    if agent is None and use.model_id not in agents:
        return Step("attachment", "skip", name, (f"Synthflow lists no agent {use.model_id}",))
    if use.trigger_condition and use.trigger_condition != theirs.instructions:
        note = f"it has a condition of its own there, “{use.trigger_condition[:100]}”: make an action with that"
        return Step("attachment", "skip", name, (note,))
    words = words_of(theirs.content)
    found = _bindings(agent, action, words, theirs, use)
    if agent is not None and action is not None:
        at_first = _bindings(None, action, words, theirs, use)
        told = {each.input: (found[each.input], at_first[each.input]) for each in use.mapped if each.input in found}
        if here := _attachment_here(agent, action, name, told):
            return here

    @transaction.atomic
    def make(actor: Actor) -> None:
        locked(workspace)
        present, made = _agent_here(workspace, use.model_id), _imported(workspace, theirs.action_id)
        if present is None or made is None:
            raise CannotEdit("its agent or its action did not come over")
        if not Attachment.objects.filter(agent=present, action=made.action, deleted_at=None).exists():
            attach_as(present, made.action, actor, {each: one.binding for each, one in found.items()}, mode)

    return Step("attachment", "make", name, _notes(found), make, sum(one.asks for one in found.values()))


def _name_of(action: Action | None, theirs: TheirAction) -> str:
    return action.name if action else action_name(theirs.instructions, theirs.name)


def _agent_name(agent: Agent | None, agents: Mapping[str, TheirAgent], model_id: str) -> str:
    if agent is not None:
        return agent.name
    theirs = agents.get(model_id)
    return (theirs and theirs.name) or f"Synthflow {model_id}"


def _bindings(
    agent: Agent | None, action: Action | None, words: Words, theirs: TheirAction, use: Use
) -> dict[str, Bound]:
    """For the inputs of the action as it is here, where it is."""
    inputs = action.revision.inputs if action and action.revision else inputs_of(words.message)
    variables: dict[str, Variable] = {input_name(name): each for name, each in theirs.variables.items()}
    described = {name: variables.get(name, Variable(words.renamed.get(name, name))) for name in inputs}
    held = held_values(agent) if agent and inputs else None
    return bindings_of(inputs, use.mapped, described, held, reads=judge_reads_values())


def _attachment_here(
    agent: Agent, action: Action, name: str, told: Mapping[str, tuple[Bound, Bound]]
) -> Step | None:
    """None: it is to be made. `told`: what Synthflow maps, as it would be bound now and before there were calls."""
    rows = Attachment.objects.filter(agent=agent, action=action).order_by("-pk")
    living = next((row for row in rows if row.deleted_at is None), None)
    if living is None:
        return Step("attachment", "skip", name, ("it was detached here: left so",)) if rows else None
    differing = [
        each for each, ways in told.items() if living.inputs.get(each) not in [dump(one.binding) for one in ways]
    ]
    if not differing:
        return Step("attachment", "here", name)
    shown = ", ".join(f"<{each}>" for each in differing)
    return Step("attachment", "differs", name, (f"bound otherwise here: {shown}: left as it is",))


def _notes(found: Mapping[str, Bound]) -> tuple[str, ...]:
    return tuple(f"<{name}> {one.note}" for name, one in found.items() if one.note)


WHAT_TO_DO: Final = {
    "off": "They are off: nothing happens until you switch them on.",
    "shadow": "They are in shadow: Postcall decides and writes each text, and sends none. Compare, then detach the "
    "action at Synthflow and set it to live here.",
    "approve": "They wait for approval: detach the actions at Synthflow, or callers get two texts.",
    "live": "They are live: detach the actions at Synthflow now, or callers get two texts.",
}
"""By mode: what the operator should know of the attachments that were made."""
