"""Calls whose answer somebody knows: made by saying that a verdict was right or wrong, and what they show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from django.db import transaction

from postcall.actions.models import Action
from postcall.calls.models import Call
from postcall.followups import review
from postcall.followups.models import FollowUp
from postcall.judge.verdicts import Turn
from postcall.testbench.models import ActionCase, BenchItem, BenchRun
from postcall.testbench.runs import NotPossible, Words, readable
from postcall.work import clock
from postcall.workspaces.audit import Actor

Expected = Literal["met", "not_met"]
Mark = Literal["pass", "fail", "unclear", "unknown"]

EXPECTED: Final[dict[str, Expected]] = {"met": "met", "not_met": "not_met"}
# Of one action.
MOST: Final = 500
_OTHER: Final[dict[str, Expected]] = {"met": "not_met", "not_met": "met"}


def truth_of(result: str, right: bool) -> Expected | None:
    """What was so, where a verdict of `result` was right or wrong; None: of `unclear` that says nothing."""
    if result not in _OTHER:
        return None
    return _OTHER[result] if not right else _OTHER[_OTHER[result]]


class Contradiction(Exception):
    """The text is a sentence for whoever said both."""


@transaction.atomic
def give_feedback(
    follow_up: FollowUp, by: Actor, *, right: bool | None = None, expected: Expected | None = None
) -> ActionCase | None:
    """Notes whether a follow-up's verdict was right, and makes its call a case of the action. `expected` says what
    was so; without it that follows from `right`, except where the verdict is unclear: then it is noted and no case
    is made (None). Saying it again overwrites it.

    Raises Contradiction where the two say otherwise of the verdict, review.NotPossible where nothing was judged,
    and NotPossible where the action has MOST cases or the call is forgotten.
    """
    result = FollowUp.objects.select_for_update(of=("self",)).get(pk=follow_up.pk).result
    follows = None if right is None else truth_of(result, right)
    if expected and follows and expected != follows:
        raise Contradiction(f"the verdict is {result}: that it was {'right' if right else 'wrong'} says {follows}")
    expected = expected or follows
    row = review.give_feedback(follow_up, expected == result if right is None else right)
    if expected is None:
        return None
    return note(
        row.action,
        by,
        expected,
        call=row.call,
        said=Said(row.revision_id, row.result, row.judged_by),
    )


@dataclass(frozen=True)
class Said:
    """What was judged when a case is made: by which revision's words, with what result, by whom."""

    revision_id: UUID | None = None
    result: str = ""
    judge: str = ""


@transaction.atomic
def note(
    action: Action,
    by: Actor,
    expected: Expected,
    *,
    call: Call | None = None,
    turns: Sequence[Turn] = (),
    said: Said | None = None,
    about: str = "",
) -> ActionCase:
    """Makes a call, or pasted words, a case of the action; a call that is one already gets the new answer, and
    keeps its note unless there is another. `said` None: what the action's follow-up about the call says.

    Raises NotPossible.
    """
    Action.objects.select_for_update().get(pk=action.pk)
    row = ActionCase.objects.filter(action=action, call=call).first() if call is not None else None
    if call is not None and call.forgotten_at is not None:
        raise NotPossible("forgotten", "What was said in this call is forgotten, so it cannot be a case.")
    if row is None:
        if ActionCase.objects.filter(action=action).count() >= MOST:
            raise NotPossible("too_many", f"{MOST} cases are enough for one action: remove some first.")
        row = ActionCase(workspace_id=action.workspace_id, action=action, call=call, created_at=clock.now())
        row.turns = [{"role": turn.role, "text": turn.text} for turn in turns]
    if said is None:
        said = _said_of(action, call) if call is not None else Said()
    row.expected, row.said_by, row.note = expected, by.name[:254], about[:300] or row.note
    row.revision_id, row.result, row.judge = said.revision_id, said.result, said.judge[:200]
    row.save()
    return row


def _said_of(action: Action, call: Call) -> Said:
    judged = FollowUp.objects.filter(action=action, call=call).exclude(result="").order_by("-pk").first()
    return Said(judged.revision_id, judged.result, judged.judged_by) if judged else Said()


@transaction.atomic
def answer(case: ActionCase, expected: Expected, by: Actor, about: str | None = None) -> ActionCase:
    """Says anew what was so, and what is to be said about it (None: as it is)."""
    row = ActionCase.objects.select_for_update().get(pk=case.pk)
    row.expected, row.said_by = expected, by.name[:254]
    row.note = row.note if about is None else about[:300]
    row.save(update_fields=["expected", "said_by", "note", "updated_at"])
    return row


