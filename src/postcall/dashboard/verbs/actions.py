"""Changing actions, and attaching them to agents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from postcall.actions import attaching, copying, editing
from postcall.actions.attaching import AttachmentContent
from postcall.actions.bindings import Binding
from postcall.actions.editing import ActionContent, BindingsByAttachment
from postcall.actions.models import Action, Attachment, Revision
from postcall.agents.models import Agent
from postcall.dashboard.access import Visit
from postcall.workspaces.audit import CHANGED, Thing, difference

_WORDS: Final = ("message", "condition", "always", "urgency", "send_within_s", "inputs")


@dataclass(frozen=True)
class Mend:
    """What becomes of attachments that are switched on and would lack an input: `bindings` by input are added to
    those that lack it, or they are all switched off."""

    bindings: Mapping[str, Binding] = field(default_factory=dict)
    switch_off: bool = False


@transaction.atomic
def create(visit: Visit, content: ActionContent) -> Action:
    action = editing.create_action(visit.workspace, content)
    visit.record("create", _about(action), difference(None, _told(action)))
    return action


@transaction.atomic
def save(visit: Visit, action: Action, content: ActionContent, mend: Mend, seen: datetime | None) -> Action:
    """Raises ChangedMeanwhile, InputsUnbound, Archived."""
    before = _told(editing.locked(action))
    lacking = editing.lacking(action, content.message)
    bindings = {} if mend.switch_off else _for_those_that_lack(lacking, mend.bindings)
    off = {attachment.pk: attachment.mode for attachment in lacking} if mend.switch_off else {}
    saved = editing.update_action(action, content, bindings, switch_off=off.keys(), seen=seen)
    changes = difference(before, _told(saved))
    visit.record("update", _about(saved), {**changes, "bindings": CHANGED} if bindings else changes)
    for attachment in lacking if off else ():
        change = {"mode": [off[attachment.pk], Attachment.Mode.OFF.value]}
        visit.record("update", _about_attachment(attachment, saved, attachment.agent), change)
    return saved


def _for_those_that_lack(
    lacking: Mapping[Attachment, list[str]], bindings: Mapping[str, Binding]
) -> BindingsByAttachment:
    found = {
        str(attachment.pk): {name: bindings[name] for name in names if name in bindings}
        for attachment, names in lacking.items()
    }
    return {key: by_input for key, by_input in found.items() if by_input}


@transaction.atomic
def use_again(visit: Visit, action: Action, revision: Revision) -> Action:
    """Raises InputsUnbound, Archived."""
    before = _told(editing.locked(action))
    saved = editing.update_action(action, editing.content_of(action, revision))
    visit.record("update", _about(saved), difference(before, _told(saved)))
    return saved


@transaction.atomic
def duplicate(visit: Visit, action: Action) -> Action:
    made = copying.duplicate(action)
    visit.record("create", _about(made), difference(None, _told(made)))
    return made


@transaction.atomic
def archive(visit: Visit, action: Action) -> None:
    editing.delete_action(action)
    visit.record("delete", _about(action))


@transaction.atomic
def restore(visit: Visit, action: Action) -> None:
    editing.restore_action(action)
    visit.record("restore", _about(action))


@transaction.atomic
def attach(visit: Visit, agent: Agent, action: Action, content: AttachmentContent) -> Attachment:
    """Raises CannotEdit."""
    attachment = attaching.attach(agent, action, content)
    changes = difference(None, {"mode": attachment.mode, "inputs": attachment.inputs, "agent_id": str(agent.pk)})
    visit.record("create", _about_attachment(attachment, action, agent), changes)
    return attachment


def _told(action: Action) -> dict[str, Any]:
    revision = action.revision
    assert revision is not None
    words = {name: getattr(revision, name) for name in _WORDS}
    return {"name": action.name, "revision": revision.number, **words}


def _about(action: Action) -> Thing:
    return Thing("action", action.pk, action.name)


def _about_attachment(attachment: Attachment, action: Action, agent: Agent) -> Thing:
    return Thing("attachment", attachment.pk, f"{action.name}, {agent.name}")
