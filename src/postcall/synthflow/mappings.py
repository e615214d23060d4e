"""Where a value comes from: Synthflow's `input_variables_mapping`, and our bindings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from postcall.actions.bindings import ActionResult, Ask, Binding, Fixed, Named, System, dump
from postcall.calls.held_values import HeldValues
from postcall.sources.loose import mapping, text
from postcall.synthflow.words import input_name

SYSTEM_VARIABLES: Final = {
    "call_id": "call_id",
    "user_phone_number": "customer_number",
    "from_phone_number": "from_number",
    "to_phone_number": "to_number",
}
_THEIR_SYSTEM_VARIABLES: Final = {ours: theirs for theirs, ours in SYSTEM_VARIABLES.items()}
_NAMESPACES: Final = {"prompt_variables": "pre_call", "fsm_variables": "collected"}
_THEIR_SOURCES: Final = {
    "fixed": "hardcoded",
    "ask": "llm",
    "system": "system_vars",
    "pre_call": "prompt_variables",
    "collected": "fsm_variables",
    "extracted": "action_results",
    "action_result": "action_results",
}
SOURCES: Final = ("hardcoded", "llm", "system_vars", "prompt_variables", "fsm_variables", "action_results")
_BINDING: Final[TypeAdapter[Any]] = TypeAdapter(Binding)
# `lead.name` of the webhook.
_NAMES_OF_A_LEAD: Final = frozenset(
    {"name", "fullname", "leadname", "customername", "contactname", "callername", "clientname", "username"}
)
_LONGEST_DESCRIPTION: Final = 500
_LONGEST_EXAMPLE: Final = 200


@dataclass(frozen=True)
class Variable:
    """An input as Synthflow describes it."""

    name: str
    description: str = ""
    example: str = ""


@dataclass(frozen=True)
class Mapped:
    """One entry of an `input_variables_mapping`. `ours` is the binding itself, where a Postcall wrote the entry."""

    variable: Variable
    source: str
    value: Any = None
    required: bool = True
    ours: Mapping[str, Any] | None = None

    @property
    def input(self) -> str:
        return input_name(self.variable.name)


@dataclass(frozen=True)
class Bound:
    """A binding, and what somebody should know about it; empty: nothing."""

    binding: Binding
    note: str = ""

    @property
    def asks(self) -> bool:
        """Whether the judge has to read it out of the transcript."""
        return isinstance(self.binding, Ask)


def read_mapped(raw: Any, described: Mapping[str, Variable] | None = None) -> Mapped | None:
    """An entry as Synthflow writes it; None where it names no variable. `described`: what is said of the variables
    elsewhere."""
    entry = mapping(raw)
    name = text(entry.get("variable_name"), 255)
    if name is None:
        return None
    asked = mapping(entry.get("llm_config"))
    known = (described or {}).get(name, Variable(name))
    own = entry.get("postcall")
    return Mapped(
        Variable(
            name,
            text(asked.get("description")) or known.description,
            text(asked.get("example")) or known.example,
        ),
        text(entry.get("source")) or "llm",
        entry.get("hardcoded_value"),
        asked.get("required") is not False,
        own if isinstance(own, dict) else None,
    )


def bound(mapped: Mapped, held: HeldValues | None = None) -> Bound:
    """The entry as a binding. What cannot be told is asked of the transcript, and the note says so. `held`: what
    the agent's calls really held."""
    if mapped.ours is not None and (ours := _checked(dict(mapped.ours))):
        return Bound(ours)
    if mapped.source == "llm":
        optional = (
            "" if mapped.required else "optional at Synthflow; here nothing goes out without it: give a fallback"
        )
        return Bound(asked(mapped.variable), optional)
    raw = _raw(mapped, held)
    if binding := _checked(raw) if raw else None:
        return Bound(binding)
    if mapped.source not in SOURCES:
        why = f"Postcall does not know the source “{mapped.source}”"
    elif mapped.source == "hardcoded":
        why = "its fixed value is empty"
    else:
        why = f"“{_reference(mapped)}” is nothing that Postcall finds by its name"
    return Bound(asked(mapped.variable), f"{why}: it is read from the transcript")


def asked(variable: Variable) -> Ask:
    """The value as our judge reads it out of the transcript."""
    description = " ".join(variable.description.split())[:_LONGEST_DESCRIPTION]
    if len(description) < 3:
        description = f"the {_spelt(variable.name)}, as the call settled it"
    return Ask.model_validate(
        {
            "from": "ask",
            "description": description,
            "example": " ".join(variable.example.split())[:_LONGEST_EXAMPLE],
        }
    )


