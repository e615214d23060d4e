"""What an agent's recent calls held beside their words: the names that its platform really sends, with examples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final, Literal

from postcall.actions.bindings import dotted
from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.followups.values import is_nothing, unwrapped
from postcall.workspaces.scope import within

Namespace = Literal["collected", "extracted", "pre_call", "action_result"]

LOOKED_AT: Final = 50
MOST_NAMES: Final = 60
MOST_EXAMPLES: Final = 3
LONGEST: Final = 28
_MOST_IN_A_CALL: Final = 300
_DEEPEST: Final = 5
# Of a value nothing past this is looked at: what is shown of it is far shorter.
_READ: Final = 400
_NAMESPACES: Final[tuple[tuple[Namespace, str], ...]] = (
    ("collected", "collected"),
    ("extracted", "extracted"),
    ("pre_call", "pre_call"),
    ("action_result", "action_results"),
)
# Names under which platforms and tools hand about what opens doors, and what nobody is to read over a shoulder.
_SECRET: Final = re.compile(
    r"pass(?:word|phrase|wd|code)|secret|token|api.?key|credential|authori[sz]ation|signature|cookie|session.?id"
    r"|card.?(?:no|num)|private.?key|(?:security|access|verification|one.?time).?code",
    re.IGNORECASE,
)
# The same, as words of their own: a shipping number is no PIN.
_SECRET_WORDS: Final = frozenset({"pin", "cvv", "cvc", "ssn", "otp", "iban", "pwd"})
# Keys; and as many digits as a payment card has.
LIKE_A_KEY: Final = re.compile(
    r"(?<!\S)(?!\d{4}-\d\d-\d\d)(?=\S*\d)(?=\S*[A-Za-z])[\w.+/=:-]{24,}|(?<!\d)(?:\d[ -]?){15,18}\d(?!\d)"
)
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@dataclass(frozen=True)
class Held:
    """A name that `calls` of the calls looked at held, of a tool's answer with the tool, and some of the values,
    the latest first. Where the name is one for secrets there are no values."""

    namespace: Namespace
    tool: str
    name: str
    calls: int
    values: tuple[str, ...]

    def likeness(self, input_name: str) -> float:
        """From 0 to 1, how much the name is like that of an input."""
        mine, theirs = words_of(self.name), words_of(input_name)
        shared = len(set(mine) & set(theirs)) / max(1, len(set(mine) | set(theirs)))
        return max(shared, SequenceMatcher(None, " ".join(mine), " ".join(theirs)).ratio())


@dataclass(frozen=True)
class HeldValues:
    """What the latest `calls` calls of an agent held, the most frequent first."""

    calls: int
    held: tuple[Held, ...]

    def of(self, namespace: str) -> list[Held]:
        return [each for each in self.held if each.namespace == namespace]

    def find(self, namespace: str, name: str, tool: str = "") -> Held | None:
        wanted = (namespace, name, tool)
        return next((each for each in self.held if (each.namespace, each.name, each.tool) == wanted), None)

    def like(self, input_name: str, most: int = 3, least: float = 0.6) -> list[Held]:
        """Those whose names are most like an input's."""
        ranked = sorted(self.held, key=lambda each: (-each.likeness(input_name), -each.calls))
        return [each for each in ranked if each.likeness(input_name) >= least][:most]


def held_values(agent: Agent) -> HeldValues:
    """Looks at the agent's latest LOOKED_AT calls, save those that were forgotten."""
    calls = within(agent.workspace_id, Call).filter(agent=agent, forgotten_at=None).order_by("-pk")
    variables = list(calls.values_list("variables", flat=True)[:LOOKED_AT])
    found: dict[tuple[Namespace, str, str], list[str]] = {}
    for one in variables:
        for key, value in dict(leaves_of(one)).items():
            found.setdefault(key, []).append(value)
    held = [
        Held(namespace, tool, name, len(values), _examples(tool, name, values))
        for (namespace, tool, name), values in found.items()
    ]
    held.sort(key=lambda each: (-each.calls, each.tool, each.name))
    kept = [each for namespace, _ in _NAMESPACES for each in _first(held, namespace)]
    return HeldValues(len(variables), tuple(sorted(kept, key=lambda each: -each.calls)))


def _first(held: Sequence[Held], namespace: Namespace) -> list[Held]:
    return [each for each in held if each.namespace == namespace][:MOST_NAMES]


def leaves_of(variables: Any) -> Iterator[tuple[tuple[Namespace, str, str], str]]:
    """Every plain value of a call under its namespace, tool and dotted path."""
    if not isinstance(variables, Mapping):
        return
    left = _MOST_IN_A_CALL
    for namespace, key in _NAMESPACES:
        tree = variables.get(key)
        if not isinstance(tree, Mapping):
            continue
        if namespace == "action_result":
            parts = [(str(tool), answer) for tool, answer in tree.items()]
        else:
            parts = [("", tree)]
        for tool, part in parts:
            for path, value in _leaves(part, "", 0):
                if left == 0:
                    return
                left -= 1
                yield (namespace, tool, path), value


def _leaves(tree: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    tree = unwrapped(tree)
    if is_nothing(tree) or depth > _DEEPEST:
        return
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from _leaves(value, f"{path}.{name}" if path else str(name), depth + 1)
    elif isinstance(tree, list):
        # Of a list the first stands for all: a path that picks the fifth is seldom meant.
        yield from _leaves(tree[0], f"{path}.0" if path else "0", depth + 1)
    elif _is_path(path):
        yield path, str(tree).lower() if isinstance(tree, bool) else str(tree)[:_READ]


def _is_path(path: str) -> bool:
    try:
        return len(path) <= 255 and bool(dotted(path))
    except ValueError:
        return False


def _examples(tool: str, name: str, values: Sequence[str]) -> tuple[str, ...]:
    if is_secret(tool) or is_secret(name):
        return ()
    shown = dict.fromkeys(_cut(value) for value in values if not LIKE_A_KEY.search(value))
    return tuple(shown)[:MOST_EXAMPLES]


def is_secret(name: str) -> bool:
    """Whether values under a name like this are for nobody's eyes."""
    return bool(_SECRET.search(name)) or not _SECRET_WORDS.isdisjoint(words_of(name))


def _cut(value: str) -> str:
    text = " ".join(value.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def words_of(name: str) -> list[str]:
    """`bookingRef_2` as booking, ref, 2."""
    return [word.lower() for word in _WORDS.findall(name)]
