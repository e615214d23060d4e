"""A Synthflow account as it was read: its agents, and its SMS actions with what they are attached to."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from postcall.sources.loose import at, identifier, listing, mapping, text
from postcall.synthflow.client import NotThere, Synthflow
from postcall.synthflow.mappings import Mapped, Variable, read_mapped

SMS: Final = "SEND_SMS"

Told = Callable[[str, int, int], None]
"""Is told what is being read, and how many of how many."""


@dataclass(frozen=True)
class TheirAgent:
    model_id: str
    name: str
    timezone: str
    locale: str


@dataclass(frozen=True)
class Use:
    """One assistant to which an action is attached. `mapped` is None where nothing is said of its variables."""

    model_id: str
    trigger_condition: str = ""
    mapped: tuple[Mapped, ...] = ()


@dataclass(frozen=True)
class TheirAction:
    """`variables` by their names."""

    action_id: str
    name: str
    content: str
    instructions: str
    variables: Mapping[str, Variable] = field(default_factory=dict)
    uses: tuple[Use, ...] = ()

    @property
    def digest(self) -> str:
        said = json.dumps([self.content, self.instructions], ensure_ascii=True)
        return hashlib.sha256(said.encode()).hexdigest()


@dataclass(frozen=True)
class Account:
    """`others`: how many actions there are of types that Postcall has not."""

    agents: tuple[TheirAgent, ...]
    actions: tuple[TheirAction, ...]
    others: Counter[str]


def read_account(synthflow: Synthflow, told: Told) -> Account:
    """Reads all of it. Raises CannotRead."""
    agents = [
        agent
        for raw in synthflow.assistants(lambda done, of: told("agents", done, of))
        if (agent := read_agent(raw)) is not None
    ]
    listed = list(synthflow.actions(lambda done, of: told("actions", done, of)))
    others = Counter(kind for raw in listed if (kind := _type(raw)) != SMS)
    ours = [raw for raw in listed if _type(raw) == SMS]
    actions = []
    for number, raw in enumerate(ours, 1):
        action_id = identifier(raw.get("action_id"))
        assert action_id is not None  # the client lists none without
        try:
            detailed = synthflow.action(action_id)
        except NotThere:
            continue  # somebody deleted it since it was listed
        actions.append(read_action(action_id, raw | {name: one for name, one in detailed.items() if one}))
        told("details", number, len(ours))
    return Account(tuple(agents), tuple(actions), others)


def _type(raw: Mapping[str, Any]) -> str:
    return (text(raw.get("action_type"), 60) or "unknown").upper()


def read_agent(raw: Mapping[str, Any]) -> TheirAgent | None:
    model_id = identifier(raw.get("model_id"))
    if model_id is None:
        return None
    return TheirAgent(
        model_id,
        text(raw.get("name"), 100) or "",
        # [G] Documented for creating an agent; that a list shows them is not.
        text(raw.get("timezone")) or text(at(raw, "agent.timezone")) or "",
        text(at(raw, "agent.language")) or "",
    )


def read_action(action_id: str, raw: Mapping[str, Any]) -> TheirAction:
    words = mapping(raw.get("parameters_hard_coded"))
    known = mapping(raw.get("input_variables"))
    variables = {
        name: Variable(name, text(one.get("description")) or "", text(one.get("example")) or "")
        for one in map(mapping, listing(known.get("values")))
        if (name := text(one.get("name"), 255))
    }
    return TheirAction(
        action_id,
        text(raw.get("name")) or "",
        text(words.get("sms_message_text")) or text(words.get("content")) or "",
        text(raw.get("description")) or text(raw.get("instructions")) or "",
        variables,
        _uses(raw, known, variables),
    )


def _uses(raw: Mapping[str, Any], known: Mapping[str, Any], variables: Mapping[str, Variable]) -> tuple[Use, ...]:
    """Assistants are listed twice: by their ids, and with how their variables are mapped where they are."""
    uses = {found: Use(found) for each in listing(raw.get("assistants")) if (found := identifier(each))}
    for one in map(mapping, listing(known.get("assistants"))):
        if (model_id := identifier(one.get("model_id"))) is None:
            continue
        entries = listing(one.get("input_variables_mapping"))
        mapped = tuple(each for entry in entries if (each := read_mapped(entry, variables)))
        uses[model_id] = Use(model_id, text(one.get("trigger_condition")) or "", mapped)
    return tuple(uses.values())
