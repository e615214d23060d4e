"""Reading JSON that anybody may have sent."""

from __future__ import annotations

import json
from math import isinf
from typing import Any, Final, NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from postcall.sources.kind import Unreadable

# Whoever reads a value goes into it as deep as it is; nobody means one that is deeper than this.
MAX_DEPTH: Final = 100
# Python's own names for the steps into a union, which nobody wrote.
_UNION_STEPS = {"str", "int", "float", "bool", "date", "datetime", "constrained-str"}

_IN_WORDS = {
    "missing": "is required",
    "extra_forbidden": "there is no such field",
    "model_type": "a JSON object is needed",
    "model_attributes_type": "a JSON object is needed",
    "dict_type": "a JSON object is needed",
    "union_tag_not_found": "`from` is required: where the value comes from",
}


class NotJson(Exception):
    """The bytes are not JSON. The text says what is wrong and where."""


def read_event(body: bytes, needed: str) -> dict[str, Any]:
    """The JSON object that a delivery is. `needed` says what it should have been. Raises Unreadable."""
    try:
        event = read_json(body)
    except NotJson as error:
        raise Unreadable(str(error)) from None
    if not isinstance(event, dict):
        raise Unreadable(needed)
    return event


def read_json(body: bytes) -> Any:
    """The value of `body`. Raises NotJson, also for what JSON does not know: NaN, and numbers past every float; and
    for what is nested deeper than MAX_DEPTH."""
    try:
        value = json.loads(body, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise NotJson(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise NotJson(f"not JSON: the text is not UTF-8 from byte {error.start + 1} on") from None
    except RecursionError:
        raise NotJson("not readable: nested too deeply") from None
    except ValueError as error:
        raise NotJson(f"not JSON: {error}") from None
    if is_too_deep(value):
        raise NotJson("not readable: nested too deeply")
    return value


def is_too_deep(value: Any) -> bool:
    """Whether lists and objects stand in one another deeper than MAX_DEPTH."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        holders = [each for each in level if isinstance(each, dict | list)]
        level = [inner for each in holders for inner in (each.values() if isinstance(each, dict) else each)]
        if not level:
            return False
    return True


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _finite(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise ValueError(f"{digits[:40]} is too large a number")
    return number


def errors_of(error: ValidationError, strip: int = 0) -> list[tuple[str, str]]:
    """What is wrong, as (dotted path, sentence), one a field; the first `strip` steps of each path left out."""
    found: dict[str, list[str]] = {}
    for one in error.errors(include_url=False):
        path = path_of(one["loc"][strip:])
        said = _in_words(one)
        sentences = found.setdefault(path, [])
        if said not in sentences:
            sentences.append(said)
    return [(path, "; ".join(sentences)) for path, sentences in found.items()]


def _in_words(one: ErrorDetails) -> str:
    if one["type"] == "union_tag_invalid":
        return f"`from` has to be one of {one['ctx']['expected_tags']}"
    return _IN_WORDS.get(one["type"]) or one["msg"].removeprefix("Value error, ")


def path_of(steps: tuple[int | str, ...]) -> str:
    """The dotted path as the sender would write it: without the names of the shapes that were tried."""
    written = [
        str(step)
        for position, step in enumerate(steps)
        if not _is_shape(steps, position) and not _is_union_step(steps, position)
    ]
    return ".".join(written)


def _is_shape(steps: tuple[int | str, ...], position: int) -> bool:
    """Whether the step is the tag of a binding: it follows an input's name, which follows `inputs`
    (or `bindings` and an attachment)."""
    before = steps[:position]
    return len(before) in (2, 3) and before[0] == ("inputs" if len(before) == 2 else "bindings")


def _is_union_step(steps: tuple[int | str, ...], position: int) -> bool:
    names_an_input = steps[0] in ("inputs", "bindings") and position <= 2
    return 0 < position == len(steps) - 1 and steps[position] in _UNION_STEPS and not names_an_input
