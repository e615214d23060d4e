"""Beginning a run, stopping it, going on with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from postcall.actions.models import Action, Revision
from postcall.testbench.models import ActionCase, BenchItem, BenchRun
from postcall.testbench.selecting import Selection, selected
from postcall.work import clock
from postcall.work.wake import wake
from postcall.workspaces.audit import Actor

LANE: Final = "bench_runs"
# Of one workspace, queued or running at once: more would only wait.
MOST_AT_ONCE: Final = 5


class NotPossible(Exception):
    """The text is a sentence for the operator, `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Words:
    """What is tried: a condition, or `always`, and a message."""

    condition: str
    message: str
    always: bool = False

    @classmethod
    def of(cls, revision: Revision) -> Words:
        return cls(revision.condition, revision.message, revision.always)


@transaction.atomic
def begin_backtest(action: Action, words: Words, selection: Selection, by: Actor) -> BenchRun:
    """Puts `words` to the selected calls, as work for a worker. Raises NotPossible where there are none."""
    calls = selected(action, selection)
    if not calls:
        raise NotPossible("no_calls", "There is no call to try it on: choose another agent, or other dates.")
    run = _new(action, words, BenchRun.Kind.BACKTEST, by)
    run.agent, run.all_agents, run.since, run.until, run.latest = (
        selection.agent,
        selection.all_agents,
        selection.since,
        selection.until,
        selection.latest,
    )
    items = [
        BenchItem(workspace_id=run.workspace_id, run=run, position=n, call_id=pk)
        for n, pk in enumerate(calls, start=1)
    ]
    return _begun(run, items)


def under_way(action: Action, words: Words, selection: Selection) -> BenchRun | None:
    """A backtest that is at work already at just this."""
    return BenchRun.objects.filter(
        action=action,
        kind=BenchRun.Kind.BACKTEST,
        state__in=[BenchRun.State.QUEUED, BenchRun.State.RUNNING],
        revision=action.revision,
        condition="" if words.always else words.condition.strip(),
        always=words.always,
        message=words.message,
        agent=selection.agent,
        all_agents=selection.all_agents,
        since=selection.since,
        until=selection.until,
        latest=selection.latest,
    ).first()


@transaction.atomic
def begin_cases(action: Action, words: Words, by: Actor) -> BenchRun:
    """Puts a condition to all of the action's cases that can still be read. Raises NotPossible."""
    if words.always:
        raise NotPossible("no_condition", "An action without a condition has nothing to test on its cases.")
    cases = readable(ActionCase.objects.filter(action=action))
    if not cases:
        raise NotPossible("no_cases", "This action has no cases yet: mark a verdict as right or wrong first.")
    _supersede(action)
    run = _new(action, words, BenchRun.Kind.CASES, by)
    items = [
        BenchItem(
            workspace_id=run.workspace_id,
            run=run,
            position=n,
            case=case,
            call_id=case.call_id,
            expected=case.expected,
        )
        for n, case in enumerate(cases, start=1)
    ]
    return _begun(run, items)


def _supersede(action: Action) -> None:
    """Nobody waits any more for what other words would have come to."""
    older = BenchRun.objects.filter(
        action=action, kind=BenchRun.Kind.CASES, state__in=[BenchRun.State.QUEUED, BenchRun.State.RUNNING]
    )
    older.update(state=BenchRun.State.CANCELED, ended_at=clock.now())


def readable(cases: QuerySet[ActionCase]) -> list[ActionCase]:
    """Those whose words are not forgotten, the newest first; the words themselves are not read."""
    forgotten = Q(call__isnull=False, call__forgotten_at__isnull=False)
    wordless = cases.defer("turns", "call__transcript", "call__variables", "call__hints")
    return list(wordless.exclude(forgotten).select_related("call__agent").order_by("-pk"))


def _new(action: Action, words: Words, kind: BenchRun.Kind, by: Actor) -> BenchRun:
    at_work = BenchRun.objects.filter(
        workspace_id=action.workspace_id, state__in=[BenchRun.State.QUEUED, BenchRun.State.RUNNING]
    )
    if kind == BenchRun.Kind.BACKTEST and at_work.filter(kind=kind).count() >= MOST_AT_ONCE:
        raise NotPossible("busy", f"{MOST_AT_ONCE} backtests are under way: wait for one, or cancel it.")
    if not words.always and not words.condition.strip():
        raise NotPossible("no_condition", "Write the condition first.")
    assert action.revision is not None
    now = clock.now()
    return BenchRun(
        workspace_id=action.workspace_id,
        action=action,
        revision=action.revision,
        kind=kind,
        condition="" if words.always else words.condition.strip(),
        always=words.always,
        message=words.message,
        began_by=by.name[:254],
        created_at=now,
        due_at=now,
    )


def _begun(run: BenchRun, items: list[BenchItem]) -> BenchRun:
    run.total = len(items)
    run.save(force_insert=True)
    BenchItem.objects.bulk_create(items, batch_size=500)
    wake(LANE)
    return run


@transaction.atomic
def cancel(run: BenchRun) -> BenchRun:
    """Stops it; what was judged stays. The worker that has it notices before its next calls."""
    row = BenchRun.objects.select_for_update().get(pk=run.pk)
    if not row.is_at_work:
        raise NotPossible("not_running", "It is not running.")
    row.state, row.ended_at = BenchRun.State.CANCELED, clock.now()
    row.save(update_fields=["state", "ended_at"])
    return row


@transaction.atomic
def resume(run: BenchRun) -> BenchRun:
    """Goes on where it was stopped, or failed."""
    row = BenchRun.objects.select_for_update().get(pk=run.pk)
    if row.state not in (BenchRun.State.CANCELED, BenchRun.State.FAILED):
        raise NotPossible("not_stopped", "It is not stopped.")
    row.state, row.ended_at, row.problem, row.failures = BenchRun.State.QUEUED, None, "", 0
    row.due_at = clock.now()
    row.save(update_fields=["state", "ended_at", "problem", "failures", "due_at"])
    wake(LANE)
    return row


def remove(run: BenchRun) -> None:
    """Deletes it with all that it found. Raises NotPossible while it is at work."""
    with transaction.atomic():
        row = BenchRun.objects.select_for_update().get(pk=run.pk)
        if row.is_at_work:
            raise NotPossible("running", "It is running: cancel it first.")
        row.delete()
