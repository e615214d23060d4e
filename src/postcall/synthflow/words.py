"""An action's words as Synthflow has them, and as we do."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from postcall.actions.message import NAME

NAME_LENGTH: Final = 100
# What every Synthflow SMS action is called where nobody gave it a name.
_NAMELESS: Final = frozenset({"", "send_sms", "send sms", "sms", "untitled", "untitled action", "new action"})
_LONGEST: Final = 64
# Users write all three; in single braces prompts and webhooks have them, without spaces.
_PLACEHOLDER: Final = re.compile(
    r"<([^\W\d_](?:[\w .-]{0,62}[\w.-])?)>"
    r"|\{\{\s*([^\W\d_][\w .-]{0,63}?)\s*\}\}"
    r"|\{\s*([^\W\d_][\w.-]{0,63}?)\s*\}"
)


@dataclass(frozen=True)
class Words:
    """A message as we write it. `renamed`: by input, what it was called where it came from, if not the same;
    `rewritten`: by how a placeholder was written, how it is now."""

    message: str
    renamed: dict[str, str]
    rewritten: dict[str, str]

    @property
    def warnings(self) -> list[str]:
        return [
            f"{was} is written {now} here: it would have gone out as it stands"
            for was, now in self.rewritten.items()
        ]


def words_of(content: str) -> Words:
    """`{x}`, `{{x}}` and `<an x>` as `<x>` and `<an_x>`, since none may ever go out as it stands."""
    renamed: dict[str, str] = {}
    rewritten: dict[str, str] = {}

    def as_input(found: re.Match[str]) -> str:
        written = found[1] or found[2] or found[3]
        name = input_name(written)
        if not name:
            return found[0]
        if name != written:
            renamed[name] = written
        if found[0] != f"<{name}>":
            rewritten[found[0]] = f"<{name}>"
        return f"<{name}>"

    return Words(_PLACEHOLDER.sub(as_input, content), renamed, rewritten)


def input_name(written: str) -> str:
    """A variable's name as an input may have it; empty where nothing of it is left."""
    if re.fullmatch(NAME, written):
        return written
    plain = unicodedata.normalize("NFKD", written).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:_LONGEST]
    return name if re.fullmatch(NAME, name) else ""


def action_name(instructions: str, given: object = None) -> str:
    """What an action is called: its own name where it has one, else its condition, cut short between words."""
    name = " ".join(given.split()) if isinstance(given, str) else ""
    if name.lower() in _NAMELESS:
        name = " ".join(instructions.split())
    if len(name) <= NAME_LENGTH:
        return name or "Text after a call"
    cut = name[: NAME_LENGTH - 1]
    return (cut.rsplit(" ", 1)[0] or cut).rstrip(" ,;:.") + "…"
