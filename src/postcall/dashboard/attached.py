"""How an action is attached to an agent, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from postcall.actions.models import Attachment
from postcall.reports.shadow import Shadowed, shadowed
from postcall.workspaces.models import Workspace

MODES: Final = {
    "off": "Off",
    "shadow": "Shadow: decides, sends nothing",
    "approve": "Approve: each text waits for a person",
    "live": "Live",
}
COMPARISONS: Final = {
    "present": "has a value",
    "absent": "has no value",
    "equals": "is",
    "not_equals": "is not",
    "contains": "contains",
    "greater": "is greater than",
    "less": "is less than",
}
FROM: Final = {
    "collected": "Collected during the call",
    "extracted": "Extracted after the call",
    "pre_call": "Given before the call",
    "action_result": "A tool’s answer",
    "system": "About the call",
    "ask": "Read from the transcript",
    "fixed": "Fixed value",
}
FACTS: Final = {
    "customer_number": "The customer’s number",
    "agent_number": "The agent’s number",
    "from_number": "The number that called",
    "to_number": "The number that was called",
    "direction": "Inbound or outbound",
    "started_at": "When the call began",
    "ended_at": "When the call ended",
    "duration_s": "Its length in seconds",
    "call_id": "The platform’s id of the call",
    "agent_name": "The agent’s name",
    "business_name": "The agent’s business name",
}


@dataclass(frozen=True)
class Bound:
    """One input's binding in words; `kind` empty where nothing is bound."""

    name: str
    kind: str
    value: str
    if_missing: str


@dataclass(frozen=True)
class Attached:
    attachment: Attachment
    mappings: list[Bound]
    rules: list[str]
    shadow: Shadowed | None = None

    @property
    def mode(self) -> str:
        return MODES.get(self.attachment.mode, self.attachment.mode)

    @property
    def unbound(self) -> list[str]:
        return [each.name for each in self.mappings if not each.kind]


def mapped(attachment: Attachment, inputs: Sequence[str]) -> Attached:
    """The attachment with a row for each of the message's inputs, bound or not."""
    return Attached(
        attachment,
        [in_words(name, attachment.inputs.get(name)) for name in inputs],
        [rule_in_words(rule) for rule in attachment.only_if],
    )


def with_shadows(workspace: Workspace, cards: Sequence[Attached]) -> list[Attached]:
    """Each that is in shadow mode with what it would have sent."""
    pks = [each.attachment.pk for each in cards if each.attachment.mode == Attachment.Mode.SHADOW]
    found = shadowed(workspace, pks)
    return [
        replace(each, shadow=found.get(each.attachment.pk, Shadowed())) if each.attachment.pk in pks else each
        for each in cards
    ]


def in_words(name: str, binding: Mapping[str, Any] | None) -> Bound:
    if not binding:
        return Bound(name, "", "", "")
    kind = binding.get("from", "")
    if kind == "fixed":
        return Bound(name, FROM[kind], str(binding.get("value", "")), "")
    fallback = binding.get("fallback")
    return Bound(name, FROM.get(kind, kind), _told_by(binding), f"“{fallback}”" if fallback else "Send nothing")


def _told_by(binding: Mapping[str, Any]) -> str:
    if binding.get("from") == "ask":
        return str(binding.get("description", ""))
    path = str(binding.get("name", ""))
    if binding.get("from") == "system":
        path = FACTS.get(path, path)
    tool = binding.get("action")
    found = f"{tool}: {path}" if tool else path
    return f"{found}, as {binding['format']}" if binding.get("format") else found


def rule_in_words(rule: Mapping[str, Any]) -> str:
    """Such as `create_booking: reference has a value`."""
    tool = rule.get("action")
    name = f"{tool}: {rule.get('name')}" if tool else str(rule.get("name"))
    value = rule.get("value")
    return " ".join(
        part
        for part in (name, COMPARISONS.get(rule.get("is", ""), ""), "" if value is None else f"“{value}”")
        if part
    )
