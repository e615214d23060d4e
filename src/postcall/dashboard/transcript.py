"""A call's words as turns, with the judge's quotes marked where they stand."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from postcall.calls.models import Call
from postcall.dashboard.words import Numbered, clock

_WHO: Final = {"agent": "Agent", "customer": "Caller", "tool": "Tool", "system": "System"}
# Past this many turns a page shows the beginning, the end, and what is around the quotes.
WHOLE_UP_TO: Final = 250
_HEAD, _TAIL, _AROUND = 60, 20, 2
# Of a tool more lines or characters than these are shown when asked for.
_LONG_LINES, _LONG_CHARS = 8, 600


@dataclass(frozen=True)
class Piece:
    """A run of a turn's text. `marks`: the follow-ups that quote it; `ends`: those whose quote ends with it."""

    text: str
    marks: tuple[Numbered, ...] = ()
    ends: tuple[Numbered, ...] = ()

    @property
    def hue(self) -> str:
        return self.marks[0].hue if self.marks else ""


@dataclass(frozen=True)
class ToolShown:
    """What a tool was asked, or answered: `did` is "called with" or "answered", `body` its JSON, written out."""

    name: str
    did: str
    body: str

    @property
    def is_long(self) -> bool:
        return self.body.count("\n") > _LONG_LINES or len(self.body) > _LONG_CHARS


@dataclass(frozen=True)
class TurnShown:
    """`tool` where a turn is a tool's and nothing of it is quoted."""

    number: int
    role: str
    at: str
    pieces: tuple[Piece, ...]
    tool: ToolShown | None = None

    @property
    def who(self) -> str:
        return _WHO.get(self.role, self.role)


@dataclass(frozen=True)
class LeftOut:
    """Turns that are not shown unless asked for."""

    count: int


@dataclass(frozen=True)
class _Quote:
    start: int
    end: int
    by: Numbered


def find_quote(quote: str, text: str) -> tuple[int, int] | None:
    """Where the quote stands in the text, white space aside; letter case only where it does not stand otherwise."""
    words = quote.split()
    if not words:
        return None
    pattern = r"\s+".join(re.escape(word) for word in words)
    found = re.search(pattern, text) or re.search(pattern, text, re.IGNORECASE)
    return found.span() if found else None


def evidence_of(numbered: Numbered) -> list[dict[str, Any]]:
    """The verdict's quotes as {"turn", "quote"}."""
    verdict = numbered.follow_up.verdict or {}
    evidence = verdict.get("evidence")
    return [each for each in evidence if isinstance(each, dict)] if isinstance(evidence, list) else []


def shown(call: Call, follow_ups: Sequence[Numbered], *, whole: bool = False) -> list[TurnShown | LeftOut]:
    """The transcript as the page has it. Turns count from 1."""
    quotes: dict[int, list[tuple[str, Numbered]]] = defaultdict(list)
    for each in follow_ups:
        for evidence in evidence_of(each):
            quotes[int(evidence["turn"])].append((str(evidence["quote"]), each))
    turns = call.transcript
    wanted = set(range(1, len(turns) + 1))
    if not whole and len(turns) > WHOLE_UP_TO:
        wanted = _around(quotes, len(turns))
    return list(_rows(turns, wanted, quotes))


def _around(quotes: dict[int, Any], count: int) -> set[int]:
    wanted = set(range(1, _HEAD + 1)) | set(range(count - _TAIL + 1, count + 1))
    for turn in quotes:
        wanted.update(range(max(1, turn - _AROUND), min(count, turn + _AROUND) + 1))
    return wanted


def _rows(
    turns: Sequence[dict[str, Any]], wanted: set[int], quotes: dict[int, list[tuple[str, Numbered]]]
) -> Iterator[TurnShown | LeftOut]:
    left_out = 0
    for number, turn in enumerate(turns, 1):
        if number not in wanted:
            left_out += 1
            continue
        if left_out:
            yield LeftOut(left_out)
            left_out = 0
        at = turn.get("at")
        yield TurnShown(
            number,
            turn.get("role", ""),
            "" if at is None else clock(at),
            tuple(pieces(turn.get("text", ""), quotes.get(number, []))),
            None if number in quotes else tool_of(turn),
        )


def tool_of(turn: Mapping[str, Any]) -> ToolShown | None:
    """What a turn of a tool says, apart from its name (`sources.loose.called`, `answered`); None: it is none."""
    name = turn.get("tool")
    if turn.get("role") != "tool" or not name:
        return None
    said = re.fullmatch(r"(called with|answered) (.*)", turn["text"].removeprefix(f"{name} "), re.DOTALL)
    return ToolShown(name, said[1], _written_out(said[2])) if said else ToolShown(name, "", turn["text"])


def _written_out(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def pieces(text: str, quotes: Sequence[tuple[str, Numbered]]) -> Iterator[Piece]:
    """The text cut at the beginnings and ends of its quotes, which may overlap."""
    found = [_Quote(*span, numbered) for quote, numbered in quotes if (span := find_quote(quote, text)) is not None]
    cuts = sorted({0, len(text), *(quote.start for quote in found), *(quote.end for quote in found)})
    for start, end in pairwise(cuts):
        over = [quote for quote in found if quote.start <= start and end <= quote.end]
        yield Piece(text[start:end], _once(over), _once([quote for quote in over if quote.end == end]))


def _once(quotes: Sequence[_Quote]) -> tuple[Numbered, ...]:
    return tuple(sorted({quote.by.number: quote.by for quote in quotes}.values(), key=lambda each: each.number))
