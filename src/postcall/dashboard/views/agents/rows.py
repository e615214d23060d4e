"""The rows of the mapping form: each input with what may be said of it, and what recent calls held for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from postcall.calls.held_values import Held, HeldValues
from postcall.dashboard.attached import COMPARISONS, FACTS, FROM, rule_in_words
from postcall.dashboard.forms import Form
from postcall.dashboard.views.agents import mapping
from postcall.dashboard.views.agents.mapping import field_of
from postcall.followups.offered_rules import OfferedRule

_PARTS: Final = (
    "from", "fixed", "collected", "extracted", "pre_call", "tool", "result", "system", "description", "example",
    "fallback", "format", "currency",
)  # fmt: skip

# Of a message with more inputs the others are told in words and open at a press: a row of fields weighs 6 kB.
AT_ONCE: Final = 6
AT_ONCE_OF_MANY: Final = 4
_NAMED: Final = ("collected", "extracted", "pre_call", "action_result")


@dataclass(frozen=True)
class Offer:
    """A name that recent calls held, as it is offered for an input."""

    held: Held
    seen: str

    @property
    def origin(self) -> str:
        return mapping.KINDS[self.held.namespace]


@dataclass(frozen=True)
class InputRow:
    """`names` are those of its fields on the page by part, `allowed` those of its check boxes with their words.
    `seen` says by kind what recent calls held under the name that is chosen."""

    name: str
    names: dict[str, str]
    allowed: list[tuple[str, str, bool]]
    is_bound: bool
    has_extras: bool
    extras: str
    seen: dict[str, str]
    offers: list[Offer]


@dataclass(frozen=True)
class FoldedRow:
    """An input in words. `kept` is by field what is typed of it, `kind` empty where it is bound to nothing."""

    name: str
    kept: dict[str, str]
    kind: str
    value: str
    if_missing: str
    is_folded: bool = True


def form_parts(form: Form, inputs: Sequence[str], held: HeldValues) -> dict[str, Any]:
    """What the template needs to show the form."""
    numbers = mapping.rule_rows(form)
    unfolded = _unfolded(form, inputs)
    return {
        "rows": [_row(form, name, held) if name in unfolded else _folded(form, name) for name in inputs],
        "rules": [{part: f"only_if.{n}.{part}" for part in mapping.RULE_PARTS} for n in numbers],
        "rule_count": sum(1 for n in numbers if form[f"only_if.{n}.name"]),
        "held": {kind: [Offer(each, seen_in(each, held.calls)) for each in held.of(kind)] for kind in _NAMED},
        "rules_refused": any(name.startswith("only_if.") for name in form.problems),
        "tools": list(dict.fromkeys(each.tool for each in held.of("action_result"))),
        "calls": held.calls,
        "kinds": mapping.KINDS,
        "facts": mapping.CHOICE_OF_FACTS,
        "formats": mapping.FORMATS,
        "rule_kinds": mapping.RULE_KINDS,
        "comparisons": COMPARISONS,
    }


@dataclass(frozen=True)
class RuleOffer:
    """A rule in words, with what its button posts and what a script puts into the row's fields."""

    words: str
    told: str
    value: str
    fields: dict[str, Any]


def rule_offers(form: Form, offered: Sequence[OfferedRule]) -> list[RuleOffer]:
    """Those that the form does not hold yet."""
    typed = {
        tuple(
            form[f"only_if.{n}.{part}"] for part in mapping.RULE_PARTS if part != "value" or _is_compared(form, n)
        )
        for n in mapping.rule_rows(form)
    }
    return [
        RuleOffer(rule_in_words(each.as_json), _how_it_did(each), json.dumps(each.as_json), each.as_json)
        for each in offered
        if tuple(mapping.rule_parts(each.as_json)) not in typed
    ]


def _is_compared(form: Form, n: int) -> bool:
    return form[f"only_if.{n}.is"] not in mapping.UNCOMPARED


def _how_it_did(offer: OfferedRule) -> str:
    """`Would have let 12 of the last 50 calls through; agrees with the judge in 11 of 12`"""
    told = f"would have let {offer.held} of the last {offer.calls} calls through"
    return f"{told}; agrees with the verdicts in {offer.agrees} of {offer.compared}" if offer.compared else told


def seen_in(held: Held, calls: int) -> str:
    """`In 47 of the last 50 calls: Maya, Tom, Inés`"""
    often = f"In {held.calls} of the last {calls} calls" if calls > 1 else "In the last call"
    return f"{often}: {', '.join(held.values)}" if held.values else often


def _unfolded(form: Form, inputs: Sequence[str]) -> set[str]:
    """Those with fields: all of few; of many what is refused, what was asked for, then what is bound to nothing."""
    if len(inputs) <= AT_ONCE:
        return set(inputs)
    refused = [name for name in inputs if any(field.startswith(field_of(name, "")) for field in form.problems)]
    unbound = [name for name in inputs if not form[field_of(name, "from")]]
    asked = [name for name in inputs if name == form[mapping.UNFOLD]]
    ranked = list(dict.fromkeys([*refused, *asked, *unbound, *inputs]))
    return set(ranked[: max(AT_ONCE_OF_MANY, len(refused))])


def _folded(form: Form, name: str) -> FoldedRow:
    kept = {field: text for field, text in form.typed.items() if text and field.startswith(field_of(name, ""))}
    kind = form[field_of(name, "from")]
    value = ": ".join(text for field in mapping.parts_of(kind) if (text := form[field_of(name, field)]))
    fallback = form[field_of(name, "fallback")]
    told = "" if kind == "fixed" else f"“{fallback}”" if fallback else "Send nothing"
    return FoldedRow(name, kept, mapping.KINDS[kind] if kind in FROM else "", FACTS.get(value, value), told)


def _row(form: Form, name: str, held: HeldValues) -> InputRow:
    names = {part: field_of(name, part) for part in _PARTS}
    is_bound = form[names["from"]] in mapping.KINDS and bool(form[names["from"]])
    allowed = [
        (field_of(name, f"allow_{key}"), words, form.ticked(field_of(name, f"allow_{key}")))
        for key, words in mapping.ALLOWED.items()
    ]
    return InputRow(
        name=name,
        names=names,
        allowed=allowed,
        is_bound=is_bound,
        has_extras=any(names[part] in form.problems for part in ("format", "currency")),
        extras=_extras(form[names["format"]], [words for _, words, is_ticked in allowed if is_ticked]),
        seen={kind: _seen(form, names, kind, held) for kind in _NAMED},
        offers=[] if is_bound else [Offer(each, seen_in(each, held.calls)) for each in held.like(name)],
    )


def _extras(style: str, allowed: Sequence[str]) -> str:
    """`A day; may hold web and mail addresses`"""
    told = [mapping.FORMATS.get(style, "")] if style else []
    told += [f"may hold {', '.join(allowed).lower()}"] if allowed else []
    return "; ".join(told)


def _seen(form: Form, names: dict[str, str], kind: str, held: HeldValues) -> str:
    if kind == "action_result":
        tool, chosen = form[names["tool"]], form[names["result"]]
    else:
        tool, chosen = "", form[names[kind]]
    if not chosen:
        return ""
    if found := held.find(kind, chosen, tool):
        return seen_in(found, held.calls)
    return f"In none of the last {held.calls} calls" if held.calls > 1 else ""
