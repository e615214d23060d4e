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

EXPECTED: Final[dict[str, Expected]] = {"met": "met", "not_met": "not_met"}
# Of one action.
MOST: Final = 500
_OTHER: Final[dict[str, Expected]] = {"met": "not_met", "not_met": "met"}


def truth_of(result: str, right: bool) -> Expected | None:
    """What was so, where a verdict of `result` was right or wrong; None: of `unclear` that says nothing."""
    if result not in _OTHER:
        return None
    return _OTHER[result] if not right else _OTHER[_OTHER[result]]


@transaction.atomic
def give_feedback(
    follow_up: FollowUp, by: Actor, *, right: bool | None = None, expected: Expected | None = None
) -> ActionCase | None:
    """Notes whether a follow-up's verdict was right, and makes its call a case of the action. `expected` says what
    was so; without it that follows from `right`, except where the verdict is unclear: then it is noted and no case
    is made (None). Saying it again overwrites it.

    Raises review.NotPossible where nothing was judged, and NotPossible where the action has MOST cases.
    """
    if expected is None and right is not None:
        expected = truth_of(follow_up.result, right)
    if right is None:
        right = expected == follow_up.result
    row = review.give_feedback(follow_up, right)
    if expected is None:
        return None
    judge = (row.verdict or {}).get("judge", "")
    return note(
        row.action,
        by,
        expected,
        call=row.call,
        said=Said(row.revision_id, row.result, judge),
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
    said: Said = Said(),
    about: str = "",
) -> ActionCase:
    """Makes a call, or pasted words, a case of the action; a call that is one already gets the new answer.

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
    row.expected, row.said_by, row.note = expected, by.name[:254], about[:300]
    row.revision_id, row.result, row.judge = said.revision_id, said.result, said.judge[:200]
    row.save()
    return row


@transaction.atomic
def answer(case: ActionCase, expected: Expected, by: Actor) -> ActionCase:
    """Says anew what was so."""
    row = ActionCase.objects.select_for_update().get(pk=case.pk)
    row.expected, row.said_by = expected, by.name[:254]
    row.save(update_fields=["expected", "said_by", "updated_at"])
    return row


def of_follow_ups(follow_ups: Iterable[FollowUp]) -> dict[UUID, ActionCase]:
    """By follow-up, the case that its call is of its action. One query."""
    by_place = {(each.action_id, each.call_id): each.pk for each in follow_ups}
    rows = ActionCase.objects.filter(
        action__in={action for action, _ in by_place}, call__in={call for _, call in by_place}
    )
    return {by_place[key]: row for row in rows if (key := (row.action_id, row.call_id)) in by_place}


@dataclass(frozen=True)
class Standing:
    """A case beside what the judge says of it by some words. `result` empty: it was not asked yet. `item` is where
    its reason stands, if it was a run."""

    case: ActionCase
    result: str
    item: BenchItem | None

    @property
    def mark(self) -> Literal["pass", "fail", "unclear", "unknown"]:
        if not self.result:
            return "unknown"
        if self.result == "unclear":
            return "unclear"
        return "pass" if self.result == self.case.expected else "fail"


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
    latest = {item.case_id: item for item in _judged(action, condition)}
    return [_standing(case, latest.get(case.pk), condition) for case in cases]


def _judged(action: Action, condition: str) -> Iterable[BenchItem]:
    """The oldest first, so that of one case the newest is what stays in a dictionary."""
    return (
        BenchItem.objects.filter(
            run__action=action,
            run__kind=BenchRun.Kind.CASES,
            run__condition=condition.strip(),
            judged_at__isnull=False,
            case__isnull=False,
        )
        .exclude(result="")
        .order_by("judged_at")
    )


def _standing(case: ActionCase, item: BenchItem | None, condition: str) -> Standing:
    if item is not None:
        return Standing(case, item.result, item)
    same_words = case.revision is not None and case.revision.condition.strip() == condition.strip()
    return Standing(case, case.result if same_words else "", None)


def score(standing: Sequence[Standing]) -> Score:
    def count(mark: str) -> int:
        return sum(each.mark == mark for each in standing)

    known = [each for each in standing if each.result]
    return Score(
        cases=len(standing),
        passed=count("pass"),
        failed=count("fail"),
        unclear=count("unclear"),
        unknown=count("unknown"),
        true_met=sum(each.result == each.case.expected == "met" for each in known),
        said_met=sum(each.result == "met" for each in known),
        really_met=sum(each.case.expected == "met" for each in known),
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
