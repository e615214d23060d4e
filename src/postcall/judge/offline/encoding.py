"""Turns a call and its conditions into the numbers the model reads. Training and judging share this module.

All conditions of a call are packed against one reading of the transcript: transcript tokens see the
transcript, each condition sees the transcript and itself, never another condition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from postcall.judge.verdicts import Role, Turn

CLS, SEP = 101, 102
# Entries of the vocabulary that the base model never used.
ROLE_MARKER: dict[Role, int] = {"agent": 1, "customer": 2, "tool": 3, "system": 3}
CONDITION_TOKENS = 40
WINDOW_TOKENS = 440
PIECE_TOKENS = 100

TRANSCRIPT = 0

_OPENING = re.compile(
    r"^(?:please\s+)?(?:send\s+(?:it\s+|this\s+|a\s+text\s+)?)?(?:only\s+|right\s+)?"
    r"(?:when(?:ever)?|if|after|once|as\s+soon\s+as|in\s+case)\b\s*(?:that\s+)?",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"^(?:they|he|she|he or she|someone|somebody|(?:a|the)\s+person on the phone)\b", re.IGNORECASE
)
_CUSTOMER = re.compile(
    r"\b(?:the\s+|a\s+)?(?:customer|user|client|patient|guest|caller|prospect|lead|person on the phone)\b",
    re.IGNORECASE,
)
_AGENT = re.compile(
    r"\b(?:the\s+|our\s+|an?\s+)?(?:assistant|agent|bot|receptionist|representative)\b", re.IGNORECASE
)


def condition_words(text: str) -> str:
    """The condition without its conjunction, the two people of the call under one name each."""
    words = " ".join(text.split()).rstrip(" .!")
    words = _OPENING.sub("", words, count=1)
    words = _SUBJECT.sub("caller", words, count=1)
    words = _CUSTOMER.sub("caller", words)
    return _AGENT.sub("agent", words)


@dataclass(frozen=True)
class Piece:
    """A turn, or a part of a very long one, as tokens. `turn` counts from 1; `start` and `end` are where the part
    stands in the turn's text."""

    turn: int
    tokens: list[int]
    start: int
    end: int


@dataclass(frozen=True)
class Layout:
    """One packed sequence. `block` is TRANSCRIPT or the condition's number from 1; `heads` is where each condition
    answers."""

    ids: list[int]
    positions: list[int]
    types: list[int]
    block: list[int]
    heads: list[int]


def whole(text: str) -> str:
    """The tokenizer takes no lone surrogates; a question mark stands in, so that places stay the same."""
    return text.encode("utf-8", "replace").decode()


def condition_tokens(tokenizer: Tokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(whole(condition_words(text)), add_special_tokens=False).ids
    return ids[: CONDITION_TOKENS - 2]


def pieces(tokenizer: Tokenizer, turns: Sequence[Turn]) -> list[Piece]:
    cut: list[Piece] = []
    for number, turn in enumerate(turns, 1):
        read = tokenizer.encode(whole(turn.text), add_special_tokens=False)
        marker = ROLE_MARKER[turn.role]
        for at in range(0, len(read.ids), PIECE_TOKENS):
            ids, places = read.ids[at : at + PIECE_TOKENS], read.offsets[at : at + PIECE_TOKENS]
            cut.append(Piece(number, [marker, *ids], places[0][0], places[-1][1]))
    return cut


def windows(cut: Sequence[Piece]) -> list[list[Piece]]:
    """Runs of pieces that fit the model, each beginning with the last quarter of the one before: every turn is in
    one, and what belongs together is together in one."""
    runs: list[list[Piece]] = []
    run: list[Piece] = []
    size = 0
    for piece in cut:
        if size + len(piece.tokens) > WINDOW_TOKENS:
            runs.append(run)
            run = ending(run, WINDOW_TOKENS // 4)
            size = sum(len(kept.tokens) for kept in run)
        run.append(piece)
        size += len(piece.tokens)
    return [*runs, run] if run else runs


def ending(run: Sequence[Piece], limit: int) -> list[Piece]:
    """The last pieces of `run` that `limit` tokens hold."""
    size = 0
    for at in range(len(run) - 1, -1, -1):
        size += len(run[at].tokens)
        if size > limit:
            return list(run[at + 1 :])
    return list(run)


def lay_out(transcript: Sequence[int], conditions: Sequence[Sequence[int]]) -> Layout:
    ids = [*transcript, SEP]
    positions = list(range(CONDITION_TOKENS, CONDITION_TOKENS + len(ids)))
    types = [1] * len(ids)
    block = [TRANSCRIPT] * len(ids)
    heads = []
    for number, condition in enumerate(conditions, 1):
        tokens = [CLS, *condition, SEP]
        heads.append(len(ids))
        ids += tokens
        positions += range(len(tokens))
        types += [0] * len(tokens)
        block += [number] * len(tokens)
    return Layout(ids, positions, types, block, heads)


def visible(block: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Who may look at whom: [from, to]."""
    looker, looked_at = block[:, None], block[None, :]
    seen: npt.NDArray[np.bool_] = (looked_at == TRANSCRIPT) | (looked_at == looker)
    return seen
