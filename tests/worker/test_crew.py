"""A crew works each row once, outlives what a row does to it, and lets go of what it cannot end."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from postcall.calls.models import Call
from postcall.ids import new_id
from postcall.work.leases import MAX_STARTS, TRUSTED_STARTS, LostLease, renew, settle, take
from postcall.worker.crew import MOST_EXCUSED, Crew
from postcall.worker.lanes import Lane
from postcall.worker.loop import WorkerProcess
from postcall.workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True)
LEASE = timedelta(seconds=30)


def a_call() -> Call:
    workspace, _ = Workspace.objects.get_or_create(name="Northgate Clinic")
    return Call.objects.create(
        workspace=workspace,
        source_kind="api",
        external_id=str(new_id()),
        received_at=timezone.now(),
        due_at=timezone.now(),
    )


@contextmanager
def crew(work: Callable[[Any], None], set_aside: Callable[[Any], None] = lambda row: None) -> Iterator[Crew]:
    lane = Lane("calls", Call, LEASE, 2, work, set_aside)
    running = Crew(lane, lambda: None)
    yield running
    running.stop(30)


def done(call: Call) -> None:
    settle(call, status="done")


def test_it_works_every_row_once() -> None:
    calls = [a_call() for _ in range(20)]
    seen = []
    with crew(lambda call: (seen.append(call.pk), done(call))) as running:
        for row in take(Call, 50, LEASE):
            running.begin(row)
    assert sorted(seen) == sorted(call.pk for call in calls)
    assert Call.objects.filter(status="done").count() == 20


def test_it_works_no_more_rows_at_once_than_it_has_threads() -> None:
    for _ in range(6):
        a_call()
    gate, begun = threading.Semaphore(0), threading.Semaphore(0)

    def waiting(call: Call) -> None:
        begun.release()
        gate.acquire(timeout=30)
        done(call)

    with crew(waiting) as running:
        for row in take(Call, 2, LEASE):
            running.begin(row)
        begun.acquire(timeout=30)
        begun.acquire(timeout=30)
        assert running.room() == 0
        gate.release(2)


def test_it_tries_a_row_that_failed_again_later_and_goes_on_with_others() -> None:
    bad, good = a_call(), a_call()

    def work(call: Call) -> None:
        if call.pk == bad.pk:
            raise ValueError("this row is odd")
        done(call)

    with crew(work) as running:
        for row in take(Call, 5, LEASE):
            running.begin(row)
    bad.refresh_from_db()
    good.refresh_from_db()
    assert good.status == "done"
    assert (bad.lease_until, bad.starts) == (None, 1)
    assert bad.due_at is not None
    assert bad.due_at > timezone.now()


def test_it_sets_a_row_aside_that_was_begun_too_often() -> None:
    call = a_call()
    Call.objects.filter(pk=call.pk).update(starts=MAX_STARTS)
    aside, worked = [], []
    with crew(worked.append, aside.append) as running:
        running.begin(take(Call, 1, LEASE)[0])
    assert [row.pk for row in aside] == [call.pk]
    assert worked == []


def test_it_works_rows_that_may_kill_their_worker_one_after_another() -> None:
    suspects = [a_call() for _ in range(2)]
    Call.objects.update(starts=TRUSTED_STARTS)
    others = [a_call() for _ in range(3)]
    worker = WorkerProcess()
    lane = Lane("calls", Call, LEASE, 2, done, done)
    taken = worker.take_for(lane, 10)
    assert {row.pk for row in taken} == {row.pk for row in (suspects[0], *others)}
    assert worker.take_for(lane, 10) == []
    worker.clear_suspect()
    assert [row.pk for row in worker.take_for(lane, 10)] == [suspects[1].pk]


def test_it_lets_a_suspect_be_worked_when_there_was_none() -> None:
    worker = WorkerProcess()
    lane = Lane("calls", Call, LEASE, 2, done, done)
    assert worker.take_for(lane, 10) == []
    suspect = a_call()
    Call.objects.update(starts=TRUSTED_STARTS)
    assert [row.pk for row in worker.take_for(lane, 10)] == [suspect.pk]


def test_it_says_when_a_suspects_work_has_ended_and_of_no_other() -> None:
    a_call()
    Call.objects.update(starts=TRUSTED_STARTS)
    a_call()
    cleared = threading.Semaphore(0)
    running = Crew(Lane("calls", Call, LEASE, 2, done, done), lambda: None, cleared.release)
    for row in take(Call, 2, LEASE):
        running.begin(row)
    running.stop(30)
    assert Call.objects.filter(status="done").count() == 2
    assert cleared.acquire(blocking=False)
    assert not cleared.acquire(blocking=False)


def test_it_takes_no_more_rows_than_asked_for_whoever_is_suspected() -> None:
    calls = [a_call() for _ in range(4)]
    Call.objects.filter(pk=calls[3].pk).update(starts=TRUSTED_STARTS)
    taken = take(Call, 2, LEASE, suspects=1)
    assert {row.pk for row in taken} == {calls[0].pk, calls[3].pk}


@pytest.mark.parametrize(("generation", "starts"), [(0, 0), (MOST_EXCUSED, 1)])
def test_it_does_not_blame_a_row_for_a_database_that_goes_away_unless_it_always_does(
    generation: int, starts: int
) -> None:
    call = a_call()
    Call.objects.filter(pk=call.pk).update(generation=generation)

    def cut_off(call: Call) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with crew(cut_off) as running:
        running.begin(take(Call, 1, LEASE)[0])
    call.refresh_from_db()
    assert (call.lease_until, call.starts) == (None, starts)
    assert call.due_at is not None
    assert call.due_at > timezone.now()


def test_it_writes_nothing_after_another_worker_took_the_row() -> None:
    call = a_call()
    (slow,) = take(Call, 1, timedelta(seconds=-1))
    (quick,) = take(Call, 1, LEASE)
    with pytest.raises(LostLease):
        settle(slow, status="done")
    call.refresh_from_db()
    assert call.status == "received"
    settle(quick, status="done")


def test_it_prolongs_only_the_leases_it_still_holds() -> None:
    a_call()
    (slow,) = take(Call, 1, timedelta(seconds=-1))
    (quick,) = take(Call, 1, timedelta(seconds=5))
    renew(Call, [slow], timedelta(hours=1))
    quick.refresh_from_db()
    assert quick.lease_until is not None
    assert quick.lease_until < timezone.now() + timedelta(minutes=1)
    renew(Call, [quick], timedelta(hours=1))
    quick.refresh_from_db()
    assert quick.lease_until > timezone.now() + timedelta(minutes=50)


def test_it_leaves_a_row_to_others_that_is_in_hand_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    a_call()
    gate = threading.Event()
    with crew(lambda call: (gate.wait(30), done(call))) as running:
        (row,) = take(Call, 1, timedelta(seconds=5))
        running.begin(row)
        running.renew()
        row.refresh_from_db()
        prolonged = row.lease_until
        assert prolonged is not None
        assert prolonged > timezone.now() + timedelta(seconds=10)
        monkeypatch.setattr("postcall.worker.crew.LONGEST_S", 0.0)
        running.renew()
        row.refresh_from_db()
        assert row.lease_until == prolonged
        gate.set()


def test_it_hands_each_row_to_one_of_many_takers() -> None:
    from django.db import connections

    calls = [a_call() for _ in range(40)]
    taken: list[Any] = []
    together = threading.Barrier(4)

    def taker() -> None:
        together.wait()
        while rows := take(Call, 3, LEASE):
            taken.extend(row.pk for row in rows)
            time.sleep(0)
        connections.close_all()

    threads = [threading.Thread(target=taker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(call.pk for call in calls)
