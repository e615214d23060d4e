"""What an attachment and its agent said when a call was first processed: later edits do not touch it."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field

from postcall.actions.bindings import Binding, Rule, dump
from postcall.actions.models import Attachment
from postcall.agents.models import Agent


class AgentAsItWas(BaseModel):
    """The agent's part: how dates are written, what it is called, who its texts come from."""

    model_config = ConfigDict(extra="forbid")

    name: str
    business_name: str = ""
    timezone: str = "UTC"
    locale: str = "en-US"
    from_number: str = ""
    messaging_service_sid: str = ""
    follow_agent_number: bool = False

    @cached_property
    def zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")

    def onto(self, agent: Agent) -> Agent:
        """A copy of `agent` with the sender that it had then; never to be saved."""
        then = copy.copy(agent)
        then.from_number = self.from_number
        then.messaging_service_sid = self.messaging_service_sid
        then.follow_agent_number = self.follow_agent_number
        return then


class Snapshot(BaseModel):
    """Stored as JSON on every follow-up."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["off", "shadow", "approve", "live"]
    on_unclear: Literal["hold", "skip"] = "hold"
    recipient_override: str = ""
    only_if: list[Rule] = Field(default_factory=list)
    inputs: dict[str, Binding] = Field(default_factory=dict)
    agent: AgentAsItWas

    def as_json(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "on_unclear": self.on_unclear,
            "recipient_override": self.recipient_override,
            "only_if": [dump(rule) for rule in self.only_if],
            "inputs": {name: dump(binding) for name, binding in self.inputs.items()},
            "agent": self.agent.model_dump(),
        }


def agent_as_it_is(agent: Agent) -> AgentAsItWas:
    return AgentAsItWas(
        name=agent.name,
        business_name=agent.business_name,
        timezone=agent.timezone,
        locale=agent.locale,
        from_number=agent.from_number,
        messaging_service_sid=agent.messaging_service_sid,
        follow_agent_number=agent.follow_agent_number,
    )


def snapshot_of(attachment: Attachment, agent: AgentAsItWas) -> Snapshot:
    """What `attachment` says now."""
    return Snapshot.model_validate(as_written(attachment, agent))


def as_written(attachment: Attachment, agent: AgentAsItWas) -> dict[str, Any]:
    """What `attachment` says now, as JSON that nobody has looked at."""
    return {
        "mode": attachment.mode,
        "on_unclear": attachment.on_unclear,
        "recipient_override": attachment.recipient_override,
        "only_if": attachment.only_if,
        "inputs": attachment.inputs,
        "agent": agent.model_dump(),
    }
