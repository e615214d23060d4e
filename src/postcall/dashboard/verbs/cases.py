"""Saying what was so in a call, and putting words to the calls of which that is known."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from postcall.actions.models import Action
from postcall.calls.models import Call
from postcall.dashboard.access import Visit
from postcall.followups.models import FollowUp
from postcall.judge.verdicts import Turn
from postcall.testbench import cases, runs
from postcall.testbench.cases import Expected
from postcall.testbench.models import ActionCase, BenchRun
from postcall.testbench.runs import Words
from postcall.workspaces.audit import Actor, Thing


@transaction.atomic
def give_feedback(
    visit: Visit, follow_up: FollowUp, right: bool | None, expected: Expected | None
) -> ActionCase | None:
    """Whether a verdict was right, or what was so. Raises review.NotPossible, runs.NotPossible."""
    case = cases.give_feedback(follow_up, Actor.of_person(visit.person), right=right, expected=expected)
    after = visit.rows(FollowUp).values_list("feedback_right", flat=True).get(pk=follow_up.pk)
    visit.record(
        "feedback", Thing("follow_up", follow_up.pk), {"feedback_right": [follow_up.feedback_right, after]}
    )
    return case


@transaction.atomic
def keep(
    visit: Visit, action: Action, expected: Expected, *, call: Call | None, turns: Sequence[Turn], note: str = ""
) -> ActionCase:
    """Raises NotPossible."""
    case = cases.note(action, Actor.of_person(visit.person), expected, call=call, turns=turns, about=note)
    visit.record("create", _about(case), {"expected": [None, expected]})
    return case


@transaction.atomic
def answer(visit: Visit, case: ActionCase, expected: Expected) -> None:
    cases.answer(case, expected, Actor.of_person(visit.person))
    visit.record("update", _about(case), {"expected": [case.expected, expected]})


@transaction.atomic
def remove(visit: Visit, case: ActionCase) -> None:
    visit.record("delete", _about(case))
    case.delete()


@transaction.atomic
def run(visit: Visit, action: Action, words: Words) -> BenchRun:
    """Raises NotPossible."""
    begun = runs.begin_cases(action, words, Actor.of_person(visit.person))
    visit.record("run_cases", Thing("action", action.pk, action.name), {"cases": [None, begun.total]})
    return begun


def _about(case: ActionCase) -> Thing:
    return Thing("case", case.pk)
