"""The built-in judge first, and a language model for what it leaves open."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from postcall.config import CASCADE
from postcall.judge import quotes
from postcall.judge.verdicts import Answer, Ask, Case, Condition, JudgeFailed, Judgement

if TYPE_CHECKING:
    from postcall.judge.llm import LLMJudge
    from postcall.judge.verdicts import Judge


class CascadeJudge:
    """A Judge. What `first` decides stays; `model` is asked once for every condition that it left `unclear`, and
    for every value that is needed: those of a condition that was not met are not. Where nothing is left, nothing
    is asked. Each verdict names the judge that gave it.

    It does not listen: a call of which nothing is left never reaches the model, so an objection in words that the
    guard does not know may go unheard there. Where the model is asked it reports one as always.
    """

    listens = False

    def __init__(self, first: Judge, model: LLMJudge) -> None:
        self.name = f"{CASCADE}{model.name}"
        self._first = first
        self._model = model

    def decide(self, case: Case) -> Judgement:
        """Answers every condition and ask of `case`, or raises JudgeFailed, whose `decided` is what `first` was
        sure of."""
        # Checked before it is known what is left: a verdict whose quotes do not stand is open too.
        first = quotes.checked(self._first.decide(replace(case, asks=())), case.turns, case.conditions)
        conditions, asks = _left(case, first)
        if not conditions and not asks:
            return replace(first, answers=_unread(case))
        try:
            rest = self._model.decide(replace(case, conditions=conditions, asks=asks))
        except JudgeFailed as failure:
            stands = _standing(first, conditions, asks)
            raise JudgeFailed(
                str(failure), retry=failure.retry, decided=stands, after_s=failure.after_s
            ) from failure
        return replace(rest, verdicts=first.verdicts | rest.verdicts, answers=_unread(case) | rest.answers)

    def close(self) -> None:
        """Closes the connections to the model's vendor."""
        self._model.close()


def _left(case: Case, first: Judgement) -> tuple[list[Condition], list[Ask]]:
    """The conditions and values that the first judge leaves to the model."""
    conditions = [each for each in case.conditions if first.verdicts[each.id].result == "unclear"]
    asks = [ask for ask in case.asks if not _is_refused(ask, first)]
    return conditions, asks


def _is_refused(ask: Ask, first: Judgement) -> bool:
    verdict = first.verdicts.get(ask.condition_id)
    return verdict is not None and verdict.result == "not_met"


def _unread(case: Case) -> dict[str, Answer]:
    return {ask.id: Answer(None) for ask in case.asks}


def _standing(first: Judgement, conditions: list[Condition], asks: list[Ask]) -> Judgement:
    """What needs nothing of the model: neither its verdict nor a value."""
    waiting = {condition.id for condition in conditions} | {ask.condition_id for ask in asks}
    return Judgement({key: verdict for key, verdict in first.verdicts.items() if key not in waiting})
