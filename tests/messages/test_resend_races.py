"""An operator sends a text again while something is still being heard about the attempt before."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from postcall.followups.models import FollowUp
from postcall.messages.models import Attempt, DeliveryEvent, Message
from postcall.messages.operator import NotPossible, cancel, resend
from postcall.messages.send import send
from postcall.messages.track import set_aside
from postcall.work.leases import LostLease, take

from .clinic import ANN, BODY, LEASE, Clinic
from .together import at_once, one_after_the_other

racing = pytest.mark.django_db(transaction=True)

ARRIVED = ("sent", "delivered")
NEVER_ARRIVED = ("failed", "undelivered")


@pytest.fixture
def attempt(clinic: Clinic) -> Attempt:
    """One that reached Twilio, but of which that could not be found out: it is the operator's to decide."""
    clinic.message()
    clinic.sandbox.fail_next("error_500_after")
    clinic.send()
    set_aside(take(Attempt, 1, LEASE)[0])
    return Attempt.objects.get()


def click(message: Message) -> Callable[[], object]:
    """The operator's, who has the page as it is now before them."""
    seen = Message.objects.get(pk=message.pk)
    return lambda: resend(seen, "Not there yet", by="Dana")


def hears(clinic: Clinic, attempt: Attempt, status: str, **fields: str) -> Callable[[], object]:
    return lambda: clinic.call_back(attempt, clinic.sids()[0], status, **fields)


def fresh(attempt: Attempt) -> Message:
    return Message.objects.select_related("follow_up").get(pk=attempt.message_id)


@racing
@pytest.mark.parametrize("status", ARRIVED)
def test_a_text_that_turns_out_to_have_left_is_not_sent_again(
    clinic: Clinic, attempt: Attempt, status: str
) -> None:
    message = fresh(attempt)
    clicked, _ = one_after_the_other(message, hears(clinic, attempt, status), click(message))
    assert isinstance(clicked or _, NotPossible)
    clinic.send()
    assert (fresh(attempt).status, clinic.sandbox.creates) == (status, {(ANN, BODY): 1})


@racing
@pytest.mark.parametrize("status", ARRIVED)
def test_a_click_is_withdrawn_when_the_text_turns_out_to_have_left(
    clinic: Clinic, attempt: Attempt, status: str
) -> None:
    message = fresh(attempt)
    assert one_after_the_other(message, click(message), hears(clinic, attempt, status)) == [None, None]
    clinic.send()
    message = fresh(attempt)
    assert (message.status, message.due_at, clinic.sandbox.creates) == (status, None, {(ANN, BODY): 1})
    assert DeliveryEvent.objects.filter(message=message, detail__contains="withdrawn").count() == 1


@racing
@pytest.mark.parametrize("status", NEVER_ARRIVED)
@pytest.mark.parametrize("first", ["click", "callback"])
def test_a_text_that_never_arrived_is_sent_again_in_either_order(
    clinic: Clinic, attempt: Attempt, status: str, first: str
) -> None:
    message = fresh(attempt)
    works = [click(message), hears(clinic, attempt, status, ErrorCode="30003")]
    raised = one_after_the_other(message, *(works if first == "click" else reversed(works)))
    assert raised == [None, None]
    clinic.send()
    message = fresh(attempt)
    assert (message.status, message.sid, message.attempts_made) == ("accepted", clinic.sids()[1], 2)
    assert (message.error_code, message.follow_up.outcome) == (None, FollowUp.Outcome.MESSAGE)
    attempt.refresh_from_db()
    assert (attempt.status, attempt.error_code, attempt.open) == (status, 30003, False)


def test_a_click_that_waits_keeps_its_time_when_the_attempt_before_is_said_to_have_failed(
    clinic: Clinic, attempt: Attempt
) -> None:
    click(fresh(attempt))()
    waiting = fresh(attempt)
    hears(clinic, attempt, "failed")()
    message = fresh(attempt)
    assert (message.status, message.due_at, message.next_by) == ("queued", waiting.due_at, "operator")


@pytest.mark.parametrize("by", ["postcall", "operator"])
def test_a_text_that_failed_is_not_sent_again_by_itself(clinic: Clinic, by: str) -> None:
    """Also where an operator had approved it: of its failing they know nothing yet."""
    message = clinic.message(next_by=by)
    clinic.sandbox.faults = {"list_lag_s": 3600}
    clinic.sandbox.fail_next("error_500_after")
    clinic.send()
    clinic.track(3)
    attempt = message.attempts.get()
    assert (attempt.status, fresh(attempt).due_at is None) == ("absent", False)
    hears(clinic, attempt, "undelivered", ErrorCode="30003")()
    clinic.send()
    assert (fresh(attempt).status, clinic.sandbox.creates) == ("undelivered", {(ANN, BODY): 1})


