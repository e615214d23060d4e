"""What became of an attempt is found out, and nothing is sent again before it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from postcall.config import config
from postcall.followups.models import FollowUp
from postcall.messages import twilio_client
from postcall.messages.accounts import use_own
from postcall.messages.claim import claim
from postcall.messages.handing import TwilioMessaging
from postcall.messages.models import Account, Attempt, DeliveryEvent, Message
from postcall.messages.operator import cancel, resend
from postcall.messages.send import Fence, hand_to_twilio, record
from postcall.messages.track import set_aside, track
from postcall.work.leases import LostLease, take

from .clinic import ANN, BEN, BODY, LEASE, Clinic, events

CHECKS = 3  # POSTCALL_RECONCILE_DELAYS of the fixture


def ambiguous(clinic: Clinic, fault: str, body: str = BODY) -> Message:
    """A text of which it is not known whether it was sent."""
    message = clinic.message(body)
    clinic.sandbox.fail_next(fault)
    clinic.send()
    message.refresh_from_db()
    assert message.status == "unconfirmed"
    return message


def elsewhere(clinic: Clinic, body: str, to: str = ANN) -> str:
    """A text that something else sends by the same account; returns its SID."""
    outcome = twilio_client.create(
        clinic.account,
        to=to,
        sender=TwilioMessaging().sender_for(clinic.workspace, clinic.agent, clinic.message().follow_up.call),  # type: ignore[arg-type]  # there is an account
        body=body,
        status_callback=None,
        valid_for_s=60,
        may_begin=lambda: True,
    )
    Message.objects.filter(attempts_made=0).delete()
    assert isinstance(outcome, twilio_client.Accepted)
    return outcome.message.sid


@pytest.mark.parametrize("fault", ["error_500_after", "cut_after", "unreadable_201"])
def test_it_adopts_the_message_that_the_list_shows(clinic: Clinic, fault: str) -> None:
    message = ambiguous(clinic, fault)
    clinic.track()
    message.refresh_from_db()
    attempt = message.attempts.get()
    assert (message.status, message.sid) == ("accepted", clinic.sids()[0])
    assert (attempt.status, attempt.provisional, attempt.open) == ("accepted", True, True)
    assert clinic.sandbox.creates == {(ANN, BODY): 1}
    assert events(message) == ["sending", "unconfirmed", "accepted"]


@pytest.mark.parametrize("fault", ["error_500_before", "cut_before"])
def test_it_sends_again_when_every_list_shows_nothing(clinic: Clinic, fault: str) -> None:
    message = ambiguous(clinic, fault)
    clinic.track(CHECKS - 1)
    clinic.send()
    assert not clinic.sandbox.messages
    clinic.track()
    clinic.send()
    message.refresh_from_db()
    assert [a.status for a in message.attempts.order_by("number")] == ["absent", "accepted"]
    assert message.status == "accepted"
    assert clinic.sandbox.creates == {(ANN, BODY): 1}
    assert events(message) == ["sending", "unconfirmed", "absent", "sending", "accepted"]


def test_it_reads_the_list_when_the_delays_say(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTCALL_RECONCILE_DELAYS", "30,120,300")
    config.cache_clear()
    ambiguous(clinic, "error_500_before")
    waits = []
    for _ in range(CHECKS):
        attempt = Attempt.objects.get()
        assert attempt.due_at is not None
        waits.append(round((attempt.due_at - timezone.now()).total_seconds()))
        time_passes(waits[-1])
        clinic.polls_come_due()
        clinic.track()
    assert waits == [30, 90, 180]
    assert Attempt.objects.get().status == "absent"


def time_passes(seconds: float) -> None:
    """As if Twilio's clock had gone on since its list was first read."""
    Attempt.objects.update(first_listed_at=F("first_listed_at") - timedelta(seconds=seconds))


