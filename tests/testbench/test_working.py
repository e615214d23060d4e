"""A run among several workers, and one that dies in the midst of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from followups.clinic import Clinic, KnowingJudge

from postcall.judge.verdicts import Case, Judgement
from postcall.testbench import working
from postcall.testbench.models import BenchItem, BenchRun
from postcall.testbench.runs import Words, begin_backtest, cancel, remove, resume
from postcall.testbench.selecting import Selection
from postcall.testbench.summary import summary
from postcall.work.leases import LostLease, let_go, take, take_one
from postcall.workspaces.audit import SYSTEM

LEASE = timedelta(seconds=60)


def begun(clinic: Clinic, calls: int) -> BenchRun:
    attachment = clinic.attach("You are booked.", "After booking")
    for n in range(calls):
        clinic.receive(f"c-{n}")
    return begin_backtest(attachment.action, Words("After a cleaning", "Hi."), Selection(), SYSTEM)


def taken() -> BenchRun:
    (run,) = take(BenchRun, 1, LEASE)
    return run


class Meanwhile(KnowingJudge):
    """Does something while it has a call in hand: at the call of this number, counted from 0."""

    def __init__(self, at: int, does: object) -> None:
        super().__init__()
        self.at, self.does = at, does

    def decide(self, case: Case) -> Judgement:
        if len(self.cases) == self.at:
            self.does()  # type: ignore[operator]
        return super().decide(case)


def test_it_writes_nothing_when_another_worker_has_it(clinic: Clinic) -> None:
    begun(clinic, 2)
    mine = taken()
    others: list[BenchRun] = []

    def lose_it() -> None:
        BenchRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        others.append(taken())

    with pytest.raises(LostLease):
        working.work(mine, Meanwhile(1, lose_it))
    assert (BenchRun.objects.get().done, BenchItem.objects.exclude(judged_at=None).count()) == (1, 1)
    working.work(others[0], judge := KnowingJudge())
    assert (BenchRun.objects.get().state, BenchRun.objects.get().done, len(judge.cases)) == ("done", 2, 1)


def test_it_goes_on_after_a_worker_that_was_killed_and_counts_nothing_twice(clinic: Clinic) -> None:
    begun(clinic, 3)

    def die() -> None:
        raise SystemExit  # as far as the database can see, no more comes from it

    with pytest.raises(SystemExit):
        working.work(taken(), Meanwhile(2, die))
    assert take(BenchRun, 1, LEASE) == []
    BenchRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    working.work(taken(), judge := KnowingJudge())
    run = BenchRun.objects.get()
    found = summary(run)
    assert (run.state, run.done, len(judge.cases)) == ("done", 3, 1)
    assert (found.judged, found.requests, found.input_tokens) == (3, 3, 2700)


def test_it_keeps_what_was_judged_when_it_is_canceled(clinic: Clinic) -> None:
    run = begun(clinic, 3)
    working.work(taken(), Meanwhile(1, lambda: cancel(run)))
    run.refresh_from_db()
    assert (run.state, run.done, run.due_at, run.lease_until) == ("canceled", 2, None, None)
    assert take(BenchRun, 1, LEASE) == []


def test_it_goes_on_when_it_is_resumed_before_its_worker_noticed(clinic: Clinic) -> None:
    run = begun(clinic, 3)

    def change_ones_mind() -> None:
        cancel(run)
        resume(run)

    working.work(taken(), judge := Meanwhile(1, change_ones_mind))
    run.refresh_from_db()
    assert (run.state, run.done, len(judge.cases)) == ("done", 3, 3)


def test_it_lets_a_worker_go_whose_run_was_deleted(clinic: Clinic) -> None:
    run = begun(clinic, 2)

    def delete_it() -> None:
        cancel(run)
        remove(run)

    with pytest.raises(LostLease):
        working.work(taken(), Meanwhile(1, delete_it))
    assert not BenchItem.objects.exists()


def test_it_sets_aside_what_breaks_off_again_and_again(clinic: Clinic) -> None:
    begun(clinic, 1)
    working.set_aside(taken())
    run = BenchRun.objects.get()
    assert (run.state, run.due_at) == ("failed", None)
    assert run.problem


def test_it_gives_other_runs_their_turn(clinic: Clinic) -> None:
    begun(clinic, 3)
    working.work(taken(), judge := KnowingJudge(), slice_s=-1)
    run = BenchRun.objects.get()
    assert (run.state, run.done, len(judge.cases), run.lease_until) == ("running", 1, 1, None)
    assert run.due_at <= timezone.now()  # type: ignore[operator]


def test_it_is_held_by_one_at_a_time(clinic: Clinic) -> None:
    run = begun(clinic, 1)
    held = take_one(run, LEASE)
    assert held is not None
    assert take_one(run, LEASE) is None
    assert take(BenchRun, 1, LEASE) == []
    let_go(held)
    again = take_one(run, LEASE)
    assert again is not None
    let_go(held)  # no longer its own
    assert take_one(run, LEASE) is None


def test_it_asks_the_database_as_often_for_each_call(clinic: Clinic) -> None:
    """So that 2,000 calls cost 2,000 times what one does, and beginning them costs no more than a few queries."""
    attachment = clinic.attach("You are booked.", "After booking")
    counts = []
    for size in (2, 4, 6):
        for n in range(2):
            clinic.receive(f"c-{size}-{n}")
        with CaptureQueriesContext(connection) as beginning:
            begin_backtest(attachment.action, Words("After a cleaning", "Hi."), Selection(), SYSTEM)
        run = taken()
        with CaptureQueriesContext(connection) as working_on:
            working.work(run, KnowingJudge())
        counts.append((len(beginning), len(working_on)))
    (begin_2, work_2), (begin_4, work_4), (begin_6, work_6) = counts
    assert begin_2 == begin_4 == begin_6
    assert max(work_4 - work_2, work_6 - work_4) <= 2 * 12, counts
