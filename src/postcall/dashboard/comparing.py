"""Two versions of a text, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

# A placeholder, a word or one mark, each with the white space after it: blanks that happen to stand in both would
# tear a sentence that is new into words.
_TOKENS: Final = re.compile(r"(?:<\w+>|\w+|[^\w\s])\s*|\s+")


@dataclass(frozen=True)
class Run:
    """Words that are the same in both, or stand in one of them only."""

    text: str
    kind: Literal["same", "gone", "new"]


@dataclass(frozen=True)
class Compared:
    runs: tuple[Run, ...]


def compared(old: str, new: str) -> Compared:
    """`old` and `new` as one text, in which what is gone stands before what came in its place."""
    return Compared(tuple(_runs(_TOKENS.findall(old), _TOKENS.findall(new))))


def _runs(old: list[str], new: list[str]) -> Iterator[Run]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for kind, from_old, to_old, from_new, to_new in matcher.get_opcodes():
        if kind == "equal":
            yield Run("".join(old[from_old:to_old]), "same")
            continue
        if gone := "".join(old[from_old:to_old]):
            yield Run(gone, "gone")
        if came := "".join(new[from_new:to_new]):
            yield Run(came, "new")
