"""Filling a message in: every input from its binding, or a reason why nothing can be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from postcall.actions.bindings import ActionResult, Ask, Binding, Fixed, Named, System
from postcall.actions.message import MAX_LENGTH, PLACEHOLDER
from postcall.followups.facts import CallFacts
from postcall.followups.formats import formatted
from postcall.followups.safety import danger_in
from postcall.followups.snapshot import AgentAsItWas
from postcall.followups.system import system_value
from postcall.followups.values import UNFILLED, Missing, as_text, named
from postcall.judge.verdicts import Answer

# Where a stranger may have had a hand in the value. What was given with the call, what the operator wrote and what
# the phone network says are not.
_OUT_OF_THE_CALL = ("collected", "extracted", "action_result", "ask")


@dataclass(frozen=True)
class Filled:
    """One input's value and where it came from: a binding's `from`, or `fallback`."""

    value: str
    source: str
    turn: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {"value": self.value, "from": self.source, "turn": self.turn}


@dataclass(frozen=True)
class Composed:
    """A message filled in as far as it goes. `body` is empty where something is missing.

    `missing` says by input why it has no value, `unsafe` why its value may not be sent unseen.
    """

    body: str = ""
    inputs: dict[str, Filled] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    unsafe: dict[str, str] = field(default_factory=dict)

    @property
    def too_long(self) -> bool:
        return length_of(self.body) > MAX_LENGTH

    def inputs_json(self) -> dict[str, Any]:
        return {name: filled.as_json() for name, filled in self.inputs.items()}


def length_of(body: str) -> int:
    """Characters as Twilio's limit counts them, in UTF-16 units: most emoji are two."""
    return len(body.encode("utf-16-le")) // 2


def compose(
    message: str,
    bindings: Mapping[str, Binding],
    call: CallFacts,
    agent: AgentAsItWas,
    answers: Mapping[str, Answer],
) -> Composed:
    """Fills `message` in one pass: what a value holds is not filled in again. `answers`: the judge's, by input."""
    inputs: dict[str, Filled] = {}
    missing: dict[str, str] = {}
    unsafe: dict[str, str] = {}
    for name in dict.fromkeys(PLACEHOLDER.findall(message)):
        if name not in bindings:
            missing[name] = "is bound to nothing"
            continue
        filled = fill(bindings[name], call, agent, answers.get(name))
        if isinstance(filled, Missing):
            missing[name] = filled.why
            continue
        inputs[name] = filled
        if danger := _danger(bindings[name], filled):
            unsafe[name] = danger
    if missing:
        return Composed("", inputs, missing, unsafe)
    body = PLACEHOLDER.sub(lambda found: in_place(inputs[found[1]].value, message[found.end() :]), message)
    if not unsafe and (left := UNFILLED.search(body)):
        return Composed("", inputs, {left[0]: "would go out as it stands; write placeholders as <name>"}, unsafe)
    return Composed(body, inputs, missing, unsafe)


def in_place(value: str, rest: str) -> str:
    """The value without its last full stop where the message goes on with one: "at 10:30 a.m.", not "a.m..\"."""
    return value[:-1] if value.endswith(".") and rest[:1] == "." != rest[1:2] else value


def fill(binding: Binding, call: CallFacts, agent: AgentAsItWas, answer: Answer | None) -> Filled | Missing:
    """One input's value, else its fallback, else why there is none."""
    if isinstance(binding, Fixed):
        text = as_text(binding.value)
        return text if isinstance(text, Missing) else Filled(text, "fixed")
    value = _value(binding, call, agent, answer)
    text = _as_sent(binding, value, call, agent)
    if not isinstance(text, Missing):
        return Filled(text, binding.from_, answer.turn if isinstance(binding, Ask) and answer else None)
    fallback = as_text(binding.fallback)
    return text if isinstance(fallback, Missing) else Filled(fallback, "fallback")


def _value(
    binding: System | Named | ActionResult | Ask, call: CallFacts, agent: AgentAsItWas, answer: Answer | None
) -> Any:
    if isinstance(binding, System):
        return system_value(binding.name, call, agent)
    if isinstance(binding, Ask):
        return answer.value if answer else None
    action = binding.action if isinstance(binding, ActionResult) else None
    return named(call.variables, binding.from_, binding.name, action)


def _as_sent(
    binding: System | Named | ActionResult | Ask, value: Any, call: CallFacts, agent: AgentAsItWas
) -> str | Missing:
    how = binding.format
    if how is None and isinstance(value, datetime):
        how = "datetime"  # nobody wants to read ISO 8601
    plain = value if isinstance(value, datetime) else as_text(value)
    if how is None or isinstance(plain, Missing):
        return plain if isinstance(plain, str | Missing) else as_text(str(plain))
    styled = formatted(value if isinstance(value, int | float) else plain, how, agent, call.when, binding.currency)
    return styled if isinstance(styled, Missing) else as_text(styled)


def _danger(binding: Binding, filled: Filled) -> str | None:
    """Fallbacks are the operator's own words; what a format wrote is ours, of a value that it could read."""
    if isinstance(binding, Fixed) or filled.source not in _OUT_OF_THE_CALL:
        return None
    if binding.format is not None:
        return None
    return danger_in(filled.value, binding.allow)


def in_words(reasons: Mapping[str, str]) -> str:
    """`<first_name> has no value in this call; <day> …`"""
    shown = [
        f"{name if name.startswith(('<', '{', '%', '$')) else f'<{name}>'} {why}" for name, why in reasons.items()
    ]
    return "; ".join(shown) + "."
