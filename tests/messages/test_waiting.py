"""Texts that wait and are brought forward, while somebody else is at them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from postcall.followups.models import FollowUp
from postcall.ids import new_id
from postcall.messages.accounts import resume
from postcall.messages.claim import HOLD_S, claim, hold, look_again
from postcall.messages.models import Attempt, Message
from postcall.messages.operator import cancel
from postcall.pace import paced_delta
from postcall.work import clock
from postcall.work.leases import LostLease, renew, take

from .clinic import LEASE, Clinic
from .together import Running, wait_until, waiting_for_locks

at_the_same_time = pytest.mark.django_db(transaction=True)


def waits(clinic: Clinic, **fields: Any) -> Message:
    """A text that waits for the window to open."""
    return clinic.message(status="scheduled", due_at=timezone.now() + timedelta(minutes=30), **fields)


def settings_change(clinic: Clinic) -> Running:
    """They are saved, and what waits is brought forward, as soon as whoever is at it has ended."""
    running = Running(lambda: look_again(clinic.workspace.pk))
    wait_until(waiting_for_locks)
    return running


@at_the_same_time
def test_it_does_not_bring_forward_what_is_canceled_meanwhile(sandbox: Any) -> None:
    clinic = Clinic("Northgate Clinic", sandbox)
    message = waits(clinic)
    with transaction.atomic():
        cancel(message, "ann@clinic.example")
        running = settings_change(clinic)
    assert running.join() is None
    message.refresh_from_db()
    assert (message.status, message.due_at) == ("canceled", None)


@at_the_same_time
def test_it_does_not_bring_forward_what_is_claimed_meanwhile(sandbox: Any) -> None:
    clinic = Clinic("Northgate Clinic", sandbox)
    message = waits(clinic)
    with transaction.atomic():
        Message.objects.select_for_update().get(pk=message.pk)
        running = settings_change(clinic)
        clinic.retries_come_due()
        (held,) = take(Message, 1, LEASE)
        assert claim(held) is not None
    assert running.join() is None
    message.refresh_from_db()
    assert (message.status, message.due_at) == ("sending", None)


@at_the_same_time
def test_it_brings_forward_what_is_put_off_meanwhile(sandbox: Any) -> None:
    clinic = Clinic("Northgate Clinic", sandbox)
    message = waits(clinic, lease_until=timezone.now() + LEASE)
    with transaction.atomic():
        Message.objects.filter(pk=message.pk).update(
            due_at=timezone.now() + timedelta(hours=2), lease_until=None, generation=7
        )
        running = settings_change(clinic)
    assert running.join() is None
    message.refresh_from_db()
    assert message.due_at is not None
    assert message.due_at <= timezone.now()


@pytest.mark.parametrize("status", ["sending", "accepted", "delivered", "failed", "unconfirmed", "canceled"])
def test_it_claims_nothing_that_does_not_wait(clinic: Clinic, status: str) -> None:
    clinic.message(status=status)
    (held,) = take(Message, 1, LEASE)
    with pytest.raises(LostLease):
        claim(held)
    assert not Attempt.objects.exists()


def statements(clinic: Clinic) -> list[int]:
    """How many parameters each statement has that lifts a pause."""
    counts: list[int] = []

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        counts.append(len(params or ()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        resume(clinic.workspace.pk)
    return counts


def test_it_lifts_a_pause_in_statements_that_do_not_grow_with_the_texts(clinic: Clinic) -> None:
    def one_more() -> None:
        clinic.message()
        FollowUp.objects.update(outcome="held", reason="sender_paused")

    one_more()
    of_one = statements(clinic)
    for _ in range(9):
        one_more()
    assert statements(clinic) == of_one


def test_it_leaves_what_is_over_out_of_a_lifted_pause(clinic: Clinic) -> None:
    clinic.message()
    clinic.message(due_at=None)
    clinic.message(status="failed")
    FollowUp.objects.update(outcome="held", reason="sender_paused")
    assert resume(clinic.workspace.pk) == 1


def held_in_reverse(clinic: Clinic) -> tuple[Message, Message]:
    """Two texts that wait for a sender; the one with the lower id lies behind the other in the table."""
    low, high = sorted((new_id(), new_id()))
    later, earlier = (clinic.message(pk=pk, generation=1, lease_until=timezone.now()) for pk in (high, low))
    FollowUp.objects.update(outcome="held", reason="budget_exceeded")
    return earlier, later


def resumes(clinic: Clinic, rows: list[Message]) -> None:
    FollowUp.objects.update(reason="sender_paused")
    resume(clinic.workspace.pk)


def looks_again(clinic: Clinic, rows: list[Message]) -> None:
    look_again(clinic.workspace.pk)


def renews(clinic: Clinic, rows: list[Message]) -> None:
    renew(Message, rows, LEASE)


@at_the_same_time
@pytest.mark.parametrize("work", [resumes, looks_again, renews])
def test_it_locks_texts_in_the_order_of_their_ids(
    sandbox: Any, work: Callable[[Clinic, list[Message]], None]
) -> None:
    clinic = Clinic("Northgate Clinic", sandbox)
    earlier, later = held_in_reverse(clinic)
    with transaction.atomic():
        Message.objects.select_for_update().get(pk=earlier.pk)
        running = Running(lambda: work(clinic, [later, earlier]))
        wait_until(waiting_for_locks)
        # Whoever waits for the first one holds none of the others.
        Message.objects.select_for_update(nowait=True).get(pk=later.pk)
    assert running.join() is None


@at_the_same_time
def test_it_does_not_renew_what_is_taken_meanwhile(sandbox: Any) -> None:
    clinic = Clinic("Northgate Clinic", sandbox)
    clinic.message()
    (mine,) = take(Message, 1, LEASE)
    until = timezone.now() + timedelta(minutes=5)
    with transaction.atomic():
        Message.objects.filter(pk=mine.pk).update(generation=mine.generation + 1, lease_until=until)
        running = Running(lambda: renew(Message, [mine], timedelta(hours=1)))
        wait_until(waiting_for_locks)
    assert running.join() is None
    mine.refresh_from_db()
    assert mine.lease_until == until


@pytest.mark.parametrize(("held_min", "wait_min"), [(0, 1), (1, 1), (3, 3), (8, 8), (40, 15)])
def test_it_looks_ever_more_seldom_at_what_is_held(clinic: Clinic, held_min: int, wait_min: int) -> None:
    began, wait = clock.now(), paced_delta(minutes=wait_min)
    message = clinic.message(valid_until=began + timedelta(days=1))
    (held,) = take(Message, 1, LEASE)
    hold(held, "sender_paused", "It is paused.")
    FollowUp.objects.update(updated_at=F("updated_at") - paced_delta(minutes=held_min))
    hold(held, "sender_paused", "It is paused.")
    message.refresh_from_db()
    assert message.due_at is not None
    now = clock.now()
    assert began + wait <= message.due_at <= now + wait + (now - began)


def test_it_looks_once_more_at_what_is_held_before_it_expires(clinic: Clinic) -> None:
    valid_until = timezone.now() + paced_delta(minutes=20)
    message = clinic.message(valid_until=valid_until)
    (held,) = take(Message, 1, LEASE)
    hold(held, "budget_exceeded", "It is used up.")
    FollowUp.objects.update(updated_at=F("updated_at") - paced_delta(minutes=40))
    Message.objects.update(valid_until=valid_until - paced_delta(minutes=10))
    held.refresh_from_db()
    hold(held, "budget_exceeded", "It is used up.")
    message.refresh_from_db()
    assert message.due_at == message.valid_until - timedelta(seconds=HOLD_S)


def test_it_counts_what_a_workspace_sent_only_under_its_lock(clinic: Clinic) -> None:
    clinic.workspace.max_messages_per_day = 5
    clinic.workspace.save()
    clinic.message()
    counted: list[bool] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "left_today" in sql:
            counted.append(params["counted"])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        clinic.send()
    assert counted == [False, True]
