"""Files of calls and conditions, an object a line: what is judged in bulk, and what judges are measured on."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast, get_args

from postcall.judge.verdicts import Case, Condition, Role, Turn
from postcall.sources.reading import NotJson, read_json

# What other programs call who speaks.
_ALIASES: Final = {
    "caller": "customer",
    "user": "customer",
    "human": "customer",
    "assistant": "agent",
    "bot": "agent",
}
_LABELS: Final[dict[Any, bool]] = {0: False, 1: True, "met": True, "not_met": False}
# The row's one condition in its case, for whoever asks and whoever reads the answer.
CONDITION: Final = "condition"
_STDIN: Final = Path("-")


class BadRow(Exception):
    """A file that cannot be read as it should be. The text names the file, the line, the field and the mend."""


@dataclass(frozen=True)
class Row:
    """One call and one condition.

    `id` is the row's own, else the number of its line, counted from 1. `label` is None where the row has none.
    `groups` holds the row's other fields of one short value each, by which it may be counted.
    """

    id: str | int
    where: str
    case: Case
    label: bool | None
    groups: dict[str, str] = field(default_factory=dict)


def lines_of(path: Path) -> Iterator[tuple[str, Any]]:
    """What stands on each line that is not blank, with where that is; `-` is standard input, gzip is unpacked.

    Raises BadRow for what is no JSON, OSError where there is no file.
    """
    content = sys.stdin.buffer.read() if path == _STDIN else path.read_bytes()
    name = "standard input" if path == _STDIN else str(path)
    for number, line in enumerate(_unpacked(content, name).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{name} line {number}"
        try:
            yield where, read_json(line)
        except NotJson as error:
            raise BadRow(f"{where}: {error}") from None


def _unpacked(content: bytes, name: str) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise BadRow(f"{name}: not readable as gzip: {error}") from None


def rows_of(path: Path) -> list[Row]:
    """The rows of a file, each id once. Raises BadRow and OSError."""
    rows: dict[str, Row] = {}
    for where, written in lines_of(path):
        row = _row(where, written)
        if (earlier := rows.setdefault(str(row.id), row)) is not row:
            raise BadRow(f"{where}: `id` {row.id} stands at {earlier.where} already; each row needs its own")
    return list(rows.values())


def _row(where: str, written: Any) -> Row:
    if not isinstance(written, dict):
        raise BadRow(f"{where}: an object with `condition` and `transcript` is needed")
    condition = written.get("condition")
    if not isinstance(condition, str) or not condition.strip():
        raise BadRow(f"{where}: `condition` is needed: what must have happened during the call")
    return Row(
        id=id_of(written, where),
        where=where,
        case=Case(turns_of(written, where), [Condition(CONDITION, condition)]),
        label=_label(written, where),
        groups=_groups(written),
    )


def id_of(written: dict[str, Any], where: str) -> str | int:
    """The row's id, else the number of its line."""
    given = written.get("id")
    if given is None:
        return int(where.rpartition(" ")[2])
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise BadRow(f"{where}: `id` has to be text or a whole number")
    return given


def turns_of(written: Any, where: str) -> list[Turn]:
    """The turns of a call, of a bare transcript or of a row; `caller`, `assistant` and the like are understood."""
    turns = written.get("transcript") if isinstance(written, dict) else written
    if not isinstance(turns, list):
        raise BadRow(f"{where}: `transcript` must be a list of turns such as {{“role”: “customer”, “text”: “…”}}")
    return [_turn(turn, f"{where}: turn {number}") for number, turn in enumerate(turns, 1)]


def _turn(turn: Any, where: str) -> Turn:
    role = str(turn.get("role")) if isinstance(turn, dict) else ""
    role = _ALIASES.get(role, role)
    text = turn.get("text") if isinstance(turn, dict) else None
    if role not in get_args(Role) or not isinstance(text, str):
        raise BadRow(f"{where} needs `role` (agent, customer, system or tool) and `text`")
    return Turn(cast(Role, role), text)


def _label(written: dict[str, Any], where: str) -> bool | None:
    given = written.get("label", written.get("expected"))
    if given is None:
        return None
    if not isinstance(given, str | int) or given not in _LABELS:
        raise BadRow(f"{where}: `label` has to be 1 or 0, or `met` or `not_met`")
    return _LABELS[given]


def _groups(written: dict[str, Any]) -> dict[str, str]:
    others = written.keys() - {"id", "condition", "transcript", "label", "expected"}
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name in others
        if isinstance(value := written[name], str | int | float) and len(str(value)) <= 60
    }
