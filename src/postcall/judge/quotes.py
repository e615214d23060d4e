"""Whether a verdict's quotes stand in the transcript. Every judge's answer passes here before it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from postcall.judge import guards
from postcall.judge.verdicts import Condition, Evidence, Judgement, Turn, Verdict

# A quote this long that stands in one turn only is that turn's, whatever number the judge gave.
_TELLING: Final = 12
_TYPOGRAPHY: Final = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\u00a0": " "})


def checked(judgement: Judgement, turns: Sequence[Turn], conditions: Sequence[Condition]) -> Judgement:
    """The judgement with every quote verified and given in the transcript's own words.

    A verdict becomes `unclear` when one of its quotes stands nowhere, when it is `met` without any quote, or when
    all that it rests on is a customer who talks to the judge. A condition that was not answered is `unclear`.
    An objection without its quote, or not by the customer, is none; answers keep only turns that exist.
    """
    verdicts = {
        condition.id: _checked(judgement.verdicts[condition.id], turns)
        if condition.id in judgement.verdicts
        else Verdict("unclear", 0.0, "The judge gave no answer about this condition.")
        for condition in conditions
    }
    answers = {
        key: answer if answer.turn and 1 <= answer.turn <= len(turns) else replace(answer, turn=None)
        for key, answer in judgement.answers.items()
    }
    objection = found(judgement.objection, turns) if judgement.objection else None
    if objection and turns[objection.turn - 1].role != "customer":
        objection = None
    return replace(judgement, verdicts=verdicts, answers=answers, objection=objection)


def _checked(verdict: Verdict, turns: Sequence[Turn]) -> Verdict:
    evidence = [found(quoted, turns) for quoted in verdict.evidence]
    standing = tuple(quoted for quoted in evidence if quoted)
    if len(standing) < len(evidence):
        return _unclear(verdict, standing, "The judge quoted words that nobody said in this call.")
    if verdict.result == "met" and not standing:
        return _unclear(verdict, standing, "The judge named no words of the call for it.")
    if verdict.result == "met" and all(_orders(quoted, turns) for quoted in standing):
        return _unclear(verdict, standing, "All that speaks for it is a caller who gives orders to a machine.")
    return replace(verdict, evidence=standing)


def _unclear(verdict: Verdict, standing: tuple[Evidence, ...], why: str) -> Verdict:
    likelier = verdict.result if verdict.result != "unclear" else verdict.likelier
    return replace(
        verdict,
        result="unclear",
        evidence=standing,
        reason=f"{why} Its own reason: {verdict.reason}",
        likelier=likelier,
    )


def _orders(quoted: Evidence, turns: Sequence[Turn]) -> bool:
    turn = turns[quoted.turn - 1]
    return turn.role == "customer" and guards.instructs_the_judge([Turn("customer", quoted.quote)]) is not None


def found(quoted: Evidence, turns: Sequence[Turn]) -> Evidence | None:
    """The quote as it stands in the transcript, white space and typographic marks aside; None where it does not.

    A number that is off by a few is put right where the quote leaves no doubt which turn is meant.
    """
    if 1 <= quoted.turn <= len(turns) and (words := _standing(quoted.quote, turns[quoted.turn - 1].text)):
        return Evidence(quoted.turn, words)
    if len(quoted.quote.strip()) < _TELLING:
        return None
    elsewhere = [
        Evidence(number, words)
        for number, turn in enumerate(turns, 1)
        if (words := _standing(quoted.quote, turn.text))
    ]
    return elsewhere[0] if len(elsewhere) == 1 else None


def _standing(quote: str, text: str) -> str | None:
    """The part of `text` that `quote` is, in the text's own spelling."""
    quote, text = " ".join(quote.split()), " ".join(text.split())
    if not any(letter.isalnum() for letter in quote):
        return None
    at = text.translate(_TYPOGRAPHY).find(quote.translate(_TYPOGRAPHY))
    return text[at : at + len(quote)] if at >= 0 else None
