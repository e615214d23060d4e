"""Whether a verdict's quotes stand in the transcript. Every judge's answer passes here before it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from postcall.judge import guards
from postcall.judge.verdicts import Condition, Evidence, Judgement, Result, Turn, Verdict

# A quote this long that stands in one turn only is that turn's, whatever number the judge gave.
_TELLING: Final = 12


def checked(judgement: Judgement, turns: Sequence[Turn], conditions: Sequence[Condition]) -> Judgement:
    """The judgement with every quote verified: verbatim, white space aside.

    A verdict becomes `unclear` when one of its quotes stands nowhere, when it is `met` without any quote, when all
    that it rests on is a caller who talks to the judge, or the caller's own word for what only the business can do.
    A condition that was not answered is `unclear`.
    An objection without its quote, or not by the customer, is none; answers keep only turns that exist.
    """
    orders = guards.instructing(turns) if any(v.result == "met" for v in judgement.verdicts.values()) else []
    verdicts = {
        condition.id: _checked(judgement.verdicts[condition.id], turns, condition.text, orders)
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


def _checked(verdict: Verdict, turns: Sequence[Turn], condition: str, orders: Sequence[Evidence]) -> Verdict:
    evidence = [found(quoted, turns) for quoted in verdict.evidence]
    standing = tuple(quoted for quoted in evidence if quoted)
    if len(standing) < len(evidence):
        return _unclear(verdict, standing, "The judge quoted words that nobody said in this call.")
    if doubt := doubt_about(verdict.result, standing, turns, condition, orders):
        return _unclear(verdict, standing, doubt)
    return replace(verdict, evidence=standing)


def doubt_about(
    result: Result, standing: Sequence[Evidence], turns: Sequence[Turn], condition: str, orders: Sequence[Evidence]
) -> str | None:
    """Why quotes that do stand in the call do not bear `result` out; `orders` is `guards.instructing(turns)`."""
    if result != "met":
        return None
    if not standing:
        return "The judge named no words of the call for it."
    return _doubt(standing, turns, condition, orders)


def _doubt(
    standing: Sequence[Evidence], turns: Sequence[Turn], condition: str, orders: Sequence[Evidence]
) -> str | None:
    """Why quotes that do stand in the call prove nothing."""
    carrying = [quoted for quoted in standing if not guards.carries_nothing(quoted, turns, orders)]
    if not carrying:
        return "All that speaks for it is a caller who gives orders to a machine."
    if _is_claimed(turns, condition) and all(guards.are_the_customers(quoted, turns) for quoted in carrying):
        return "Only the customer says so, and it is nothing that a customer can do alone."
    return None


def _is_claimed(turns: Sequence[Turn], condition: str) -> bool:
    """Whether a customer's word cannot show it; where nobody else's words were kept, nothing else can."""
    return guards.takes_the_business(condition) and any(turn.role != "customer" for turn in turns)


def _unclear(verdict: Verdict, standing: tuple[Evidence, ...], why: str) -> Verdict:
    likelier = verdict.result if verdict.result != "unclear" else verdict.likelier
    return replace(
        verdict,
        result="unclear",
        evidence=standing,
        reason=f"{why} Its own reason: {verdict.reason}",
        likelier=likelier,
    )


def found(quoted: Evidence, turns: Sequence[Turn]) -> Evidence | None:
    """The quote as it stands in the transcript, white space aside; None where it does not.

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
    """`quote`, its white space made plain, where it stands in `text` and says something."""
    quote, text = " ".join(quote.split()), " ".join(text.split())
    if not any(letter.isalnum() for letter in quote):
        return None
    at = text.find(quote)
    while at >= 0 and _cuts(text, at, at + len(quote)):
        at = text.find(quote, at + 1)
    return quote if at >= 0 else None


def _cuts(text: str, start: int, end: int) -> bool:
    """Whether words are quoted that mean something else whole: "able to" of "unable to", "15" of "150"."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return (_is_letter(before) and _is_letter(text[start])) or (
        (before.isdigit() and text[start].isdigit()) or (text[end - 1].isdigit() and after.isdigit())
    )


def _is_letter(character: str) -> bool:
    # Scripts without capitals may write words without spaces between them.
    return character.lower() != character.upper()