def test_it_believes_no_absence_before_twilios_own_clock_has_gone_on(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTCALL_RECONCILE_DELAYS", "30,120,300")
    config.cache_clear()
    ambiguous(clinic, "error_500_before")
    for _ in range(10):  # as if our clock were set forward again and again
        clinic.polls_come_due()
        clinic.track()
    attempt = Attempt.objects.get()
    assert (attempt.status, attempt.checks_done) == ("unconfirmed", 1)
    assert attempt.due_at is not None
    assert 85 < (attempt.due_at - timezone.now()).total_seconds() <= 90


def test_it_finds_its_text_when_our_clock_was_set_back_since(clinic: Clinic) -> None:
    clinic.message()
    clinic.send()  # so that it is known how Twilio's clock stands to ours
    message = ambiguous(clinic, "error_500_after", body="Another one.")
    hour = timedelta(hours=1)
    # Our clock was an hour ahead of Twilio's when the attempt began, and is right by now.
    message.attempts.update(started_at=F("started_at") + hour, twilio_ahead_s=-hour.total_seconds())
    clinic.track()
    attempt = message.attempts.get()
    assert (attempt.status, attempt.provisional) == ("accepted", True)


def test_it_keeps_how_twilios_clock_stood_to_ours(clinic: Clinic) -> None:
    first, second = clinic.message(), clinic.message(to=BEN)
    twilio_client.forget_clients()
    clinic.send()
    assert {first.attempts.get().twilio_ahead_s is None, second.attempts.get().twilio_ahead_s is None} == {
        True,
        False,
    }
    ahead_s = Attempt.objects.get(twilio_ahead_s__isnull=False).twilio_ahead_s
    assert ahead_s is not None
    assert abs(ahead_s) < 3


def test_it_sends_nothing_while_the_list_cannot_be_read(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_before")
    clinic.sandbox.faults = {"list_error": 1}
    for _ in range(10):
        clinic.polls_come_due()
        clinic.track()
        clinic.send()
    message.refresh_from_db()
    attempt = message.attempts.get()
    assert (message.status, attempt.status, attempt.checks_done) == ("unconfirmed", "unconfirmed", 0)
    assert attempt.due_at is not None
    assert not clinic.sandbox.messages
    clinic.sandbox.faults = {}
    for _ in range(CHECKS):
        clinic.polls_come_due()
        clinic.track()
    clinic.send()
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_a_list_that_failed_in_between_does_not_count(clinic: Clinic) -> None:
    ambiguous(clinic, "error_500_before")
    clinic.sandbox.fail_next("list_error")
    clinic.track(1)
    for _ in range(CHECKS - 1):
        clinic.polls_come_due()
        clinic.track()
    assert Attempt.objects.get().status == "unconfirmed"
    clinic.polls_come_due()
    clinic.track()
    assert Attempt.objects.get().status == "absent"


def left_to_the_operator(message: Message) -> bool:
    message.refresh_from_db()
    attempt = message.attempts.order_by("number").last()
    assert attempt is not None
    follow_up = FollowUp.objects.get(pk=message.follow_up_id)
    return (attempt.open, attempt.due_at, follow_up.outcome, follow_up.reason) == (
        False,
        None,
        "held",
        "set_aside",
    ) and bool(follow_up.detail)


def test_it_gives_up_on_a_list_that_is_never_answered(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_before")
    clinic.sandbox.faults = {"list_error": 1}
    Attempt.objects.update(started_at=timezone.now() - timedelta(days=3))
    clinic.track()
    assert left_to_the_operator(message)
    assert message.status == "unconfirmed"
    clinic.sandbox.faults = {}
    resend(message, "Looked it up", by="Dana")
    clinic.send()
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_it_gives_up_at_once_when_its_credentials_are_not_taken_any_more(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_before")
    Account.objects.update(api_key_sid="revoked", api_key_secret="x")
    twilio_client.forget_clients()
    clinic.track()
    assert left_to_the_operator(message)


def test_it_leaves_what_never_reached_twilio_to_the_operator(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_before")
    for _ in range(2):
        clinic.track(CHECKS)
        clinic.sandbox.fail_next("error_500_before")
        clinic.send()
    clinic.track(CHECKS)
    assert left_to_the_operator(message)
    assert message.status == "failed"
    cancel(message, by="Dana")
    follow_up = FollowUp.objects.get(pk=message.follow_up_id)
    assert (follow_up.outcome, follow_up.reason) == ("skipped", "rejected")


def test_it_leaves_what_was_not_sent_to_the_operator_where_the_workspace_says_so(clinic: Clinic) -> None:
    clinic.workspace.unconfirmed = "hold"
    clinic.workspace.save()
    message = ambiguous(clinic, "error_500_before")
    clinic.track(CHECKS)
    assert left_to_the_operator(message)
    attempt = message.attempts.get()
    clinic.call_back(attempt, "SM" + "e" * 32, "sent")
    follow_up = FollowUp.objects.get(pk=message.follow_up_id)
    assert (follow_up.outcome, follow_up.reason) == ("message", "")


def test_it_waits_longer_the_longer_the_list_cannot_be_read(clinic: Clinic) -> None:
    ambiguous(clinic, "error_500_before")
    clinic.sandbox.faults = {"list_error": 1}
    Attempt.objects.update(started_at=timezone.now() - timedelta(hours=1))
    clinic.track()
    due_at = Attempt.objects.get().due_at
    assert due_at is not None
    assert timedelta(minutes=14) < due_at - timezone.now() < timedelta(minutes=16)


def test_it_reads_all_pages_of_the_list(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twilio_client, "PAGE_SIZE", 2)
    message = ambiguous(clinic, "error_500_after")
    for n in range(5):
        elsewhere(clinic, f"Something else {n}")
    clinic.track()
    message.refresh_from_db()
    assert message.sid == clinic.sids()[0]


def test_a_page_that_cannot_be_read_spoils_the_list(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twilio_client, "PAGE_SIZE", 2)
    ambiguous(clinic, "error_500_after")
    for n in range(3):
        elsewhere(clinic, f"Something else {n}", to=ANN)
    clinic.sandbox.fail_next("list_error", 2)
    clinic.track()
    assert Attempt.objects.get().checks_done == 0


def test_another_body_to_the_number_holds_the_text_for_the_operator(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_before")
    sid = elsewhere(clinic, "Hi Ann, your appointment is confirmed - smartly encoded")
    clinic.track(CHECKS)
    clinic.send()
    message.refresh_from_db()
    attempt = message.attempts.get()
    assert (message.status, attempt.status, attempt.open, attempt.due_at) == (
        "unconfirmed",
        "unconfirmed",
        False,
        None,
    )
    assert sid in attempt.error_message
    assert clinic.sandbox.creates[ANN, BODY] == 0


def test_another_body_that_was_seen_once_is_not_forgotten(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_before")
    elsewhere(clinic, "Something else")
    clinic.track(1)
    clinic.sandbox.reset()
    clinic.track(CHECKS - 1)
    clinic.send()
    message.refresh_from_db()
    assert message.status == "unconfirmed"
    assert not clinic.sandbox.creates


def test_another_body_does_not_hold_once_it_is_known_whose_it_is(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_before")
    other = clinic.message("Another text")
    clinic.send()
    clinic.track(CHECKS)
    clinic.send()
    message.refresh_from_db()
    other.refresh_from_db()
    assert (message.status, other.status) == ("accepted", "accepted")
    assert clinic.sandbox.creates == {(ANN, BODY): 1, (ANN, "Another text"): 1}


def test_two_unclear_texts_to_one_number_do_not_hold_each_other(clinic: Clinic) -> None:
    first = ambiguous(clinic, "error_500_after")
    second = ambiguous(clinic, "error_500_after", "Another text")
    clinic.track()
    first.refresh_from_db()
    second.refresh_from_db()
    assert [first.sid, second.sid] == clinic.sids()


def test_a_text_that_another_worker_is_sending_is_not_this_one(clinic: Clinic) -> None:
    first = ambiguous(clinic, "error_500_before")
    clinic.message("Another text")
    other = claim(take(Message, 1, LEASE)[0])
    assert other is not None
    outcome = hand_to_twilio(other, Fence())
    clinic.track(CHECKS)
    record(other, outcome)
    assert first.attempts.get().status == "absent"


def test_a_trial_accounts_prefix_is_not_another_body(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_before")
    sid = elsewhere(clinic, f"Sent from your Twilio trial account - {BODY}")
    clinic.track()
    message.refresh_from_db()
    assert message.sid == sid


def test_a_trial_accounts_prefix_hides_no_text_that_is_awaited(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_before")
    ambiguous(clinic, "error_500_before", "Another text")
    clinic.text_by_hand("Sent from your Twilio trial account - Another text")
    (attempt,) = (a for a in take(Attempt, 2, LEASE) if a.message_id == message.pk)
    track(attempt)
    assert message.attempts.get().candidates == []


def test_a_text_of_long_before_is_not_this_one(clinic: Clinic) -> None:
    elsewhere(clinic, BODY)
    message = ambiguous(clinic, "error_500_before")
    later = timezone.now() + timedelta(minutes=5)
    Attempt.objects.update(started_at=later)
    clinic.track(CHECKS)
    message.refresh_from_db()
    assert message.attempts.get().status == "absent"


def test_a_text_to_another_number_is_not_this_one(clinic: Clinic) -> None:
    ambiguous(clinic, "error_500_before")
    elsewhere(clinic, BODY, to=BEN)
    clinic.track(CHECKS)
    assert Attempt.objects.get().status == "absent"


def test_a_sid_that_an_attempt_owns_is_not_adopted_by_another(clinic: Clinic) -> None:
    clinic.message()
    clinic.send()
    second = ambiguous(clinic, "error_500_before")
    clinic.track(CHECKS)
    second.refresh_from_db()
    assert second.attempts.get().status == "absent"


def test_it_corrects_the_times_of_the_list_by_twilios_clock(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_after")
    # As if our clock ran an hour ahead of Twilio's when the attempt began, and still does.
    from postcall.messages import track as tracking

    Attempt.objects.update(started_at=timezone.now() + timedelta(hours=1))
    attempt = take(Attempt, 1, LEASE)[0]
    listing = twilio_client.list_to(attempt.account, attempt.to)
    assert isinstance(listing, twilio_client.Listing)
    attempt.twilio_ahead_s = None
    assert tracking._look(attempt, replace(listing, ahead_s=0.0)).ours is None
    seen = tracking._look(attempt, replace(listing, ahead_s=-3600.0))
    assert seen.ours is not None
    assert seen.ours.sid == clinic.sids()[0]
    assert message.attempts.get().sid == ""


def test_it_gives_up_after_three_attempts_that_reached_nobody(clinic: Clinic) -> None:
    message = clinic.message()
    clinic.sandbox.faults = {"error_500_before": 1}
    for _ in range(5):
        clinic.send()
        clinic.track(CHECKS)
    message.refresh_from_db()
    assert (message.status, message.attempts_made, message.due_at) == ("failed", 3, None)
    assert not clinic.sandbox.messages


def test_it_holds_what_was_not_sent_where_the_workspace_says_so(clinic: Clinic) -> None:
    clinic.workspace.unconfirmed = "hold"
    clinic.workspace.save()
    message = ambiguous(clinic, "error_500_before")
    clinic.track(CHECKS)
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.attempts_made, message.attempts.get().status) == ("unconfirmed", 1, "absent")
    assert not clinic.sandbox.messages


def test_it_sends_nothing_again_past_its_time(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_before")
    Message.objects.update(valid_until=timezone.now())
    clinic.track(CHECKS)
    message.refresh_from_db()
    assert message.due_at is None
    assert (message.status, message.follow_up.outcome, message.follow_up.reason) == (
        "canceled",
        "skipped",
        "expired",
    )
    assert not clinic.sandbox.messages


def test_it_finds_out_about_the_attempt_of_a_worker_that_died(clinic: Clinic) -> None:
    message = clinic.message()
    attempt = claim(take(Message, 1, LEASE)[0])
    assert attempt is not None
    hand_to_twilio(attempt, Fence())  # and then nothing was recorded
    clinic.track()
    assert Attempt.objects.get().status == "sending"
    past = timezone.now() - timedelta(seconds=1)
    Attempt.objects.update(lease_until=past, due_at=past)
    clinic.track(2)
    message.refresh_from_db()
    assert (message.status, message.sid) == ("accepted", clinic.sids()[0])
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_a_tracker_that_overslept_writes_nothing(clinic: Clinic) -> None:
    ambiguous(clinic, "error_500_before")
    overslept = take(Attempt, 1, LEASE)[0]
    Attempt.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    take(Attempt, 1, LEASE)
    before = Attempt.objects.values().get()
    with pytest.raises(LostLease):
        track(overslept)
    assert Attempt.objects.values().get() == before


def test_it_uses_the_attempts_account_after_another_one_was_connected(clinic: Clinic) -> None:
    from postcall.messages.accounts import use_own

    message = ambiguous(clinic, "error_500_after")
    use_own(clinic.workspace, account_sid="AC" + "b" * 32, auth_token="t" * 32, from_number="+15005550006")
    clinic.track()
    message.refresh_from_db()
    assert message.sid == clinic.sids()[0]


def test_it_evicts_an_attempt_that_adopted_anothers_message(clinic: Clinic) -> None:
    """The first attempt's text came into the list late; the second one adopts it, until a callback says whose it
    is."""
    message = ambiguous(clinic, "error_500_before")
    clinic.track(CHECKS)
    clinic.sandbox.fail_next("error_500_after")
    clinic.send()
    clinic.track()
    first, second = Attempt.objects.order_by("number")
    assert (second.sid, second.provisional) == (clinic.sids()[0], True)
    clinic.call_back(first, second.sid, "delivered")
    first.refresh_from_db()
    second.refresh_from_db()
    message.refresh_from_db()
    assert (first.status, first.sid) == ("delivered", clinic.sids()[0])
    assert (second.status, second.sid, second.open) == ("unconfirmed", "", True)
    assert (message.status, message.sid) == ("unconfirmed", "")


def squatting(clinic: Clinic) -> Clinic:
    """Somebody who named the clinic's account with an auth token of their own making."""
    squatter = Clinic("Oak Clinic", clinic.sandbox)
    squatter.message("Something else", to=BEN)
    squatter.send()
    account = use_own(squatter.workspace, account_sid=clinic.account.account_sid, auth_token="made up").account
    squatter.account = account
    Attempt.objects.filter(workspace=squatter.workspace).update(
        account=account, account_sid=account.account_sid, sid="", status="refused", open=False
    )
    return squatter


def test_nobody_without_the_accounts_token_evicts_an_attempt(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_after")
    clinic.track()
    squatter = squatting(clinic)
    theirs = Attempt.objects.get(workspace=squatter.workspace)
    squatter.call_back(theirs, clinic.sids()[0], "sent")
    message.refresh_from_db()
    theirs.refresh_from_db()
    assert (message.status, message.sid) == ("accepted", clinic.sids()[0])
    assert (theirs.sid, theirs.status) == ("", "refused")


def test_what_somebody_without_the_token_claims_is_left_to_the_operator(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_after")
    squatter = squatting(clinic)
    squatter.call_back(Attempt.objects.get(workspace=squatter.workspace), clinic.sids()[0], "sent")
    clinic.track(CHECKS)
    clinic.send()
    assert message.attempts.get().error_message.startswith("Twilio lists another text")
    assert clinic.sandbox.creates[ANN, BODY] == 1


def test_a_response_evicts_an_attempt_that_adopted_its_message(clinic: Clinic) -> None:
    clinic.message()
    attempt = claim(take(Message, 1, LEASE)[0])
    assert attempt is not None
    outcome = hand_to_twilio(attempt, Fence())
    Attempt.objects.update(status="absent", open=False, due_at=None, lease_until=None)
    thief = ambiguous(clinic, "error_500_before")
    clinic.track()
    assert thief.attempts.get().sid == clinic.sids()[0]
    record(attempt, outcome)
    attempt.refresh_from_db()
    assert (attempt.sid, attempt.provisional) == (clinic.sids()[0], False)
    assert thief.attempts.get().status == "unconfirmed"


def test_an_attempt_is_not_evicted_into_a_race_with_an_identical_text(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_before")
    clinic.track(CHECKS)
    clinic.sandbox.fail_next("error_500_after")
    clinic.send()
    clinic.track()
    first, second = message.attempts.order_by("number")
    ambiguous(clinic, "error_500_before")  # of another call
    clinic.call_back(first, second.sid, "delivered")
    second.refresh_from_db()
    assert (second.status, second.open, second.due_at) == ("unconfirmed", False, None)


# Polling


def test_it_polls_until_the_end_is_known(clinic: Clinic) -> None:
    message = clinic.message()
    clinic.send()
    clinic.sandbox.push(clinic.sids()[0], "delivered")
    clinic.polls_come_due()
    clinic.track()
    message.refresh_from_db()
    attempt = message.attempts.get()
    assert (message.status, attempt.status, attempt.open, attempt.due_at) == ("delivered", "delivered", False, None)
    assert (str(message.price), message.price_unit) == ("-0.00830", "USD")
    assert events(message)[-1] == "delivered"


def test_it_polls_at_growing_distances_and_then_no_more(clinic: Clinic) -> None:
    clinic.message()
    clinic.send()
    clinic.sandbox.push(clinic.sids()[0], "sent")
    waits = []
    for _ in range(5):
        attempt = Attempt.objects.get()
        assert attempt.due_at is not None
        waits.append(round((attempt.due_at - attempt.started_at).total_seconds() / 60))
        clinic.polls_come_due()
        clinic.track()
    attempt = Attempt.objects.get()
    assert waits == [1, 10, 60, 360, 1440]
    assert (attempt.status, attempt.open, attempt.due_at) == ("sent", False, None)
    assert Message.objects.get().status == "sent"


def test_a_poll_that_says_nothing_new_leaves_no_event(clinic: Clinic) -> None:
    message = clinic.message()
    clinic.send()
    clinic.polls_come_due()
    clinic.track()
    assert events(message) == ["sending", "accepted"]


def test_a_poll_that_fails_is_repeated(clinic: Clinic) -> None:
    clinic.message()
    clinic.send()
    clinic.sandbox.faults = {"fetch_error": 1}
    clinic.polls_come_due()
    clinic.track()
    attempt = Attempt.objects.get()
    assert (attempt.status, attempt.polls_done) == ("accepted", 0)
    assert attempt.due_at is not None


def test_it_stops_polling_a_message_that_twilio_does_not_have_any_more(clinic: Clinic) -> None:
    clinic.message()
    clinic.send()
    clinic.sandbox.reset()
    clinic.polls_come_due()
    clinic.track()
    attempt = Attempt.objects.get()
    assert (attempt.status, attempt.due_at, attempt.open) == ("accepted", None, False)
    assert attempt.ended_at


def test_it_stops_polling_in_the_end_when_twilio_never_answers(clinic: Clinic) -> None:
    clinic.message()
    clinic.send()
    clinic.sandbox.faults = {"fetch_error": 1}
    Attempt.objects.update(started_at=timezone.now() - timedelta(days=3))
    clinic.polls_come_due()
    clinic.track()
    attempt = Attempt.objects.get()
    assert (attempt.due_at, attempt.open) == (None, False)
    assert DeliveryEvent.objects.filter(detail__startswith="It is not asked about any more").exists()


def test_a_price_that_is_never_told_does_not_change_when_the_text_ended(clinic: Clinic) -> None:
    clinic.message()
    clinic.send()
    attempt = Attempt.objects.get()
    clinic.call_back(attempt, attempt.sid, "delivered")
    ended_at = Attempt.objects.get().ended_at
    clinic.sandbox.reset()
    clinic.polls_come_due()
    clinic.track()
    attempt = Attempt.objects.get()
    assert (attempt.due_at, attempt.ended_at) == (None, ended_at)


def test_a_poll_shows_why_a_text_did_not_arrive(clinic: Clinic) -> None:
    message = clinic.message()
    clinic.send()
    clinic.sandbox.push(clinic.sids()[0], "undelivered", 30003)
    clinic.polls_come_due()
    clinic.track()
    message.refresh_from_db()
    assert (message.status, message.error_code) == ("undelivered", 30003)


def test_a_price_that_comes_late_is_waited_for(clinic: Clinic) -> None:
    message = clinic.message()
    clinic.send()
    attempt = message.attempts.get()
    clinic.call_back(attempt, attempt.sid, "delivered")
    attempt.refresh_from_db()
    assert (attempt.open, attempt.due_at is None) == (False, False)
    clinic.sandbox.push(attempt.sid, "delivered")
    clinic.polls_come_due()
    clinic.track()
    message.refresh_from_db()
    assert message.price is not None


def test_an_attempt_that_kills_its_workers_is_left_to_the_operator(clinic: Clinic) -> None:
    message = ambiguous(clinic, "error_500_before")
    set_aside(take(Attempt, 1, LEASE)[0])
    message.refresh_from_db()
    attempt = message.attempts.get()
    assert (message.status, attempt.status, attempt.open, attempt.due_at) == (
        "unconfirmed",
        "unconfirmed",
        False,
        None,
    )
    assert DeliveryEvent.objects.filter(detail__contains="never ended").exists()
