"""Reading a transcript that somebody pasted: "Agent: …" and "Caller: …", line by line, as platforms export them."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from postcall.judge.verdicts import Role, Turn
from postcall.sources.ended_call import MAX_TURN_CHARS, MAX_TURNS

MAX_LENGTH: Final = 200_000
HOW: Final = "Begin each line with who speaks, “Agent:” or “Caller:”"

_ROLES: Final[dict[Role, tuple[str, ...]]] = {
    "agent": ("agent", "assistant", "bot", "ai", "rep", "representative", "voice agent", "receptionist", "agente"),
    "customer": ("caller", "customer", "user", "human", "client", "patient", "guest", "lead", "cliente"),
    "tool": ("tool", "function", "tool_calls", "tool_call_result"),
    "system": ("system",),
}
_ROLE_OF: Final[dict[str, Role]] = {word: role for role, words in _ROLES.items() for word in words}
_TIME: Final = r"[\[(]?\s*\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?\s*(?:[ap]\.?m\.?)?\s*[\])]?"
_LINE: Final = re.compile(
    rf"""
    ^\s* (?:[-*•>]\s+)? (?:{_TIME}\s*[-–—]?\s*)?           # a list's mark, a time
    [*_]* (?P<who>[^\W\d_][\w\ .'’-]{{0,30}}?) [*_]*       # who, perhaps in bold
    \s* (?:{_TIME})? \s* [:：] [*_]* \s* (?P<text>.*) $
    """,
    re.IGNORECASE | re.VERBOSE,
)
# A turn's own words may hold a colon: only a capitalised name of up to three words is taken for a speaker.
_NAME: Final = re.compile(r"[^\W\d_a-zà-ÿ][\w.'’-]*(?: [\w.'’-]+){0,2}")


class NotATranscript(ValueError):
    """The text is one sentence that says what is wrong and how it should be."""


def read_pasted(text: str) -> tuple[Turn, ...]:
    """The turns of a pasted transcript: lines with their speaker before a colon, times and marks of lists aside; a
    line without one goes on with the turn before. JSON as voice platforms write it is read too.

    Raises NotATranscript.
    """
    if not text.strip():
        raise NotATranscript(f"Paste a transcript. {HOW}.")
    if len(text) > MAX_LENGTH:
        raise NotATranscript(f"This is {len(text):,} characters long; {MAX_LENGTH:,} can be tried at once.")
    turns = _of_json(text) if text.lstrip()[0] in "[{" else None
    if turns is None:
        turns = _of_lines(text)
    if len(turns) > MAX_TURNS:
        raise NotATranscript(f"This is {len(turns):,} turns long; {MAX_TURNS:,} can be tried at once.")
    if not any(turn.text.strip() for turn in turns):
        raise NotATranscript(f"Nobody says anything in it. {HOW}, and go on with the words.")
    return tuple(Turn(turn.role, turn.text[:MAX_TURN_CHARS]) for turn in turns)


def _of_lines(text: str) -> list[Turn]:
    turns: list[Turn] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        found = _LINE.match(line)
        role = _ROLE_OF.get(_word(found["who"])) if found else None
        if found and role:
            turns.append(Turn(role, found["text"].strip()))
        elif found and _NAME.fullmatch(found["who"].strip()):
            raise NotATranscript(
                f"Line {number} begins with “{found['who'].strip()}:”, and that may be either side. {HOW}."
            )
        elif turns:
            turns[-1] = Turn(turns[-1].role, f"{turns[-1].text}\n{line.strip()}".strip())
        else:
            raise NotATranscript(f"Line {number} does not say who speaks. {HOW}.")
    return turns


def _word(who: str) -> str:
    return " ".join(who.lower().split())


def _of_json(text: str) -> list[Turn] | None:
    """None where it is no JSON after all: a line may begin with a bracket."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    rows = _rows(data)
    if rows is None:
        raise NotATranscript("This JSON holds no list of turns, each with “role” and “text”.")
    return [_turn(position, row) for position, row in enumerate(rows, 1)]


def _rows(data: Any) -> list[Any] | None:
    if isinstance(data, list):
        return data
    if isinstance(data, dict):
        return next((rows for key in ("transcript", "messages", "turns") if (rows := _rows(data.get(key)))), None)
    return None


def _turn(position: int, row: Any) -> Turn:
    values = row if isinstance(row, dict) else {}
    who = _first(values, "role", "speaker", "user")
    words = _first(values, "text", "content", "message")
    role = _ROLE_OF.get(_word(who)) if who is not None else None
    if role is None or words is None:
        raise NotATranscript(
            f"Turn {position} of this JSON lacks a known “role” (agent or customer) or its “text”."
        )
    return Turn(role, words)


def _first(values: dict[str, Any], *keys: str) -> str | None:
    return next((value for key in keys if isinstance(value := values.get(key), str)), None)
