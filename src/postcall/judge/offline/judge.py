"""Decides conditions with the built-in model: `met` or `not_met` only where it is sure, else `unclear`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from postcall.judge.guards import customer_spoke, instructing, is_english, is_voicemail
from postcall.judge.verdicts import Answer, Case, Condition, Evidence, Judgement, Turn, Verdict

if TYPE_CHECKING:
    from postcall.judge.offline.reader import Reader, Reading

MODEL = Path(__file__).parent / "model"
NAME = "offline-1"
QUOTES = 2
QUOTE_CHARACTERS = 240
# A turn is quoted when hiding it moves the logit by this much: less is how the weather moves it.
WORTH_QUOTING = 0.5
_ABSENCE = re.compile(
    r"\b(?:no|not|never|nothing|nobody|none|without|unless|fail\w*|un\w+able|could\s?n[o']t|\w+n['’]t|"
    r"voice ?mail|machine|answer\w*|reach\w*|pick\w*|hang\w*|hung|silen\w*|silence|missed|wrong|dropp?ed)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Calibration:
    """How a logit becomes a probability, and from where on the judge decides. Written by training/calibrate.py."""

    slope: float
    offset: float
    met_from: float
    not_met_up_to: float

    @classmethod
    def load(cls, path: Path) -> Calibration:
        return cls(**json.loads(path.read_text()))

    def probability(self, logit: float) -> float:
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, self.slope * logit + self.offset))))


class OfflineJudge:
    """A Judge. It reads English, decides conditions and reads no values: every ask is answered with None.

    The model is loaded with the first call that needs it. One instance serves any number of threads.
    """

    name = NAME
    listens = False

    def __init__(self, folder: Path = MODEL) -> None:
        self._folder = folder
        self._lock = Lock()
        self._loaded: Reader | None = None

    @cached_property
    def _calibration(self) -> Calibration:
        return Calibration.load(self._folder / "calibration.json")

    def _reader(self) -> Reader:
        with self._lock:
            if self._loaded is None:
                # Here and not above: onnxruntime takes a while and some 40 MB, and most processes never judge.
                from postcall.judge.offline.reader import Reader

                self._loaded = Reader(self._folder)
            return self._loaded

    def decide(self, case: Case) -> Judgement:
        verdicts = self._verdicts(case.turns, case.conditions) if case.conditions else {}
        return Judgement(verdicts, {ask.id: Answer(None) for ask in case.asks})

    def _verdicts(self, turns: Sequence[Turn], conditions: Sequence[Condition]) -> dict[str, Verdict]:
        if not customer_spoke(turns):
            return {c.id: _without_a_customer(c.text, "The customer said nothing.") for c in conditions}
        if is_voicemail(turns):
            return {
                c.id: _without_a_customer(c.text, "A voicemail greeting answered, no person.") for c in conditions
            }
        if not is_english(turns):
            return {
                c.id: _unclear("The call is not in English, the one language this judge reads.") for c in conditions
            }
        return self._read(turns, conditions)

    def _read(self, turns: Sequence[Turn], conditions: Sequence[Condition]) -> dict[str, Verdict]:
        from postcall.judge.offline.reader import TooLong

        orders = instructing(turns)
        passed_over = frozenset(order.turn for order in orders)
        try:
            readings = self._reader().read(turns, passed_over, [condition.text for condition in conditions])
        except TooLong:
            return {c.id: _unclear("The call is too long for this judge.") for c in conditions}
        return {
            condition.id: self._verdict(turns, condition, reading, orders)
            for condition, reading in zip(conditions, readings, strict=True)
        }

    def _verdict(
        self, turns: Sequence[Turn], condition: Condition, reading: Reading, orders: Sequence[Evidence]
    ) -> Verdict:
        if not condition.text.strip():
            return _unclear("The condition is empty.")
        probability = self._calibration.probability(reading.logit)
        likelier: Literal["met", "not_met"] = "met" if probability >= 0.5 else "not_met"
        sure = probability >= self._calibration.met_from or probability <= self._calibration.not_met_up_to
        if likelier == "met" and orders:
            reason = "The caller's words are worded like an instruction to the system, so a person should look."
            return _unclear(reason, probability, (orders[0],))
        evidence = self._evidence(turns, condition, reading, 1 if likelier == "met" else -1)
        if sure and (evidence or likelier == "not_met"):
            confidence = probability if likelier == "met" else 1 - probability
            return Verdict(likelier, confidence, _reason(likelier, evidence), evidence, probability, None, NAME)
        leaning = f"It leans to {likelier.replace('_', ' ')}, but not surely enough to decide."
        return _unclear(leaning, probability, evidence)

    def _evidence(
        self, turns: Sequence[Turn], condition: Condition, reading: Reading, sign: int
    ) -> tuple[Evidence, ...]:
        """The turns that speak most for the answer, in the order of the call."""
        weights = [w for w in self._reader().weigh(reading, condition.text) if sign * w.moved >= WORTH_QUOTING]
        heaviest = sorted(weights, key=lambda weight: -sign * weight.moved)[:QUOTES]
        quotes = {
            (w.piece.turn, w.piece.start): _quote(turns[w.piece.turn - 1].text, w.piece.start, w.piece.end)
            for w in heaviest
        }
        return tuple(Evidence(turn, quote) for (turn, _), quote in sorted(quotes.items()) if quote)


def _quote(text: str, start: int, end: int) -> str:
    quote = text[start:end] if end - start < len(text.strip()) - 3 else text
    quote = quote.strip()
    if len(quote) <= QUOTE_CHARACTERS:
        return quote
    return quote[:QUOTE_CHARACTERS].rsplit(" ", 1)[0]


def _reason(result: Literal["met", "not_met"], evidence: tuple[Evidence, ...]) -> str:
    if not evidence:
        return "Nothing in the call shows it."
    numbers = sorted({quote.turn for quote in evidence})
    where = ("turn " if len(numbers) == 1 else "turns ") + " and ".join(map(str, numbers))
    if result == "met":
        return f"The call shows it, most of all in {where}."
    return f"The call does not show it; most against it: {where}."


def _without_a_customer(condition: str, reason: str) -> Verdict:
    """Nothing that takes a customer's words happened. A condition of absence ("nobody answered") may be met."""
    if _ABSENCE.search(condition):
        return _unclear(reason)
    return Verdict("not_met", 0.97, reason, (), 0.03, None, NAME)


def _unclear(reason: str, probability: float | None = None, evidence: tuple[Evidence, ...] = ()) -> Verdict:
    """Its confidence is that of being undecided: 1 where both answers are as likely, 0 where one is certain."""
    known = 0.5 if probability is None else probability
    likelier: Literal["met", "not_met"] = "met" if known > 0.5 else "not_met"
    return Verdict("unclear", 1 - abs(2 * known - 1), reason, evidence, probability, likelier, NAME)
