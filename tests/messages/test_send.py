"""A text goes out once, whatever Twilio answers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from postcall.followups.models import FollowUp, OptOut
from postcall.followups.optouts import opt_out
from postcall.messages import twilio_client
from postcall.messages.accounts import use_own, use_sandbox
from postcall.messages.claim import LEASE, claim
from postcall.messages.models import Account, Attempt, DeliveryEvent, Message, RefusedSender, SendingAccount
from postcall.messages.operator import resend
from postcall.messages.send import Fence, hand_to_twilio, pause_before_next, record, send
from postcall.messages.twilio_client import Refused
from postcall.work.leases import LostLease, take

from .clinic import ANN, BEN, BODY, Clinic, events

SID = "AC" + "a" * 32


def taken() -> Message:
    return take(Message, 1, timedelta(seconds=30))[0]


def test_it_sends_a_text_once(clinic: Clinic) -> None:
    message = clinic.message()
    clinic.send()
    clinic.send()
    message.refresh_from_db()
    attempt = message.attempts.get()
    assert (message.status, message.sid, message.attempts_made) == ("accepted", attempt.sid, 1)
    assert (message.due_at, message.lease_until) == (None, None)
    assert (attempt.status, attempt.open, attempt.provisional) == ("accepted", True, False)
    assert clinic.sandbox.creates == {(ANN, BODY): 1}
    assert events(message) == ["sending", "accepted"]


def test_it_tells_twilio_how_long_the_text_is_valid_and_where_to_call_back(clinic: Clinic) -> None:
    clinic.message(valid_until=timezone.now() + timedelta(seconds=600))
    clinic.send()
    given = clinic.sandbox.messages[0].parameters
    assert 590 <= int(given["ValidityPeriod"]) <= 600
    token = Attempt.objects.get().token
    assert given["StatusCallback"] == f"http://127.0.0.1:8000/twilio/status/{token}#rc=5&rp=all"


def test_it_polls_in_a_minute(clinic: Clinic) -> None:
    clinic.message()
    clinic.send()
    attempt = Attempt.objects.get()
    assert attempt.due_at is not None
    assert timedelta(seconds=50) < attempt.due_at - timezone.now() <= timedelta(seconds=60)
    assert attempt.lease_until is None


@pytest.mark.parametrize(
    "fault", ["error_500_before", "cut_before", "error_500_after", "cut_after", "unreadable_201"]
)
def test_it_does_not_know_after_an_unclear_answer(clinic: Clinic, fault: str) -> None:
    message = clinic.message()
    clinic.sandbox.fail_next(fault)
    clinic.send()
    clinic.retries_come_due()
    clinic.send()
    message.refresh_from_db()
    assert message.status == "unconfirmed"
    assert message.sent_at is not None
    assert message.attempts.get().status == "unconfirmed"
    assert sum(count for (operation, _), count in clinic.sandbox.requests.items() if operation == "create") == 1


@pytest.mark.parametrize("fault", ["hang_after", "hang_before"])
def test_it_does_not_know_after_a_timeout(clinic: Clinic, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    twilio_client.forget_clients()
    monkeypatch.setattr(twilio_client, "TIMEOUT_S", (1, 0.2))
    message = clinic.message()
    clinic.sandbox.fail_next(fault)
    clinic.send()
    twilio_client.forget_clients()
    message.refresh_from_db()
    assert message.status == "unconfirmed"


def test_it_tries_again_after_429_as_late_as_twilio_asks(clinic: Clinic) -> None:
    message = clinic.message()
    clinic.sandbox.faults = {"retry_after_s": 40}
    clinic.sandbox.fail_next("refuse_429")
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.sent_at) == ("queued", None)
    assert message.due_at is not None
    assert timedelta(seconds=39) < message.due_at - timezone.now() < timedelta(seconds=51)
    clinic.retries_come_due()
    clinic.send()
    message.refresh_from_db()
    assert message.status == "accepted"
    assert [a.status for a in message.attempts.order_by("number")] == ["refused", "accepted"]
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_it_tries_again_when_twilio_was_not_reached(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    message = clinic.message()
    url = clinic.sandbox.url
    monkeypatch.setenv("POSTCALL_SANDBOX_URL", "http://127.0.0.1:1")  # nobody listens there
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.attempts.get().status) == ("queued", "refused")
    monkeypatch.setenv("POSTCALL_SANDBOX_URL", url)
    clinic.retries_come_due()
    clinic.send()
    message.refresh_from_db()
    assert message.status == "accepted"


def test_it_does_not_try_again_past_its_time(clinic: Clinic) -> None:
    message = clinic.message(valid_until=timezone.now() + timedelta(seconds=5))
    clinic.sandbox.faults = {"retry_after_s": 60}
    clinic.sandbox.fail_next("refuse_429")
    clinic.send()
    message.refresh_from_db()
    assert message.due_at == message.valid_until
    Message.objects.update(valid_until=timezone.now())
    clinic.retries_come_due()
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.follow_up.reason) == ("canceled", "expired")


def test_it_waits_longer_after_each_try() -> None:
    pauses = [pause_before_next(tries, None) for tries in (0, 3, 30)]
    assert 0.5 <= pauses[0] <= 0.625
    assert 4 <= pauses[1] <= 5
    assert 300 <= pauses[2] <= 375


@pytest.mark.parametrize(
    ("to", "code", "reason"),
    [
        ("+15005550001", 21211, "invalid_recipient"),
        ("+15005550002", 21612, "number_refused"),
        ("+15005550003", 21408, "country_not_allowed"),
        ("+15005550009", 21614, "landline"),
    ],
)
def test_it_says_why_twilio_refused_a_text(clinic: Clinic, to: str, code: int, reason: str) -> None:
    message = clinic.message(to=to)
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.error_code, message.due_at) == ("failed", code, None)
    assert (message.follow_up.outcome, message.follow_up.reason) == ("message", reason)
    assert (message.attempts.get().status, message.sent_at) == ("refused", None)


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, 21602, ""),
        (400, 30450, ""),
        (400, 39999, ""),
        (400, 30640, "number_refused"),
        (400, 21608, ""),
        (422, 422, ""),
        (400, None, ""),
    ],
)
def test_it_gives_a_reason_only_where_it_is_true(
    clinic: Clinic, status: int, code: int | None, reason: str
) -> None:
    message = clinic.message()
    attempt = claim(taken())
    assert attempt is not None
    record(attempt, Refused(status, code, "Refused"))
    message.refresh_from_db()
    assert (message.status, message.error_code, message.follow_up.reason) == ("failed", code, reason)
    assert message.follow_up.detail


@pytest.mark.parametrize("status", [403, 404, 407])
def test_it_waits_while_something_on_the_way_to_twilio_refuses_its_texts(clinic: Clinic, status: int) -> None:
    message = clinic.message()
    attempt = claim(taken())
    assert attempt is not None
    record(attempt, Refused(status, status, "<html>"))
    message.refresh_from_db()
    assert (message.status, message.error_code, message.attempts_made) == ("queued", status, 1)


def test_it_remembers_that_twilio_knows_of_a_stop(clinic: Clinic) -> None:
    message = clinic.message(to="+15005550004")
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.error_code, message.follow_up.reason) == ("failed", 21610, "opted_out")
    assert OptOut.objects.get().origin == "twilio"


def test_it_sends_by_the_account_that_was_connected_while_the_old_one_refused(clinic: Clinic) -> None:
    Account.objects.update(from_number="+15005550007")
    message = clinic.message()
    attempt = claim(taken())
    assert attempt is not None
    url = clinic.sandbox.url
    use_own(clinic.workspace, account_sid=SID, auth_token="t" * 32, from_number="+15005550006", api_url=url)
    record(attempt, hand_to_twilio(attempt, Fence()))
    message.refresh_from_db()
    assert (RefusedSender.objects.exists(), message.follow_up.outcome) == (False, "message")
    clinic.retries_come_due()
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.error_code) == ("accepted", None)
    assert [m.account_sid for m in clinic.sandbox.messages] == [SID]


def test_it_lets_a_messaging_service_pick_its_number_anew(clinic: Clinic) -> None:
    service = "MG" + "1" * 32
    message = clinic.message(from_number="+15550001111", agent=clinic.agent_with(messaging_service_sid=service))
    clinic.send()
    given = clinic.sandbox.messages[0].parameters
    assert (given.get("From"), given["MessagingServiceSid"]) == (None, service)
    assert message.attempts.get().status == "accepted"


def test_it_uses_the_account_it_began_with(clinic: Clinic) -> None:
    clinic.message()
    attempt = claim(taken())
    assert attempt is not None
    use_own(clinic.workspace, account_sid=SID, auth_token="t" * 32, from_number="+15005550006")
    record(attempt, hand_to_twilio(attempt, Fence()))
    assert clinic.sandbox.messages[0].account_sid == clinic.account.account_sid
    clinic.sandbox.push(clinic.sids()[0], "delivered")
    clinic.polls_come_due()
    clinic.track()
    assert Message.objects.get().status == "delivered"


def test_it_sends_by_the_sender_of_the_account_in_force(clinic: Clinic) -> None:
    clinic.message(from_number="+15005550007")
    clinic.send()
    message = Message.objects.get()
    assert (message.status, message.from_number) == ("accepted", "+15005550006")


def test_it_sees_an_opt_out_that_came_after_composing(clinic: Clinic) -> None:
    message = clinic.message()
    opt_out(clinic.workspace.pk, ANN, OptOut.Origin.STOP)
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.attempts_made) == ("canceled", 0)
    assert (message.follow_up.outcome, message.follow_up.reason) == ("skipped", "opted_out")
    assert not clinic.sandbox.messages


@pytest.mark.parametrize("what", ["off", "shadow", "detached", "action", "agent"])
def test_it_sends_nothing_once_the_attachment_is_off(clinic: Clinic, what: str) -> None:
    message = clinic.message()
    now = timezone.now()
    match what:
        case "off" | "shadow":
            clinic.attachment.mode = what
        case "detached":
            clinic.attachment.deleted_at = now
        case "action":
            clinic.action.deleted_at = now
        case "agent":
            clinic.agent.deleted_at = now
    for row in (clinic.attachment, clinic.action, clinic.agent):
        row.save()
    clinic.send()
    message.refresh_from_db()
    assert message.status == "canceled"
    assert message.follow_up.reason == ("shadow" if what == "shadow" else "attachment_off")
    assert not clinic.sandbox.messages


def test_it_does_not_send_unapproved_what_has_to_be_approved_by_now(clinic: Clinic) -> None:
    clinic.attachment.mode = "approve"
    clinic.attachment.save()
    message = clinic.message()
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.follow_up.reason) == ("canceled", "awaiting_approval")
    assert not clinic.sandbox.messages
    resend(message, "Approved", by="Dana")
    clinic.send()
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


@pytest.mark.parametrize("mode", ["off", "shadow", "approve"])
def test_it_sends_what_an_operator_asked_for_whatever_the_switch(clinic: Clinic, mode: str) -> None:
    clinic.attachment.mode = mode
    clinic.attachment.save()
    clinic.message(next_by="operator")
    clinic.send()
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_it_sends_nothing_past_its_time(clinic: Clinic) -> None:
    message = clinic.message(valid_until=timezone.now())
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.follow_up.reason) == ("canceled", "expired")
    assert not clinic.sandbox.messages


def test_it_keeps_the_cap_a_number(clinic: Clinic) -> None:
    clinic.workspace.max_per_number_per_day = 2
    clinic.workspace.save()
    messages = [clinic.message(body=f"Text {n}") for n in range(3)]
    clinic.send()
    reasons = [FollowUp.objects.get(message=message).reason for message in messages]
    assert sorted(reasons) == ["", "", "frequency_cap"]
    assert sum(clinic.sandbox.creates.values()) == 2


def test_it_keeps_the_daily_budget(clinic: Clinic) -> None:
    clinic.workspace.max_messages_per_day = 1
    clinic.workspace.save()
    clinic.message()
    clinic.message(to=BEN)
    clinic.send()
    assert sum(clinic.sandbox.creates.values()) == 1
    assert FollowUp.objects.filter(reason="budget_exceeded", outcome="held").count() == 1
    clinic.workspace.max_messages_per_day = 2
    clinic.workspace.save()
    clinic.retries_come_due()
    clinic.send()
    assert sum(clinic.sandbox.creates.values()) == 2
    assert FollowUp.objects.filter(outcome="message", reason="").count() == 2


def test_a_text_that_waits_for_the_budget_expires(clinic: Clinic) -> None:
    clinic.workspace.max_messages_per_day = 0
    clinic.workspace.save()
    message = clinic.message()
    clinic.send()
    Message.objects.update(valid_until=timezone.now())
    clinic.retries_come_due()
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.follow_up.outcome, message.follow_up.reason) == (
        "canceled",
        "skipped",
        "expired",
    )


def test_it_does_not_count_a_text_that_was_refused(clinic: Clinic) -> None:
    clinic.workspace.max_messages_per_day = 1
    clinic.workspace.save()
    clinic.message(to="+15005550009")
    clinic.send()
    clinic.message(to=BEN)
    clinic.send()
    assert clinic.sandbox.creates == {(BEN, BODY): 1}


def test_it_waits_for_the_window(clinic: Clinic) -> None:
    now = timezone.now()
    clinic.workspace.window_start = (now + timedelta(hours=2)).time()
    clinic.workspace.window_end = (now + timedelta(hours=3)).time()
    clinic.workspace.save()
    clinic.revision.urgency = "window"
    clinic.revision.save()
    # A number that has one time zone for all: UTC.
    message = clinic.message(to="+3546112345", valid_until=now + timedelta(days=1))
    clinic.send()
    message.refresh_from_db()
    assert message.status == "scheduled"
    assert message.due_at is not None
    assert abs(message.due_at - now - timedelta(hours=2)) < timedelta(seconds=5)


def test_it_holds_texts_of_a_workspace_without_an_account_until_it_has_one(clinic: Clinic) -> None:
    SendingAccount.objects.all().delete()
    message = clinic.message()
    clinic.send()
    message.refresh_from_db()
    assert (message.follow_up.outcome, message.follow_up.reason) == ("held", "messaging_not_configured")
    use_sandbox(clinic.workspace)
    clinic.send()
    message.refresh_from_db()
    assert message.status == "accepted"


def test_it_begins_nothing_with_a_message_that_another_worker_took(clinic: Clinic) -> None:
    clinic.message()
    overslept = taken()
    Message.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    clinic.send()
    with pytest.raises(LostLease):
        send(overslept)
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_it_begins_nothing_with_a_message_that_another_worker_holds(clinic: Clinic) -> None:
    clinic.message()
    overslept = taken()
    Message.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    taken()
    with pytest.raises(LostLease):
        send(overslept)
    assert not clinic.sandbox.messages


def test_a_worker_that_fails_after_the_claim_cannot_make_the_message_due_again(clinic: Clinic) -> None:
    clinic.message()
    message = taken()
    claim(message)
    # What the worker's loop does about a row whose work raised.
    held = Message.objects.filter(pk=message.pk, generation=message.generation)
    assert held.update(lease_until=None, due_at=timezone.now()) == 0


def test_it_begins_nothing_with_a_message_that_was_claimed_already(clinic: Clinic) -> None:
    clinic.message()
    message = taken()
    send(message)
    with pytest.raises(LostLease):
        send(message)
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_it_makes_no_request_once_it_is_too_late(clinic: Clinic) -> None:
    message = clinic.message()
    attempt = claim(taken())
    assert attempt is not None
    record(attempt, hand_to_twilio(attempt, Fence(0)))
    assert not clinic.sandbox.requests
    message.refresh_from_db()
    assert (message.status, message.attempts.get().status) == ("queued", "refused")


def test_it_leases_an_attempt_for_longer_than_any_request_lasts(clinic: Clinic) -> None:
    clinic.message()
    attempt = claim(taken())
    assert attempt is not None
    assert attempt.lease_until == attempt.due_at == attempt.started_at + LEASE
    assert timedelta(seconds=10 + sum(twilio_client.TIMEOUT_S) + 30) == LEASE


def test_a_worker_that_overslept_writes_nothing(clinic: Clinic) -> None:
    message = clinic.message()
    attempt = claim(taken())
    assert attempt is not None
    Attempt.objects.update(lease_until=None, due_at=timezone.now())
    clinic.track()
    before = Attempt.objects.values().get(), Message.objects.values().get(), events(message)
    record(attempt, Refused(400, 21614, "not a mobile number"))
    assert (Attempt.objects.values().get(), Message.objects.values().get(), events(message)) == before
    assert before[0]["status"] == "unconfirmed"


def test_a_sid_that_comes_after_the_lease_is_proof_all_the_same(clinic: Clinic) -> None:
    message = clinic.message()
    attempt = claim(taken())
    assert attempt is not None
    outcome = hand_to_twilio(attempt, Fence())
    Attempt.objects.update(lease_until=None, due_at=timezone.now())
    clinic.track()
    record(attempt, outcome)
    message.refresh_from_db()
    assert (message.status, message.sid) == ("accepted", clinic.sids()[0])
    assert Attempt.objects.get().provisional is False


def test_an_identical_text_waits_while_the_first_is_unconfirmed(clinic: Clinic) -> None:
    clinic.message()
    clinic.sandbox.fail_next("error_500_after")
    clinic.send()
    second = clinic.message()
    clinic.send()
    second.refresh_from_db()
    assert (second.status, second.attempts_made) == ("queued", 0)
    assert second.due_at is not None
    assert second.due_at > timezone.now()
    clinic.track()
    clinic.retries_come_due()
    clinic.send()
    second.refresh_from_db()
    assert second.status == "accepted"
    assert clinic.sandbox.creates == {(ANN, BODY): 2}
    assert len(set(Attempt.objects.values_list("sid", flat=True))) == 2


def test_a_text_that_kills_its_workers_is_set_aside(clinic: Clinic) -> None:
    from postcall.messages.send import set_aside

    message = clinic.message()
    set_aside(taken())
    message.refresh_from_db()
    assert (message.status, message.due_at) == ("failed", None)
    assert (message.follow_up.outcome, message.follow_up.reason) == ("held", "set_aside")
    assert DeliveryEvent.objects.get().status == "failed"
    resend(message, "The worker is mended", by="Dana")
    clinic.send()
    assert FollowUp.objects.get().outcome == "message"
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


@pytest.mark.parametrize("fault", ["refuse_429", "error_500_before"])
def test_a_second_attempt_that_never_left_does_not_undo_that_the_first_did(clinic: Clinic, fault: str) -> None:
    message = clinic.message()
    clinic.send()
    attempt = Attempt.objects.get()
    clinic.call_back(attempt, attempt.sid, "undelivered", ErrorCode="30003")
    clinic.workspace.unconfirmed = "hold"
    clinic.workspace.save()
    resend(Message.objects.get(), "", by="Dana")
    clinic.sandbox.fail_next(fault)
    clinic.send()
    clinic.track(3)
    message.refresh_from_db()
    assert message.attempts.get(number=2).status in ("refused", "absent")
    assert message.sent_at == attempt.started_at
