"""A message found in Twilio's list is only a guess; who is told its SID has it, at whatever instant."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from django.db import transaction

from postcall.followups.models import FollowUp
from postcall.messages.claim import claim
from postcall.messages.models import Attempt, Message, StrayCallback
from postcall.messages.track import track
from postcall.work.leases import LostLease, take

from .clinic import LEASE, Clinic
from .together import Running, at_once, wait_until, waiting_for_locks

pytestmark = pytest.mark.django_db(transaction=True)

CHECKS = 3  # POSTCALL_RECONCILE_DELAYS of the fixture


@pytest.fixture
def clinic(transactional_db: None, sandbox: Any) -> Clinic:
    return Clinic("Northgate Clinic", sandbox)


def came_late(clinic: Clinic) -> tuple[Attempt, Attempt]:
    """Two attempts of one text: the first one's message comes into the list when the second, which never left, is
    looked for."""
    clinic.message()
    clinic.sandbox.faults = {"list_lag_s": 3600}
    clinic.sandbox.fail_next("error_500_after")
    clinic.send()
    clinic.track(CHECKS)
    clinic.sandbox.fail_next("error_500_before")
    clinic.send()
    clinic.sandbox.faults = {}
    first, second = Attempt.objects.order_by("number")
    return first, second


def test_proof_evicts_while_an_identical_text_begins(clinic: Clinic) -> None:
    first, second = came_late(clinic)
    clinic.track()
    (sid,) = clinic.sids()
    clinic.message()
    (twin,) = take(Message, 1, LEASE)
    with transaction.atomic():
        assert claim(twin)
        callback = Running(lambda: clinic.call_back(first, sid, "delivered"))
        wait_until(waiting_for_locks)
    assert callback.join() is None
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.sid, first.status) == (sid, "delivered")
    assert (second.sid, second.status, second.open) == ("", "unconfirmed", False)


def test_an_evicted_attempt_that_cannot_be_found_out_about_is_left_to_the_operator(clinic: Clinic) -> None:
    first, second = came_late(clinic)
    clinic.track()
    clinic.message()
    claim(take(Message, 1, LEASE)[0])
    clinic.call_back(first, clinic.sids()[0], "delivered")
    message = Message.objects.get(pk=second.message_id)
    follow_up = FollowUp.objects.get(pk=message.follow_up_id)
    assert (message.status, message.due_at) == ("unconfirmed", None)
    assert (follow_up.outcome, follow_up.reason) == ("held", "set_aside")
    assert "identical" in follow_up.detail


def test_proof_evicts_whoever_adopts_the_message_meanwhile(clinic: Clinic) -> None:
    """The callback finds the SID free, and taken when it writes."""
    first, second = came_late(clinic)
    (sid,) = clinic.sids()
    with transaction.atomic():
        (tracked,) = take(Attempt, 1, LEASE)
        track(tracked)
        callback = Running(lambda: clinic.call_back(first, sid, "sent"))
        wait_until(waiting_for_locks)
    assert callback.join() is None
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.sid, second.sid, second.status) == (sid, "", "unconfirmed")
    assert not StrayCallback.objects.exists()


def test_an_adoption_that_proof_overtakes_looks_again(clinic: Clinic) -> None:
    first, second = came_late(clinic)
    (sid,) = clinic.sids()
    other = clinic.message("Another text")
    Message.objects.filter(pk=other.pk).update(due_at=None)
    # Of a message of its own, so that only the SID stands between the two.
    Attempt.objects.filter(pk=first.pk).update(message=other, number=1)
    (tracked,) = take(Attempt, 1, LEASE)
    with transaction.atomic():
        clinic.call_back(first, sid, "sent")
        adoption = Running(lambda: track(tracked))
        wait_until(waiting_for_locks)
    assert adoption.join() is None
    second.refresh_from_db()
    assert (second.sid, second.status, second.lease_until) == ("", "unconfirmed", None)
    for _ in range(CHECKS):
        clinic.polls_come_due()
        clinic.track()
    second.refresh_from_db()
    assert second.status == "absent"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_who_is_told_has_it_whatever_the_instant(clinic: Clinic, seed: int) -> None:
    draw = random.Random(seed)
    first, second = came_late(clinic)
    (sid,) = clinic.sids()
    clinic.message()

    def later(work: Any) -> Any:
        pause_s = draw.uniform(0, 0.02)
        return lambda: (time.sleep(pause_s), work())

    def hears(status: str) -> Any:
        return lambda: clinic.call_back(first, sid, status)

    works = [clinic.track, clinic.track, clinic.send, hears("sent"), hears("delivered"), hears("sent")]
    raised = at_once(*[later(work) for work in works])
    assert [error for error in raised if not isinstance(error, LostLease)] == []
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.sid, first.provisional, first.status) == (sid, False, "delivered")
    assert second.sid != sid
    assert not StrayCallback.objects.exists()
