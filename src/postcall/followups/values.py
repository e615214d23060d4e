"""Finding a value in what a call brought, and saying whether it is one that can be sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from postcall.actions.message import NAME
from postcall.words import is_redacted, says_nothing, visible

UNFILLED: Final = re.compile(
    rf"<{NAME}>|\{{\{{\s*[A-Za-z][\w.]*\s*\}}\}}|\{{\s*{NAME}\s*\}}|\$\{{\s*[A-Za-z][\w.]*\s*\}}"
)
# What platforms lay beside a collected value; a mapping of these is that value and not an object of the operator's.
_META: Final = frozenset(
    {"value", "collected", "description", "rationale", "reason", "confidence", "name", "type", "json_schema",
     "data_collection_id"}
)  # fmt: skip


@dataclass(frozen=True)
class Missing:
    """There is nothing to send; `why` completes "<input> …"."""

    why: str


def find(tree: Any, path: str) -> Any:
    """What stands under a name or a dotted path; None where nothing does. A name that holds dots itself wins over
    the path, and a number picks from a list (`items.0.name`)."""
    tree = unwrapped(tree)
    if isinstance(tree, Mapping):
        if path in tree:
            return unwrapped(tree[path])
        for cut in [i for i, letter in enumerate(path) if letter == "."]:
            if path[:cut] in tree:
                found = find(tree[path[:cut]], path[cut + 1 :])
                if found is not None:
                    return found
        return None
    if isinstance(tree, Sequence) and not isinstance(tree, str):
        head, _, rest = path.partition(".")
        if not head.isascii() or not head.isdigit() or int(head) >= len(tree):
            return None
        return find(tree[int(head)], rest) if rest else unwrapped(tree[int(head)])
    return None


def unwrapped(value: Any) -> Any:
    """The value inside {"value": …, "collected": true}; None where `collected` is false."""
    if not isinstance(value, Mapping) or "value" not in value or not set(value) <= _META:
        return value
    if str(value.get("collected", True)).lower() == "false":
        return None
    return unwrapped(value["value"])


def named(variables: Mapping[str, Any], namespace: str, name: str, action: str | None = None) -> Any:
    """A variable by its namespace and path, as bindings and rules name it; None where there is none."""
    if namespace != "action_result":
        return find(variables.get(namespace, {}), name)
    results = variables.get("action_results", {})
    if not isinstance(results, Mapping) or action not in results:
        return None
    return find(results[action], name)


def is_nothing(value: Any) -> bool:
    """Whether a value says nothing: null, blank, or a word by which programs say so."""
    if value is None:
        return True
    if isinstance(value, Mapping | list):
        return not value
    return isinstance(value, str) and says_nothing(value)


def as_text(value: Any) -> str | Missing:
    """The value as it is sent: strings and integers digit for digit."""
    if is_nothing(value):
        return Missing("has no value in this call")
    if isinstance(value, bool):
        return Missing("is only true or false in this call, which is nothing to say in a text")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float_text(value)
    if not isinstance(value, str):
        return Missing("is a list or an object in this call; name the part of it that is meant")
    text = visible(value)
    if UNFILLED.fullmatch(text):
        return Missing(f"is the unfilled placeholder {text} in this call")
    if is_redacted(text):
        return Missing("was blacked out by the platform")
    return text


def _float_text(value: float) -> str | Missing:
    if value != value or value in (float("inf"), float("-inf")):
        return Missing("is not a number in this call")
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")
