"""An attachment's plain rules: all of them must hold before anything is judged."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from postcall.actions.bindings import Rule
from postcall.followups.facts import CallFacts
from postcall.followups.formats import read_iso, read_plain_number
from postcall.followups.snapshot import AgentAsItWas
from postcall.followups.system import system_value
from postcall.followups.values import is_nothing, named

_WORDS = {
    "present": "has a value", "absent": "has no value", "equals": "is", "not_equals": "is not",
    "contains": "contains", "greater": "is greater than", "less": "is less than",
}  # fmt: skip


def first_broken(rules: Iterable[Rule], call: CallFacts, agent: AgentAsItWas) -> str | None:
    """The first rule that does not hold, in words; None when all hold."""
    for rule in rules:
        value = _value(rule, call, agent)
        if not holds(rule, value, agent.zone):
            return _in_words(rule, value)
    return None


def _value(rule: Rule, call: CallFacts, agent: AgentAsItWas) -> Any:
    if rule.from_ == "system":
        return system_value(rule.name, call, agent)
    return named(call.variables, rule.from_, rule.name, rule.action)


def holds(rule: Rule, value: Any, zone: tzinfo) -> bool:
    """Whether `rule` holds of `value`. A value that is not there equals nothing, contains nothing, is neither
    greater nor less."""
    absent = is_nothing(value)
    match rule.is_:
        case "present":
            return not absent
        case "absent":
            return absent
        case "equals":
            return not absent and _equal(value, rule.value)
        case "not_equals":
            return absent or not _equal(value, rule.value)
        case "contains":
            return not absent and _contains(value, rule.value)
        case "greater":
            return not absent and (_compare(value, rule.value, zone) or 0) > 0
        case "less":
            return not absent and (_compare(value, rule.value, zone) or 0) < 0


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return _folded(value) == _folded(wanted)
    if isinstance(value, int | float) or isinstance(wanted, int | float):
        left, right = read_plain_number(value), read_plain_number(wanted)
        if left is not None and right is not None:
            return left == right
    # Two strings are compared as such: the code 0472 is not the code 472.
    return _folded(value) == _folded(wanted)


def _folded(value: Any) -> str:
    if isinstance(value, datetime):
        value = value.isoformat()
    return " ".join(str(value).split()).casefold()


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, list):
        return any(_equal(item, wanted) for item in value)
    if isinstance(value, dict):
        return str(wanted) in value
    return _folded(wanted) in _folded(value)


def _compare(value: Any, wanted: Any, zone: tzinfo) -> int | None:
    """-1, 0 or 1; None where the two are neither two numbers nor two moments."""
    left: Decimal | datetime | None = read_plain_number(value)
    right: Decimal | datetime | None = read_plain_number(wanted)
    if left is None or right is None:
        left, right = _moment(value, zone), _moment(wanted, zone)
    if left is None or right is None:
        return None
    return (left > right) - (left < right)  # type: ignore[operator]  # both are numbers, or both moments


def _moment(value: Any, zone: tzinfo) -> datetime | None:
    if isinstance(value, datetime):
        return value
    found = read_iso(value, zone) if isinstance(value, str) else None
    return found.at if found and found.has_day else None


def _in_words(rule: Rule, value: Any) -> str:
    name = f"{rule.action}.{rule.name}" if rule.action else rule.name
    wanted = "" if rule.value is None else f" {rule.value}"
    where = rule.from_.replace("_", " ")
    found = "it has none in this call" if is_nothing(value) else f"in this call it is {_short(value)}"
    return f"The rule “{name} ({where}) {_WORDS[rule.is_]}{wanted}” does not hold: {found}."


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return f"“{text[:60]}…”" if len(text) > 60 else f"“{text}”"
