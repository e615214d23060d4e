"""Runs the model over a call: a logit for every condition, and the turns that moved it.

Importing this module loads onnxruntime; only a process that judges should.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]  # ships no types
from tokenizers import Tokenizer

from postcall.judge.offline.encoding import (
    TRANSCRIPT,
    WINDOW_TOKENS,
    Piece,
    condition_tokens,
    ending,
    lay_out,
    pieces,
    visible,
    windows,
)
from postcall.judge.verdicts import Turn

# Conditions a pass: each adds some 3 ms to a pass of 37 ms, and memory grows with the square of the sequence.
CONDITIONS_A_PASS = 10
HIDDEN_A_PASS = 20
# 50 to 60 thousand words: eight hours of talk, six seconds of reading on one core.
MOST_WINDOWS = 200
UNSEEN = np.float32(-10_000)


class TooLong(Exception):
    """The call has more than MOST_WINDOWS windows."""


@dataclass(frozen=True)
class Reading:
    """One condition's logit, and the window that it was read in."""

    logit: float
    window: list[Piece]


@dataclass(frozen=True)
class Weight:
    """By how much a piece moves the logit: what the logit loses when the condition cannot see it."""

    piece: Piece
    moved: float


class Reader:
    """Safe to share between threads: a run keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # The arena keeps what the longest call ever needed; without it memory goes back after each pass.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(
            str(folder / "judge.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def read(self, turns: Sequence[Turn], passed_over: frozenset[int], conditions: Sequence[str]) -> list[Reading]:
        """One reading a condition. Turns whose numbers are in `passed_over` are not read."""
        cut = [piece for piece in pieces(self._tokenizer, turns) if piece.turn not in passed_over]
        runs = windows(cut)
        if len(runs) > MOST_WINDOWS:
            raise TooLong
        tokens = [condition_tokens(self._tokenizer, condition) for condition in conditions]
        logits = np.stack([self._logits(run, tokens) for run in runs or [[]]])
        if len(runs) <= 1:
            return [Reading(float(logit), runs[0] if runs else []) for logit in logits[0]]
        return [self._over_windows(runs, logits[:, at], tokens[at]) for at in range(len(tokens))]

    def _over_windows(
        self, runs: list[list[Piece]], logits: npt.NDArray[np.float32], condition: list[int]
    ) -> Reading:
        """What speaks most for the condition, read once more together with how the call ended, and the lower of the
        two: what was agreed early may have been taken back at the end."""
        best = int(np.argmax(logits))
        digest = runs[best]
        if best != len(runs) - 1:
            end = ending(runs[-1], WINDOW_TOKENS // 3)
            digest = [*_around(self.weights(runs[best], condition), WINDOW_TOKENS - _size(end)), *end]
        together = float(self._logits(digest, [condition])[0])
        return Reading(min(float(logits[best]), together), digest)

    def weigh(self, reading: Reading, condition: str) -> list[Weight]:
        return self.weights(reading.window, condition_tokens(self._tokenizer, condition))

    def weights(self, run: list[Piece], condition: list[int]) -> list[Weight]:
        """The condition is packed once for each piece, that piece hidden from it, and once seeing all of them."""
        weighed: list[Weight] = []
        for start in range(0, len(run), HIDDEN_A_PASS):
            hidden = list(range(start, min(start + HIDDEN_A_PASS, len(run))))
            seeing, *without = self._run(run, [condition] * (len(hidden) + 1), [None, *hidden])
            weighed += [Weight(run[at], float(seeing - logit)) for at, logit in zip(hidden, without, strict=True)]
        return weighed

    def _logits(self, run: list[Piece], conditions: list[list[int]]) -> npt.NDArray[np.float32]:
        passes = [
            self._run(run, conditions[at : at + CONDITIONS_A_PASS])
            for at in range(0, len(conditions), CONDITIONS_A_PASS)
        ]
        return np.concatenate(passes)

    def _run(
        self, run: list[Piece], conditions: list[list[int]], hidden: Sequence[int | None] = ()
    ) -> npt.NDArray[np.float32]:
        """The conditions' logits; the n-th condition does not see the piece `hidden[n]`."""
        layout = lay_out([token for piece in run for token in piece.tokens], conditions)
        block = np.asarray(layout.block)
        seen = visible(block)
        ends = np.cumsum([len(piece.tokens) for piece in run])
        for number, at in enumerate(hidden, TRANSCRIPT + 1):
            if at is not None:
                seen[np.ix_(block == number, np.arange(ends[at] - len(run[at].tokens), ends[at]))] = False
        answers: npt.NDArray[np.float32] = self._session.run(
            ["logit"],
            {
                "ids": np.asarray([layout.ids]),
                "positions": np.asarray([layout.positions]),
                "types": np.asarray([layout.types]),
                "mask": np.where(seen, np.float32(0), UNSEEN)[None, None],
                "rows": np.zeros(len(layout.heads), np.int64),
                "heads": np.asarray(layout.heads),
            },
        )[0]
        return answers


def _size(run: Sequence[Piece]) -> int:
    return sum(len(piece.tokens) for piece in run)


def _around(weights: list[Weight], limit: int) -> list[Piece]:
    """The pieces before and after the one that weighs most, as many as `limit` tokens hold."""
    heaviest = max(range(len(weights)), key=lambda at: weights[at].moved)
    first = last = heaviest
    size = len(weights[heaviest].piece.tokens)
    for step in range(1, len(weights)):
        for at in (heaviest - step, heaviest + step):
            if (
                0 <= at < len(weights)
                and size + len(weights[at].piece.tokens) <= limit
                and at in (first - 1, last + 1)
            ):
                size += len(weights[at].piece.tokens)
                first, last = min(first, at), max(last, at)
    return [weight.piece for weight in weights[first : last + 1]]