def of_follow_ups(follow_ups: Iterable[FollowUp]) -> dict[UUID, ActionCase]:
    """By follow-up, the case that its call is of its action. One query."""
    by_place = {(each.action_id, each.call_id): each.pk for each in follow_ups}
    rows = ActionCase.objects.filter(
        action__in={action for action, _ in by_place}, call__in={call for _, call in by_place}
    )
    return {by_place[key]: row for row in rows if (key := (row.action_id, row.call_id)) in by_place}


def mark_of(result: str, expected: str) -> Mark:
    if not result:
        return "unknown"
    if result == "unclear":
        return "unclear"
    return "pass" if result == expected else "fail"


@dataclass(frozen=True)
class Standing:
    """A case beside what the judge says of it by some words. `result` empty: it was not asked yet. `item` is where
    its reason stands, if it was a run."""

    case: ActionCase
    result: str
    item: BenchItem | None

    @property
    def mark(self) -> Mark:
        return mark_of(self.result, self.case.expected)


@dataclass(frozen=True)
class Score:
    """What a condition is worth by its cases. An unclear verdict sends nothing: it costs recall, not precision."""

    cases: int
    passed: int
    failed: int
    unclear: int
    unknown: int
    true_met: int
    said_met: int
    really_met: int

    @property
    def precision(self) -> float | None:
        """Of what the judge called met, the share that was; None: it called nothing met."""
        return self.true_met / self.said_met if self.said_met else None

    @property
    def recall(self) -> float | None:
        """Of what was met, the share that the judge found; None: nothing was."""
        return self.true_met / self.really_met if self.really_met else None


def standings(action: Action, condition: str) -> list[Standing]:
    """Every case of the action that can still be read, with the latest that was judged of it by exactly this
    condition. Two queries."""
    cases = readable(ActionCase.objects.filter(action=action).select_related("revision"))
    latest = {item.case_id: item for item in _latest(action, condition)}
    return [_standing(case, latest.get(case.pk), condition) for case in cases]


def _latest(action: Action, condition: str) -> Iterable[BenchItem]:
    """Of each case, what was judged last."""
    return (
        BenchItem.objects.filter(
            run__action=action,
            run__kind=BenchRun.Kind.CASES,
            run__condition=condition.strip(),
            judged_at__isnull=False,
            case__isnull=False,
        )
        .exclude(result="")
        .order_by("case_id", "-judged_at")
        .distinct("case_id")
    )


def _standing(case: ActionCase, item: BenchItem | None, condition: str) -> Standing:
    if item is not None:
        return Standing(case, item.result, item)
    same_words = case.revision is not None and case.revision.condition.strip() == condition.strip()
    return Standing(case, case.result if same_words else "", None)


def score(standing: Sequence[Standing]) -> Score:
    return _scored([(each.result, each.case.expected) for each in standing])


def score_of(run: BenchRun) -> Score:
    """What a run of cases found, by what was expected of them when it began. One query."""
    return _scored(list(run.items.values_list("result", "expected")))


def _scored(pairs: Sequence[tuple[str, str]]) -> Score:
    """Of (result, expected)."""
    decided = [(result, expected) for result, expected in pairs if result in EXPECTED]
    passed = sum(result == expected for result, expected in decided)
    return Score(
        cases=len(pairs),
        passed=passed,
        failed=len(decided) - passed,
        unclear=sum(result == "unclear" for result, _ in pairs),
        unknown=sum(not result for result, _ in pairs),
        true_met=sum(result == expected == "met" for result, expected in decided),
        said_met=sum(result == "met" for result, _ in decided),
        really_met=sum(expected == "met" and bool(result) for result, expected in pairs),
    )


def run_of(action: Action, words: Words) -> BenchRun | None:
    """The newest run of exactly this condition that covers all cases as they are now; None: there is none yet."""
    runs = BenchRun.objects.filter(
        action=action, kind=BenchRun.Kind.CASES, condition=words.condition.strip()
    ).exclude(state__in=[BenchRun.State.CANCELED, BenchRun.State.FAILED])
    newest = runs.order_by("-pk").first()
    if newest is None:
        return None
    there = {case.pk: case.expected for case in readable(ActionCase.objects.filter(action=action))}
    covered = dict(newest.items.values_list("case_id", "expected"))
    return newest if all(covered.get(pk) == expected for pk, expected in there.items()) else None
