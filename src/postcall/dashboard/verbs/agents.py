"""Agents, and what follows after their calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

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
def change(visit: Visit, agent: Agent, content: AgentContent) -> None:
    agent = _locked(visit, agent)
    before = _told(content_of(agent))
    update_agent(agent, content)
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
    agent = create_agent(visit.workspace, agent) if isinstance(agent, AgentContent) else agent
    before = {} if is_new else _told(content_of(agent))
    calls = take_over(agent, source_kind, ref, follow_up=follow_up)
    changes = difference(before, _told(content_of(agent)))
    visit.record("create" if is_new else "update", _about(agent), {**changes, "calls": [None, calls]})
    return agent, calls


def _locked(visit: Visit, agent: Agent) -> Agent:
    """Nobody else changes it until this transaction ends."""
    return visit.one(visit.rows(Agent).filter(deleted_at=None).select_for_update(), agent.pk)


def _about(agent: Agent) -> Thing:
    return Thing("agent", agent.pk, agent.name)


def _told(content: AgentContent) -> Mapping[str, Any]:
    return {name: value for name, value in content.model_dump(mode="json").items() if value not in (None, "", [])}
