"""Reading what platforms document one way and send another: whatever a value is, a usable one or nothing.

A call that came in must not be refused for one odd field, so nothing here raises.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.utils.dateparse import parse_datetime

from postcall.shapes import storable
from postcall.sources.ended_call import MAX_TURN_CHARS, MAX_TURNS, Role, Turn
from postcall.sources.reading import is_too_deep

MAX_ID: Final = 255
MAX_NUMBER: Final = 64
# Past this, a number of seconds since 1970 is one of milliseconds: the year 5138.
MILLISECONDS_FROM: Final = 1e11


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object, also one that was written as a string of JSON; else an empty one."""
    if isinstance(value, str):
        value = unwrapped(value)
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """A JSON list, also one that was written as a string of JSON; else an empty one."""
    if isinstance(value, str):
        value = unwrapped(value)
    return value if isinstance(value, list) else []


def unwrapped(value: Any) -> Any:
    """What a string of JSON holds; anything else as it is."""
    if not isinstance(value, str) or value.strip()[:1] not in ("{", "["):
        return value
    try:
        held = json.loads(value, parse_constant=_nothing, parse_float=number)
    except (ValueError, RecursionError):
        return value
    return value if is_too_deep(held) else held


def _nothing(_: str) -> None:
    return None


def at(value: Any, path: str) -> Any:
    """What stands under a dotted path of JSON objects; None where there is nothing."""
    for step in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def text(value: Any, most: int | None = None) -> str | None:
    """A string that says something, or a number as it is written; cut to `most` characters. Else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        return None
    return value.strip()[:most]


def word(value: Any) -> str:
    """A documented word, however it was spelt: `No-Answer` as `no_answer`."""
    return re.sub(r"[\s-]+", "_", (text(value) or "").lower())


def identifier(value: Any) -> str | None:
    """An id; None for one that is longer than any is, since a cut one would be another's."""
    found = text(value)
    return storable(found) if found and len(found) <= MAX_ID else None


def number(value: Any) -> float | None:
    """A finite number, also one that was written as a string."""
    if isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def moment(value: Any) -> datetime | None:
    """A time: RFC 3339 (UTC where it names no zone), or seconds or milliseconds since 1970, in a string too."""
    if isinstance(value, str) and not re.fullmatch(r"\s*\d+(\.\d*)?\s*", value):
        return _written(value.strip())
    found = number(value)
    if found is None or found <= 0:
        return None
    try:
        return datetime.fromtimestamp(found / 1000 if found >= MILLISECONDS_FROM else found, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _written(value: str) -> datetime | None:
    try:
        found = parse_datetime(value)
        if found is None:
            return None
        # In UTC, since at either end of the calendar a time may be one that has none there, and cannot be stored.
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def earlier(end: datetime | None, by_seconds: Any) -> datetime | None:
    """The moment so many seconds before `end`, where both are known."""
    length = number(by_seconds)
    if end is None or length is None or length < 0:
        return None
    try:
        return end - timedelta(seconds=length)
    except OverflowError:
        return None


def later(start: datetime | None, by_seconds: Any) -> datetime | None:
    """The moment so many seconds after `start`, where both are known."""
    length = number(by_seconds)
    if start is None or length is None or length < 0:
        return None
    try:
        return start + timedelta(seconds=length)
    except OverflowError:
        return None


def since(start: datetime | None, then: Any) -> float | None:
    """Seconds from `start` to a `moment`, where both are known and it is not before."""
    found = moment(then)
    if start is None or found is None or found < start:
        return None
    return round((found - start).total_seconds(), 3)


def turn(role: Role, said: Any, at_s: Any = None, tool: Any = None) -> Turn | None:
    """One turn; None when it says nothing. `said` that is no text is written as JSON."""
    if said is None or said == "":
        return None
    words = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    if not words.strip():
        return None
    when = number(at_s)
    return Turn(
        role=role,
        text=words[:MAX_TURN_CHARS],
        at=when if when is not None and when >= 0 else None,
        tool=text(tool, MAX_ID),
    )


def called(name: Any, arguments: Any, at_s: Any = None) -> Turn | None:
    """The turn in which a tool was called: its arguments, as JSON."""
    return turn("tool", f"{text(name) or 'tool'} called with {_json(arguments)}", at_s, name)


def answered(name: Any, result: Any, at_s: Any = None) -> Turn | None:
    """The turn in which a tool answered: its result, as JSON."""
    return turn("tool", f"{text(name) or 'tool'} answered {_json(result)}", at_s, name)


def _json(value: Any) -> str:
    value = unwrapped(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def turns(found: Iterable[Turn | None]) -> list[Turn]:
    """Those that say something. Of a longer call the last MAX_TURNS: an appointment is made at its end."""
    return [each for each in found if each is not None][-MAX_TURNS:]


def lines(transcript: Any, roles: Mapping[str, Role]) -> list[Turn]:
    """The turns of a transcript that is one text, a line a turn: `bot: Hello`. `roles` by the words before the
    colon, in lower case. A line that begins with none of them goes on with the turn before it."""
    if not isinstance(transcript, str) or not transcript.strip():
        return []
    speaker = re.compile(rf"\s*({'|'.join(map(re.escape, roles))})\s*:\s?(.*)", re.IGNORECASE | re.DOTALL)
    found: list[tuple[Role, list[str]]] = []
    for line in transcript.splitlines():
        if begins := speaker.fullmatch(line):
            found.append((roles[begins[1].lower()], [begins[2]]))
        elif found:
            found[-1][1].append(line)
        elif line.strip():
            found.append(("system", [line]))
    return turns(turn(role, "\n".join(said).strip()) for role, said in found)


def kept(**hints: Any) -> dict[str, Any]:
    """Those hints, or other values by name, that say something."""
    return {name: value for name, value in hints.items() if value not in (None, "", {}, [])}
