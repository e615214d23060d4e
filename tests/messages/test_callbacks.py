"""Callbacks move a text forward, in whatever order and however often they come."""

from __future__ import annotations

import pytest

from postcall.config import config
from postcall.followups.models import OptOut
from postcall.messages.accounts import use_own
from postcall.messages.callbacks import receive_status
from postcall.messages.claim import claim
from postcall.messages.models import Attempt, DeliveryEvent, Message, StrayCallback
from postcall.messages.send import Fence, hand_to_twilio, record, send
from postcall.messages.signatures import BadSignature, UnknownAddress
from postcall.messages.track import track
from postcall.messages.twilio_client import Ambiguous
from postcall.work.leases import LostLease, take

from .clinic import ANN, BODY, LEASE, Clinic, events

SID = "SM" + "5" * 32


def accepted(clinic: Clinic) -> Attempt:
    clinic.message()
    clinic.send()
    return Attempt.objects.get()


def unconfirmed(clinic: Clinic) -> Attempt:
    clinic.message()
    clinic.sandbox.fail_next("error_500_before")
    clinic.send()
    return Attempt.objects.get()


def test_it_follows_a_text_to_its_delivery(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    for status in ("queued", "sending", "sent", "delivered"):
        clinic.call_back(attempt, attempt.sid, status)
    message = Message.objects.get()
    attempt.refresh_from_db()
    assert (message.status, attempt.status, attempt.open) == ("delivered", "delivered", False)
    assert events(message) == ["sending", "accepted", "accepted", "accepted", "sent", "delivered"]
    words = DeliveryEvent.objects.filter(origin="twilio").order_by("at").values_list("provider_status", flat=True)
    assert list(words) == ["queued", "sending", "sent", "delivered"]


def test_it_never_goes_back(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    for status in ("delivered", "sent", "queued", "failed"):
        clinic.call_back(attempt, attempt.sid, status)
    message = Message.objects.get()
    assert message.status == "delivered"
    assert events(message) == ["sending", "accepted", "delivered", "sent", "accepted", "failed"]


def test_it_keeps_a_callback_that_comes_twice(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    clinic.call_back(attempt, attempt.sid, "sent")
    clinic.call_back(attempt, attempt.sid, "sent")
    assert events(Message.objects.get()) == ["sending", "accepted", "sent", "sent"]


def test_it_keeps_a_status_that_it_does_not_know(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    clinic.call_back(attempt, attempt.sid, "teleported")
    assert Message.objects.get().status == "accepted"
    assert DeliveryEvent.objects.get(origin="twilio").provider_status == "teleported"


def test_it_shows_why_a_text_did_not_arrive(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    clinic.call_back(attempt, attempt.sid, "undelivered", ErrorCode="30006", ErrorMessage="Landline")
    message = Message.objects.get()
    assert (message.status, message.error_code, message.error_message) == ("undelivered", 30006, "Landline")


def test_it_remembers_an_opt_out_that_a_callback_tells_of(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    clinic.call_back(attempt, attempt.sid, "failed", ErrorCode="21610")
    assert OptOut.objects.get().number == ANN


def test_a_callback_may_come_before_our_own_response(clinic: Clinic) -> None:
    clinic.message()
    attempt = claim(take(Message, 1, LEASE)[0])
    assert attempt is not None
    outcome = hand_to_twilio(attempt, Fence())
    clinic.call_back(attempt, clinic.sids()[0], "sent")
    assert Message.objects.get().status == "sent"
    record(attempt, outcome)
    message, attempt = Message.objects.get(), Attempt.objects.get()
    assert (message.status, message.sid, attempt.status) == ("sent", clinic.sids()[0], "sent")
    assert attempt.lease_until is None
    assert attempt.due_at is not None


def test_a_callback_outdoes_a_response_that_never_came(clinic: Clinic) -> None:
    clinic.message()
    attempt = claim(take(Message, 1, LEASE)[0])
    assert attempt is not None
    clinic.call_back(attempt, SID, "delivered")
    record(attempt, Ambiguous("ReadTimeout"))
    message, attempt = Message.objects.get(), Attempt.objects.get()
    assert (message.status, attempt.status, attempt.open) == ("delivered", "delivered", False)


def test_a_callback_proves_an_unconfirmed_attempt(clinic: Clinic) -> None:
    attempt = unconfirmed(clinic)
    clinic.call_back(attempt, SID, "sent")
    clinic.track(3)
    clinic.send()
    message, attempt = Message.objects.get(), Attempt.objects.get()
    assert (message.status, message.sid, attempt.provisional) == ("sent", SID, False)
    assert message.attempts_made == 1


def test_a_callback_makes_a_found_message_certain(clinic: Clinic) -> None:
    clinic.message()
    clinic.sandbox.fail_next("error_500_after")
    clinic.send()
    clinic.track()
    attempt = Attempt.objects.get()
    assert attempt.provisional
    clinic.call_back(attempt, attempt.sid, "queued")
    attempt.refresh_from_db()
    assert not attempt.provisional


def test_a_callback_corrects_a_message_that_was_found_wrongly(clinic: Clinic) -> None:
    clinic.message()
    clinic.sandbox.fail_next("error_500_after")
    clinic.send()
    clinic.track()
    attempt = Attempt.objects.get()
    clinic.call_back(attempt, SID, "sent")
    attempt.refresh_from_db()
    assert (attempt.sid, attempt.provisional, attempt.status) == (SID, False, "sent")
    assert Message.objects.get().sid == SID


def test_a_callback_withdraws_the_next_attempt_of_a_text_that_did_go_out(clinic: Clinic) -> None:
    attempt = unconfirmed(clinic)
    clinic.track(3)
    overtaken = take(Message, 1, LEASE)[0]
    clinic.call_back(attempt, SID, "delivered")
    assert not Message.objects.filter(generation=overtaken.generation).exists()
    with pytest.raises(LostLease):
        send(overtaken)
    clinic.send()
    message = Message.objects.get()
    assert (message.status, message.sid, message.attempts_made, message.due_at) == ("delivered", SID, 1, None)
    assert not clinic.sandbox.messages


def test_a_late_callback_of_an_earlier_attempt_is_told_honestly(clinic: Clinic) -> None:
    first = unconfirmed(clinic)
    clinic.track(3)
    clinic.send()
    clinic.call_back(first, SID, "delivered")
    first.refresh_from_db()
    message = Message.objects.get()
    assert (first.status, first.open, first.sid) == ("delivered", False, SID)
    assert (message.status, message.sid, message.attempts_made) == ("accepted", clinic.sids()[0], 2)
    assert DeliveryEvent.objects.filter(attempt_number=1, detail__contains="twice").count() == 1


def test_it_takes_back_that_a_text_expired_once_it_was_delivered(clinic: Clinic) -> None:
    attempt = unconfirmed(clinic)
    Message.objects.update(valid_until=attempt.started_at)
    clinic.track(3)
    message = Message.objects.get()
    assert message.follow_up.reason == "expired"
    clinic.call_back(attempt, SID, "delivered")
    message = Message.objects.get()
    assert (message.status, message.follow_up.outcome, message.follow_up.reason) == ("delivered", "message", "")


def test_it_does_not_act_upon_a_callback_that_names_another_message(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    clinic.call_back(attempt, SID, "delivered")
    message = Message.objects.get()
    assert (message.status, message.sid) == ("accepted", attempt.sid)
    stray = StrayCallback.objects.get()
    assert (stray.attempt, stray.sid, stray.provider_status) == (attempt, SID, "delivered")


def test_it_does_not_give_one_sid_to_two_attempts_that_were_told_it(clinic: Clinic) -> None:
    first = accepted(clinic)
    clinic.message("Another text")
    clinic.sandbox.fail_next("error_500_before")
    clinic.send()
    second = Attempt.objects.exclude(pk=first.pk).get()
    clinic.call_back(second, first.sid, "delivered")
    second.refresh_from_db()
    assert (second.status, second.sid) == ("unconfirmed", "")
    assert StrayCallback.objects.count() == 1


def test_it_refuses_an_address_that_nobody_was_given(clinic: Clinic) -> None:
    with pytest.raises(UnknownAddress):
        receive_status("nobody", "/twilio/status/nobody", [], {})


def form_of(attempt: Attempt) -> dict[str, str]:
    return {
        "AccountSid": attempt.account_sid,
        "MessageSid": attempt.sid,
        "MessageStatus": "sent",
        "To": "",
        "From": "",
    }


def test_it_refuses_a_callback_without_a_signature(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    with pytest.raises(BadSignature):
        receive_status(attempt.token, f"/twilio/status/{attempt.token}", form_of(attempt).items(), {})


def test_it_refuses_a_callback_that_was_changed(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    path, form = f"/twilio/status/{attempt.token}", form_of(attempt)
    headers = clinic.signed(path, form)
    form["MessageStatus"] = "delivered"
    with pytest.raises(BadSignature):
        receive_status(attempt.token, path, form.items(), headers)
    assert Message.objects.get().status == "accepted"


def test_it_refuses_a_callback_signed_by_another_account(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    other = use_own(clinic.workspace, account_sid="AC" + "c" * 32, auth_token="x" * 32).account
    path, form = f"/twilio/status/{attempt.token}", form_of(attempt)
    for form["AccountSid"] in (other.account_sid, attempt.account_sid):
        with pytest.raises(BadSignature):
            receive_status(attempt.token, path, form.items(), clinic.signed(path, form, other))


def test_it_refuses_a_callback_that_speaks_of_another_account(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    path, form = f"/twilio/status/{attempt.token}", form_of(attempt) | {"AccountSid": "AC" + "c" * 32}
    with pytest.raises(BadSignature):
        receive_status(attempt.token, path, form.items(), clinic.signed(path, form))


def test_it_takes_a_callback_signed_by_the_attempts_account_after_another_was_connected(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    use_own(clinic.workspace, account_sid="AC" + "c" * 32, auth_token="x" * 32)
    clinic.call_back(attempt, attempt.sid, "delivered")
    assert Message.objects.get().status == "delivered"


def test_it_takes_a_signature_over_the_address_with_its_fragment(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    path, form = f"/twilio/status/{attempt.token}", form_of(attempt)
    receive_status(attempt.token, path, form.items(), clinic.signed(path + "#rc=5&rp=all", form))
    assert Message.objects.get().status == "sent"


def test_it_takes_a_signature_by_hmac_sha256_where_the_header_says_so(clinic: Clinic) -> None:
    from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK ships no types

    attempt = accepted(clinic)
    path, form = f"/twilio/status/{attempt.token}", form_of(attempt)
    signature = RequestValidator(clinic.account.auth_token).compute_signature(
        config().base_url + path, form, "HMAC_SHA256"
    )
    headers = {
        "x-twilio-signature": signature,
        "x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
    }
    receive_status(attempt.token, path, form.items(), headers)
    assert Message.objects.get().status == "sent"


def test_most_callbacks_take_two_queries(clinic: Clinic, django_assert_num_queries: object) -> None:
    attempt = accepted(clinic)
    with django_assert_num_queries(2):  # type: ignore[operator]  # pytest-django's fixture
        clinic.call_back(attempt, attempt.sid, "queued")
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


@pytest.mark.parametrize(
    "fields",
    [
        {"MessageSid": "x" * 300},
        {"MessageSid": ""},
        {"MessageStatus": "", "SmsStatus": ""},
        {"MessageStatus": "\0" * 40},
        {"ErrorCode": "9" * 40},
        {"ErrorMessage": "a\0b"},
        {"From": "+" + "1" * 60},
    ],
)
def test_it_survives_a_signed_callback_that_makes_no_sense(clinic: Clinic, fields: dict[str, str]) -> None:
    attempt = accepted(clinic)
    clinic.call_back(attempt, attempt.sid, "sent", **fields)
    assert Message.objects.get().status in ("accepted", "sent")


def test_it_heeds_no_error_of_another_message(clinic: Clinic) -> None:
    attempt = accepted(clinic)
    clinic.call_back(attempt, SID, "failed", ErrorCode="21610")
    assert not OptOut.objects.exists()
    assert StrayCallback.objects.count() == 1


def test_a_text_whose_end_was_told_before_its_answer_is_asked_its_price(clinic: Clinic) -> None:
    clinic.message()
    attempt = claim(take(Message, 1, LEASE)[0])
    assert attempt is not None
    hand_to_twilio(attempt, Fence())
    (sid,) = clinic.sids()
    clinic.sandbox.push(sid, "delivered")
    clinic.call_back(attempt, sid, "delivered")
    record(attempt, Ambiguous("ReadTimeout"))
    clinic.polls_come_due()
    clinic.track()
    assert Message.objects.get().price is not None


def test_a_text_whose_end_was_told_while_the_list_was_read_is_asked_its_price(clinic: Clinic) -> None:
    clinic.message()
    clinic.sandbox.fail_next("error_500_after")
    clinic.send()
    (sid,) = clinic.sids()
    clinic.sandbox.push(sid, "delivered")
    (tracked,) = take(Attempt, 1, LEASE)
    clinic.call_back(tracked, sid, "delivered")
    track(tracked)
    clinic.polls_come_due()
    clinic.track()
    assert Message.objects.get().price is not None
