"""Agents, and what follows after their calls."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from postcall.actions import attaching
from postcall.actions.attaching import AttachmentContent, update_attachment
from postcall.actions.models import Action, Attachment
from postcall.agents.editing import AgentContent, content_of, create_agent, delete_agent, update_agent
from postcall.agents.models import Agent
from postcall.calls.unknown import adopt as take_over
from postcall.dashboard.access import Visit
from postcall.messages.accounts import resume
from postcall.workspaces.audit import Thing, difference

# Each raises CannotEdit, and then nothing is changed and nothing stands in the audit log.


@transaction.atomic
def create(visit: Visit, content: AgentContent) -> Agent:
    agent = create_agent(visit.workspace, content)
    visit.record("create", _about(agent), difference(None, _told(content)))
    return agent


@transaction.atomic
def change(visit: Visit, agent: Agent, content: AgentContent, seen: datetime) -> None:
    """Raises AgentChanged when it is not as it was `seen`."""
    agent = _locked(visit, agent)
    before = _told(content_of(agent))
    update_agent(agent, content, seen=seen)
    # What is held for the sake of its sender leaves by the new one.
    resume(visit.workspace.pk)
    visit.record("update", _about(agent), difference(before, _told(content_of(agent))))


@transaction.atomic
def delete(visit: Visit, agent: Agent) -> None:
    """Its ids are free again, its actions detached; its log stays."""
    agent = _locked(visit, agent)
    delete_agent(agent)
    visit.record("delete", _about(agent), difference(_told(content_of(agent)), None))


@transaction.atomic
def adopt(
    visit: Visit, source_kind: str, ref: str, agent: Agent | AgentContent, *, follow_up: bool
) -> tuple[Agent, int]:
    """Has an agent, or a new one, be whom a platform calls `ref`; returns it and how many calls it was given."""
    is_new = isinstance(agent, AgentContent)
    agent = create_agent(visit.workspace, agent) if isinstance(agent, AgentContent) else _locked(visit, agent)
    before = {} if is_new else _told(content_of(agent))
    calls = take_over(agent, source_kind, ref, follow_up=follow_up)
    changes = difference(before, _told(content_of(agent)))
    visit.record("create" if is_new else "update", _about(agent), {**changes, "calls": [None, calls]})
    return agent, calls


@transaction.atomic
def attach(visit: Visit, agent: Agent, action: Action) -> Attachment:
    """Live at once where there is nothing to map, else off."""
    attachment = attaching.attach(agent, action, AttachmentContent(action_id=action.pk))
    told = {"action": [None, action.name], "mode": [None, attachment.mode]}
    visit.record("create", _about_attachment(attachment), told)
    return attachment


@transaction.atomic
def change_attachment(
    visit: Visit, attachment: Attachment, content: AttachmentContent, seen: datetime
) -> Attachment:
    """Raises AttachmentChanged when it is not as it was `seen`."""
    before = _attachment_told(attachment)
    saved = update_attachment(attachment, content, seen=seen)
    visit.record("update", _about_attachment(saved), difference(before, _attachment_told(saved)))
    return saved


@transaction.atomic
def detach(visit: Visit, attachment: Attachment) -> None:
    attaching.detach(attachment)
    visit.record("delete", _about_attachment(attachment))


def _about_attachment(attachment: Attachment) -> Thing:
    return Thing("attachment", attachment.pk, f"{attachment.action.name}, {attachment.agent.name}")


def _attachment_told(attachment: Attachment) -> Mapping[str, Any]:
    names = ("mode", "on_unclear", "recipient_override", "only_if", "inputs")
    return {name: value for name in names if (value := getattr(attachment, name)) not in (None, "", [], {})}


def _locked(visit: Visit, agent: Agent) -> Agent:
    """Nobody else changes it until this transaction ends."""
    return visit.one(visit.rows(Agent).filter(deleted_at=None).select_for_update(), agent.pk)


def _about(agent: Agent) -> Thing:
    return Thing("agent", agent.pk, agent.name)


def _told(content: AgentContent) -> Mapping[str, Any]:
    return {name: value for name, value in content.model_dump(mode="json").items() if value not in (None, "", [])}
