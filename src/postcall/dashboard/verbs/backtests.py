"""Beginning, stopping and deleting backtests, and saying what was so in one of their calls."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from postcall.actions.models import Action
from postcall.dashboard.access import Visit
from postcall.testbench import cases, runs
from postcall.testbench.cases import Expected, Said
from postcall.testbench.models import ActionCase, BenchItem, BenchRun
from postcall.testbench.runs import NotPossible, Words
from postcall.testbench.selecting import Selection
from postcall.workspaces.audit import Actor, Thing


# Each raises NotPossible, and then nothing is changed and nothing stands in the audit log.
@transaction.atomic
def begin(visit: Visit, action: Action, words: Words, selection: Selection) -> tuple[BenchRun, bool]:
    """The run, and whether it is a new one: who presses the button twice does not pay twice."""
    visit.rows(Action).select_for_update(of=("self",)).get(pk=action.pk)
    if (same := runs.under_way(action, words, selection)) is not None:
        return same, False
    run = runs.begin_backtest(action, words, selection, Actor.of_person(visit.person))
    visit.record("begin", _about(run), {"calls": [None, run.total]})
    return run, True


@transaction.atomic
def cancel(visit: Visit, run: BenchRun) -> None:
    runs.cancel(run)
    visit.record("cancel", _about(run))


@transaction.atomic
def go_on(visit: Visit, run: BenchRun) -> None:
    runs.resume(run)
    visit.record("go_on", _about(run))


@transaction.atomic
def delete(visit: Visit, run: BenchRun) -> None:
    visit.record("delete", _about(run))
    runs.remove(run)


@transaction.atomic
def note_case(visit: Visit, item: BenchItem, expected: Expected) -> ActionCase:
    """Makes the call of a run's item a case of the action, with what the run's words came to in it."""
    if item.call is None or not item.result:
        raise NotPossible("not_judged", "Nothing was judged in this call.")
    run = item.run
    judge = str((item.verdict or {}).get("judge", ""))
    said = Said(_revision_of(run), item.result, judge)
    case = cases.note(run.action, Actor.of_person(visit.person), expected, call=item.call, said=said)
    visit.record("create", Thing("case", case.pk), {"expected": [None, expected]})
    return case


def _revision_of(run: BenchRun) -> UUID | None:
    """The revision whose condition was tried; None: no revision has it."""
    same = run.action.revisions.filter(condition=run.condition, always=run.always).order_by("-number")
    return same.values_list("pk", flat=True).first()


def _about(run: BenchRun) -> Thing:
    return Thing("backtest", run.pk, run.action.name)
