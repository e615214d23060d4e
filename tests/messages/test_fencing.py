"""A worker that falls asleep anywhere, and wakes when another one has taken over."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from postcall.messages.claim import FENCE_S, HTTP_DEADLINE_S, LEASE_MARGIN_S, claim
from postcall.messages.models import Attempt, DeliveryEvent, Message
from postcall.messages.send import Fence, hand_to_twilio, record, send
from postcall.messages.track import track
from postcall.messages.twilio_client import Accepted, Ambiguous, NotReached, Refused
from postcall.work import clock
from postcall.work.leases import LostLease, take

from .clinic import ANN, BODY, LEASE, Clinic, events

CHECKS = 3  # POSTCALL_RECONCILE_DELAYS of the fixture


def claimed(clinic: Clinic) -> Attempt:
    clinic.message()
    attempt = claim(take(Message, 1, LEASE)[0])
    assert attempt is not None
    return attempt


def leases_run_out() -> None:
    over = clock.now() - timedelta(seconds=1)
    Attempt.objects.filter(lease_until__isnull=False).update(lease_until=over, due_at=over)


def another_worker_takes_over(clinic: Clinic) -> None:
    """It finds the attempt after its lease, finds out about it, and sends the text anew where that is right."""
    leases_run_out()
    clinic.track(1 + CHECKS)
    clinic.send()


def everything() -> object:
    return list(Attempt.objects.order_by("number").values()), list(Message.objects.values())


def test_a_worker_that_slept_before_its_request_makes_none(clinic: Clinic) -> None:
    attempt = claimed(clinic)
    another_worker_takes_over(clinic)
    known = everything()
    outcome = hand_to_twilio(attempt, Fence(-1))
    assert isinstance(outcome, NotReached)
    record(attempt, outcome)
    assert everything() == known
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_a_text_whose_time_ends_before_its_request_is_not_sent(clinic: Clinic) -> None:
    fence = Fence()
    attempt = claimed(clinic)
    attempt.message.valid_until = attempt.started_at + timedelta(milliseconds=20)
    attempt.message.save()
    time.sleep(0.02)
    record(attempt, hand_to_twilio(attempt, fence))
    clinic.retries_come_due()
    clinic.send()
    message = Message.objects.get()
    assert (message.status, message.follow_up.reason) == ("canceled", "expired")
    assert not clinic.sandbox.creates


def test_a_worker_that_slept_after_its_request_finds_its_message_adopted(clinic: Clinic) -> None:
    attempt = claimed(clinic)
    outcome = hand_to_twilio(attempt, Fence())
    another_worker_takes_over(clinic)
    found = Attempt.objects.get()
    assert (found.status, found.sid, found.provisional) == ("accepted", clinic.sids()[0], True)
    record(attempt, outcome)
    found = Attempt.objects.get()
    assert (found.status, found.sid, found.provisional) == ("accepted", clinic.sids()[0], False)
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


@pytest.mark.parametrize("outcome", [Refused(400, 21211, "No"), NotReached("slow"), Ambiguous("ReadTimeout")])
def test_what_is_no_proof_is_not_written_after_the_lease(
    clinic: Clinic, outcome: Refused | NotReached | Ambiguous
) -> None:
    attempt = claimed(clinic)
    hand_to_twilio(attempt, Fence())
    another_worker_takes_over(clinic)
    known = everything()
    record(attempt, outcome)
    assert everything() == known


def test_a_sid_that_comes_while_the_next_attempt_is_accepted_is_told_honestly(clinic: Clinic) -> None:
    """The list lagged behind all its readings: the text is there twice, and nobody is to think otherwise."""
    clinic.sandbox.faults = {"list_lag_s": 3600}
    attempt = claimed(clinic)
    outcome = hand_to_twilio(attempt, Fence())
    another_worker_takes_over(clinic)
    record(attempt, outcome)
    first, second = Attempt.objects.order_by("number")
    assert [(a.status, a.sid, a.open) for a in (first, second)] == [
        ("accepted", clinic.sids()[0], False),
        ("accepted", clinic.sids()[1], True),
    ]
    assert Message.objects.get().sid == second.sid
    assert DeliveryEvent.objects.get(detail__contains="twice").attempt_number == 1


def test_a_sid_that_comes_late_withdraws_the_attempt_that_has_not_begun(clinic: Clinic) -> None:
    clinic.sandbox.faults = {"list_lag_s": 3600}
    attempt = claimed(clinic)
    outcome = hand_to_twilio(attempt, Fence())
    leases_run_out()
    clinic.track(1 + CHECKS)
    (overtaken,) = take(Message, 1, LEASE)
    record(attempt, outcome)
    with pytest.raises(LostLease):
        send(overtaken)
    message = Message.objects.get()
    assert (message.status, message.sid, message.attempts_made) == ("accepted", clinic.sids()[0], 1)
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_a_sid_that_comes_late_evicts_the_attempt_that_adopted_it(clinic: Clinic) -> None:
    """The first attempt's message came into the list when the second was looked for, which never arrived."""
    clinic.sandbox.faults = {"list_lag_s": 3600}
    attempt = claimed(clinic)
    outcome = hand_to_twilio(attempt, Fence())
    leases_run_out()
    clinic.track(1 + CHECKS)
    clinic.sandbox.fail_next("error_500_before")
    clinic.send()
    clinic.sandbox.faults = {}
    clinic.track()
    assert Attempt.objects.get(number=2).sid == clinic.sids()[0]
    record(attempt, outcome)
    first, second = Attempt.objects.order_by("number")
    assert (first.sid, first.provisional, first.status) == (clinic.sids()[0], False, "accepted")
    assert (second.sid, second.status, second.open) == ("", "unconfirmed", True)
    clinic.track(CHECKS)
    clinic.send()
    assert [a.status for a in Attempt.objects.order_by("number")] == ["accepted", "absent", "accepted"]


@pytest.mark.parametrize("asleep", ["before the lists", "after the lists"])
def test_a_tracker_that_slept_concludes_nothing(clinic: Clinic, asleep: str) -> None:
    attempt = claimed(clinic)
    record(attempt, Ambiguous("ReadTimeout"))
    (sleeper,) = take(Attempt, 1, LEASE)
    leases_run_out()
    if asleep == "after the lists":
        clinic.track(CHECKS)
    else:
        take(Attempt, 1, LEASE)
    known = everything()
    with pytest.raises(LostLease):
        track(sleeper)
    assert everything() == known


def test_a_worker_that_was_slow_but_not_late_keeps_its_attempt(clinic: Clinic) -> None:
    attempt = claimed(clinic)
    outcome = hand_to_twilio(attempt, Fence())
    clinic.track()  # nothing is due: the lease holds
    record(attempt, outcome)
    assert isinstance(outcome, Accepted)
    assert events(Message.objects.get()) == ["sending", "accepted"]


def test_nobody_takes_an_attempt_before_the_slowest_request_is_over(clinic: Clinic) -> None:
    attempt = claimed(clinic)
    assert attempt.lease_until is not None
    held_s = (attempt.lease_until - attempt.started_at).total_seconds()
    assert held_s == pytest.approx(FENCE_S + HTTP_DEADLINE_S + LEASE_MARGIN_S)
    assert LEASE_MARGIN_S >= 30
