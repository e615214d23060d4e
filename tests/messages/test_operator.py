"""What an operator does by hand happens once, and only where it can."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from postcall.followups.models import OptOut
from postcall.followups.optouts import opt_out
from postcall.messages.models import DeliveryEvent, Message
from postcall.messages.operator import Changed, NotPossible, cancel, resend

from .clinic import ANN, BODY, Clinic


def undelivered(clinic: Clinic) -> Message:
    message = clinic.message()
    clinic.send()
    attempt = message.attempts.get()
    clinic.call_back(attempt, attempt.sid, "undelivered", ErrorCode="30003")
    return seen(message)


def seen(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)


def test_it_sends_a_text_again(clinic: Clinic) -> None:
    message = undelivered(clinic)
    resend(message, "The phone was off", by="Dana")
    clinic.send()
    message = seen(message)
    assert (message.status, message.attempts_made, message.error_code) == ("accepted", 2, None)
    assert [a.by for a in message.attempts.order_by("number")] == ["postcall", "operator"]
    assert DeliveryEvent.objects.get(origin="operator").detail == "Dana: The phone was off"
    assert clinic.sandbox.creates == {(ANN, BODY): 2}


def test_it_costs_what_all_its_attempts_cost(clinic: Clinic) -> None:
    message = undelivered(clinic)
    resend(message, "The phone was off", by="Dana")
    clinic.send()
    for sid in clinic.sids():
        clinic.sandbox.push(sid, "delivered")
    clinic.polls_come_due()
    clinic.track()
    assert [str(attempt.price) for attempt in message.attempts.all()] == ["-0.00830", "-0.00830"]
    assert (str(seen(message).price), seen(message).price_unit) == ("-0.01660", "USD")


def test_two_clicks_send_it_once(clinic: Clinic) -> None:
    message = undelivered(clinic)
    same = seen(message)
    resend(message, "", by="Dana")
    with pytest.raises(NotPossible):
        resend(same, "", by="Dana")
    clinic.send()
    with pytest.raises(Changed):
        resend(same, "", by="Dana")
    clinic.send()
    assert clinic.sandbox.creates == {(ANN, BODY): 2}


def test_a_click_on_an_old_page_sends_nothing(clinic: Clinic) -> None:
    old = undelivered(clinic)
    resend(seen(old), "", by="Dana")
    clinic.send()
    attempt = old.attempts.get(number=2)
    clinic.call_back(attempt, attempt.sid, "undelivered", ErrorCode="30003")
    with pytest.raises(Changed):
        resend(old, "", by="Dana")


@pytest.mark.parametrize("status", ["accepted", "sent", "delivered"])
def test_it_does_not_send_again_what_is_on_its_way_or_there(clinic: Clinic, status: str) -> None:
    message = clinic.message()
    clinic.send()
    attempt = message.attempts.get()
    clinic.call_back(attempt, attempt.sid, status)
    with pytest.raises(NotPossible, match=status):
        resend(seen(message), "", by="Dana")


def test_it_does_not_send_again_while_twilio_is_being_asked(clinic: Clinic) -> None:
    message = clinic.message()
    clinic.sandbox.fail_next("error_500_before")
    clinic.send()
    with pytest.raises(NotPossible, match="being asked"):
        resend(seen(message), "", by="Dana")
    clinic.workspace.unconfirmed = "hold"
    clinic.workspace.save()
    clinic.track(3)
    resend(seen(message), "", by="Dana")
    clinic.send()
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_it_looks_at_the_rules_again(clinic: Clinic) -> None:
    message = undelivered(clinic)
    opt_out(clinic.workspace.pk, ANN, OptOut.Origin.STOP)
    with pytest.raises(NotPossible, match="must not be texted"):
        resend(message, "", by="Dana")


def test_an_opt_out_between_the_click_and_the_sending_counts(clinic: Clinic) -> None:
    message = undelivered(clinic)
    resend(message, "", by="Dana")
    opt_out(clinic.workspace.pk, ANN, OptOut.Origin.STOP)
    clinic.send()
    assert seen(message).status == "canceled"
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_a_text_sent_by_hand_has_its_time_anew_and_minds_no_switch(clinic: Clinic) -> None:
    message = clinic.message(valid_until=timezone.now())
    clinic.send()
    clinic.attachment.mode = "off"
    clinic.attachment.save()
    assert seen(message).follow_up.reason == "expired"
    resend(seen(message), "", by="Dana")
    clinic.send()
    message = seen(message)
    assert (message.status, message.follow_up.outcome, message.follow_up.reason) == ("accepted", "message", "")


def test_outside_the_window_it_waits_for_it_and_has_its_time_from_there(clinic: Clinic) -> None:
    message = clinic.message(to="+3546112345")  # a number that has one time zone for all: UTC
    clinic.send()
    attempt = message.attempts.get()
    clinic.call_back(attempt, attempt.sid, "undelivered", ErrorCode="30003")
    now = timezone.now()
    clinic.workspace.window_start = (now + timedelta(hours=2)).time()
    clinic.workspace.window_end = (now + timedelta(hours=3)).time()
    clinic.workspace.valid_for_s = 600
    clinic.workspace.save()
    clinic.revision.urgency = "window"
    clinic.revision.save()
    message = resend(seen(message), "", by="Dana")
    assert message.due_at is not None
    assert abs(message.due_at - now - timedelta(hours=2)) < timedelta(seconds=5)
    assert message.valid_until == message.due_at + timedelta(seconds=600)
    assert message.status == "scheduled"
    clinic.send()
    assert seen(message).status == "scheduled"


def test_it_does_not_send_a_text_whose_words_were_forgotten(clinic: Clinic) -> None:
    message = undelivered(clinic)
    Message.objects.update(body="")
    with pytest.raises(NotPossible, match="forgotten"):
        resend(seen(message), "", by="Dana")


def test_it_cancels_a_text_that_waits(clinic: Clinic) -> None:
    later = timezone.now() + timedelta(hours=1)
    message = clinic.message(status="scheduled", due_at=later)
    cancel(message, by="Dana")
    clinic.retries_come_due()
    clinic.send()
    message = seen(message)
    assert (message.status, message.due_at) == ("canceled", None)
    assert (message.follow_up.outcome, message.follow_up.reason) == ("skipped", "rejected")
    assert not clinic.sandbox.messages


def test_it_does_not_cancel_what_may_have_left(clinic: Clinic) -> None:
    message = clinic.message()
    clinic.sandbox.fail_next("error_500_after")
    clinic.send()
    with pytest.raises(NotPossible):
        cancel(message)


def test_a_canceled_text_is_not_sent_by_the_worker_that_took_it(clinic: Clinic) -> None:
    from postcall.messages.send import send
    from postcall.work.leases import LostLease, take

    message = clinic.message()
    overtaken = take(Message, 1, timedelta(seconds=30))[0]
    cancel(message)
    with pytest.raises(LostLease):
        send(overtaken)
    assert not clinic.sandbox.messages
