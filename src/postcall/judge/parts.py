"""A long call in parts that lose nothing: every word of every turn stands in at least one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from postcall.judge.verdicts import Role, Turn

# Characters of one request's transcript, about 30,000 tokens of English.
PART_CHARACTERS: Final = 100_000
SMALLEST_PART: Final = 4_000
# Turns of the part before that every further part begins with, so that no exchange is cut in two.
OVERLAP: Final = 8
# Characters that a turn's pieces share, so that no sentence of it is.
PIECE_OVERLAP: Final = 400


@dataclass(frozen=True)
class Line:
    """A turn with its number, or one piece of a turn that is too long for a part."""

    number: int
    role: Role
    text: str
    piece: int = 1
    pieces: int = 1

    @property
    def size(self) -> int:
        return len(self.text) + 45  # its JSON around it


@dataclass(frozen=True)
class Part:
    """`first_new`: the first turn of which no earlier part showed all that this one does."""

    lines: tuple[Line, ...]
    first_new: int


def parts_of(turns: Sequence[Turn], context: int | None = None) -> tuple[Part, ...]:
    """At least one part, none longer than PART_CHARACTERS, or than what fits a model that reads `context` tokens at
    a time; each but the first begins with the last lines of the one before, OVERLAP of them as far as they fill no
    quarter of it."""
    characters = PART_CHARACTERS if context is None else _characters(context)
    parts: list[Part] = []
    lines: list[Line] = []
    first_new, size = 1, 0
    for line in _lines(turns, characters):
        if lines and size + line.size > characters:
            parts.append(Part(tuple(lines), first_new))
            lines, first_new = _tail(lines, characters), line.number
            size = sum(kept.size for kept in lines)
        lines.append(line)
        size += line.size
    return (*parts, Part(tuple(lines), first_new))


def _characters(context: int) -> int:
    # What else a request needs: instructions and schema 2,000 tokens, conditions and an earlier report 1,500, its
    # answer 1,500. Then as few characters a token as most languages have.
    return min(max(int((context - 5_000) * 2.5), SMALLEST_PART), PART_CHARACTERS)


def _lines(turns: Sequence[Turn], characters: int) -> Iterator[Line]:
    room = max(characters // 2, 2 * PIECE_OVERLAP)
    for number, turn in enumerate(turns, 1):
        step = room - PIECE_OVERLAP
        starts = range(0, max(len(turn.text) - PIECE_OVERLAP, 1), step) if len(turn.text) > room else range(1)
        for piece, start in enumerate(starts, 1):
            text = turn.text[start : start + room] if len(starts) > 1 else turn.text
            yield Line(number, turn.role, text, piece, len(starts))


def _tail(lines: list[Line], characters: int) -> list[Line]:
    tail: list[Line] = []
    for line in reversed(lines[len(lines) - OVERLAP :] if len(lines) > OVERLAP else lines):
        if sum(kept.size for kept in tail) + line.size > characters // 4:
            break
        tail.insert(0, line)
    return tail