def guessed(variable: Variable, held: HeldValues | None = None, *, reads: bool = True) -> Bound:
    """Where Synthflow would find a variable of that name by itself: a system variable; what the agent's calls held
    under exactly this name; else the judge reads it out of the transcript. One that `reads` no values leaves what
    Synthflow may send under the name, unless it is described as something to read."""
    if ours := SYSTEM_VARIABLES.get(variable.name):
        return Bound(System.model_validate({"from": "system", "name": ours}))
    for namespace in ("collected", "extracted", "pre_call", "action_result"):
        for found in held.of(namespace) if held else ():
            if _plain(found.name) == _plain(variable.name):
                raw = {"from": namespace, "name": found.name} | ({"action": found.tool} if found.tool else {})
                if binding := _checked(raw):
                    return Bound(binding)
    if reads or variable.description:
        return Bound(asked(variable), "is read from the transcript, since no call of the agent held it yet")
    if _plain(variable.name) in _NAMES_OF_A_LEAD:
        raw, where = (
            {"from": "pre_call", "name": "name"},
            "the name of the lead, which Synthflow has before the call",
        )
    else:
        raw, where = {"from": "collected", "name": variable.name}, "what the agent collects under this name"
    return Bound(_checked(raw) or asked(variable), f"is {where}: no call of the agent held it yet")


def _plain(name: str) -> str:
    return input_name(name).lower().replace("_", "")


def entry_of(name: str, binding: Binding) -> dict[str, Any]:
    """A binding as an entry of an `input_variables_mapping`; under `postcall` as we have it, so that nothing is
    lost on the way back."""
    entry: dict[str, Any] = {
        "variable_name": name,
        "source": _THEIR_SOURCES[binding.from_],
        "hardcoded_value": None,
        "llm_config": None,
        "postcall": dump(binding),
    }
    if isinstance(binding, Fixed):
        entry["hardcoded_value"] = str(binding.value)
    elif isinstance(binding, Ask):
        entry["llm_config"] = {
            "description": binding.description,
            "example": binding.example,
            "required": binding.fallback is None,
        }
    elif isinstance(binding, System):
        entry["hardcoded_value"] = _THEIR_SYSTEM_VARIABLES.get(binding.name, binding.name)
    elif isinstance(binding, ActionResult):
        entry["hardcoded_value"] = f"{binding.action}.{binding.name}"
    elif isinstance(binding, Named):
        entry["hardcoded_value"] = binding.name
    return entry


def _raw(mapped: Mapped, held: HeldValues | None) -> dict[str, Any] | None:
    reference = _reference(mapped)
    if mapped.source == "hardcoded":
        value = mapped.value
        return {"from": "fixed", "value": str(value).lower() if isinstance(value, bool) else value}
    if mapped.source == "system_vars":
        return {"from": "system", "name": SYSTEM_VARIABLES.get(reference, reference)}
    if mapped.source in _NAMESPACES:
        return {"from": _NAMESPACES[mapped.source], "name": reference}
    if mapped.source == "action_results":
        return _result(reference, held)
    return None


def _reference(mapped: Mapped) -> str:
    """Which of the source's variables is meant. No field is documented for it: taken is the value where one is
    given, such as `{call_id}`, else the variable's own name."""
    given = text(mapped.value, 255)
    return re.sub(r"^[{<\s]+|[}>\s]+$", "", given or "") or mapped.variable.name


def _result(reference: str, held: HeldValues | None) -> dict[str, Any]:
    """Of `create_booking.reference` the action is the part before the dot; of a name alone, whichever action was
    seen to answer it, else it is what an information extractor found, which arrives under its own name."""
    action, _, name = reference.partition(".")
    if name:
        return {"from": "action_result", "action": action, "name": name}
    for found in held.of("action_result") if held else ():
        if found.name.rpartition(".")[2] == reference:
            return {"from": "action_result", "action": found.tool, "name": found.name}
    return {"from": "extracted", "name": reference}


def _checked(raw: dict[str, Any]) -> Binding | None:
    try:
        checked: Binding = _BINDING.validate_python(raw)
    except ValidationError:
        return None
    return checked


def _spelt(name: str) -> str:
    """`customerName` and `customer_name` as `customer name`."""
    return " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name) or [name]).lower()