@pytest.mark.parametrize("status", ARRIVED)
def test_a_worker_that_took_the_click_begins_nothing_once_it_is_withdrawn(
    clinic: Clinic, attempt: Attempt, status: str
) -> None:
    click(fresh(attempt))()
    (overtaken,) = take(Message, 1, LEASE)
    hears(clinic, attempt, status)()
    with pytest.raises(LostLease):
        send(overtaken)
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


@pytest.mark.parametrize("status", [*ARRIVED, *NEVER_ARRIVED])
def test_what_is_heard_of_the_earlier_attempt_moves_nothing_once_the_next_has_begun(
    clinic: Clinic, attempt: Attempt, status: str
) -> None:
    click(fresh(attempt))()
    clinic.send()
    hears(clinic, attempt, status)()
    message = fresh(attempt)
    attempt.refresh_from_db()
    assert (message.status, message.sid, message.attempts_made) == ("accepted", clinic.sids()[1], 2)
    assert (attempt.status, attempt.sid, attempt.open) == (status, clinic.sids()[0], False)
    assert DeliveryEvent.objects.get(origin="twilio").attempt_number == 1


def test_that_an_earlier_attempt_arrived_after_all_is_said(clinic: Clinic) -> None:
    clinic.message()
    clinic.send()
    attempt = Attempt.objects.get()
    clinic.call_back(attempt, attempt.sid, "undelivered", ErrorCode="30003")
    click(fresh(attempt))()
    clinic.send()
    clinic.call_back(attempt, attempt.sid, "delivered")
    attempt.refresh_from_db()
    assert (attempt.status, attempt.error_code) == ("delivered", None)
    assert (fresh(attempt).status, fresh(attempt).sid) == ("accepted", clinic.sids()[1])
    assert DeliveryEvent.objects.get(detail__contains="twice").attempt_number == 1


@racing
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("status", ["delivered", "undelivered"])
def test_whatever_the_instant_it_is_neither_lost_nor_doubled_unsaid(
    clinic: Clinic, attempt: Attempt, status: str, seed: int
) -> None:
    """The click, the callback and two workers, all at once."""
    draw = random.Random(seed)
    message = fresh(attempt)

    def later(work: Callable[[], object]) -> Callable[[], object]:
        pause_s = draw.uniform(0, 0.02)
        return lambda: (time.sleep(pause_s), work())

    works = [click(message), hears(clinic, attempt, status, ErrorCode=""), clinic.send, clinic.send]
    raised = at_once(*[later(work) for work in works])
    assert all(isinstance(error, NotPossible | LostLease) for error in raised)
    clinic.send()
    message = fresh(attempt)
    attempt.refresh_from_db()
    creates = clinic.sandbox.creates[ANN, BODY]
    assert (attempt.status, attempt.sid, message.due_at) == (status, clinic.sids()[0], None)
    assert message.attempts_made == creates
    if status == "undelivered":
        assert (creates, message.status) == (2, "accepted")
        return
    said = DeliveryEvent.objects.filter(detail__contains="twice").count()
    assert (creates, message.status, said) in [(1, "delivered", 0), (2, "accepted", 1)]


@racing
def test_a_click_and_a_cancel_at_the_same_instant_agree(clinic: Clinic) -> None:
    clinic.message()
    clinic.send()
    attempt = Attempt.objects.get()
    clinic.call_back(attempt, attempt.sid, "undelivered", ErrorCode="30003")
    message = fresh(attempt)
    clicked, canceled = one_after_the_other(message, click(message), lambda: cancel(message, by="Ben"))
    assert (clicked, canceled) == (None, None)
    clinic.send()
    assert (fresh(attempt).status, clinic.sandbox.creates) == ("canceled", {(ANN, BODY): 1})


def test_an_operators_click_is_not_forgotten_when_the_attempt_before_is_evicted(clinic: Clinic) -> None:
    """The first attempt had taken another's message for its own; what was said of that one is not true of it."""
    clinic.message()
    clinic.sandbox.fail_next("error_500_before")
    clinic.send()
    attempt = Attempt.objects.get()
    sid = clinic.text_by_hand(BODY)
    clinic.track()
    clinic.sandbox.push(sid, "undelivered", 30003)
    clinic.polls_come_due()
    clinic.track()
    assert fresh(attempt).status == "undelivered"
    click(fresh(attempt))()
    clinic.attachment.mode = "off"
    clinic.attachment.save()
    other = clinic.message("Another text")
    Message.objects.filter(pk=other.pk).update(due_at=None)
    theirs = Attempt.objects.create(
        workspace=clinic.workspace,
        message=other,
        number=1,
        account=clinic.account,
        account_sid=clinic.account.account_sid,
        to=ANN,
        body_digest="0",
        started_at=attempt.started_at,
    )
    clinic.call_back(theirs, sid, "undelivered", ErrorCode="30003")
    attempt.refresh_from_db()
    assert (attempt.status, attempt.open) == ("unconfirmed", True)
    for _ in range(4):
        clinic.polls_come_due()
        clinic.track()
    clinic.retries_come_due()
    clinic.send()
    assert (fresh(attempt).status, fresh(attempt).attempts_made) == ("accepted", 2)
