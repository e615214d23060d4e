"""What is told of, by whatever part of Postcall it came about: with what happened, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from messages.clinic import ANN, Clinic
from outbound.servers import serving

from postcall.followups.models import FollowUp
from postcall.followups.review import reject
from postcall.messages.claim import drop
from postcall.messages.inbound import receive
from postcall.messages.models import Attempt, Message
from postcall.webhooks.models import WebhookDelivery, WebhookEvent
from postcall.workspaces.audit import SYSTEM

from .receiver import an_endpoint, arrived, work

pytestmark = pytest.mark.django_db


def told() -> list[tuple[str, Any]]:
    return [(event.type, event.data.get("status")) for event in WebhookEvent.objects.order_by("at")]


def sent_by(clinic: Clinic, **fields: Any) -> Attempt:
    message = clinic.message(**fields)
    clinic.send()
    return Attempt.objects.get(message=message)


def text(clinic: Clinic, body: str, sid: str = "SM" + "1" * 32, to: str = "+15005550006") -> None:
    form = {"AccountSid": clinic.account.account_sid, "From": ANN, "To": to, "Body": body, "MessageSid": sid}
    path = f"/twilio/inbound/{clinic.account.inbound_token}"
    receive(clinic.account.inbound_token, path, form.items(), clinic.signed(path, form))


def test_it_tells_how_a_text_does(clinic: Clinic) -> None:
    with serving() as server:
        endpoint = an_endpoint(clinic.workspace, server)
        attempt = sent_by(clinic)
        WebhookEvent.objects.all().delete()
        clinic.call_back(attempt, attempt.sid, "sent")
        clinic.call_back(attempt, attempt.sid, "delivered")
        work()
        events = {event["type"]: event["data"] for event in arrived(server, endpoint.secret)}
    assert set(events) == {"message.sent", "message.delivered"}
    message = attempt.message
    follow_up = message.follow_up
    assert events["message.delivered"] == {
        "id": str(message.pk),
        "follow_up_id": str(follow_up.pk),
        "workspace_id": str(clinic.workspace.pk),
        "attempt": 1,
        "status": "delivered",
        "to": ANN,
        "from": "+15005550006",
        "messaging_service_sid": None,
        "sid": attempt.sid,
        "segments": 1,
        "encoding": "GSM-7",
        "price": None,
        "error": None,
        "call": {"id": str(follow_up.call_id), "external_id": follow_up.call.external_id, "source": "api"},
        "agent": {"id": str(clinic.agent.pk), "name": "Front desk"},
        "action": {"id": str(clinic.action.pk), "name": "Confirmation", "revision": 1},
    }


def test_it_tells_that_a_text_was_sent_though_only_its_arrival_was_heard_of(clinic: Clinic) -> None:
    an_endpoint(clinic.workspace, events=["message.sent", "message.delivered"])
    attempt = sent_by(clinic)
    clinic.call_back(attempt, attempt.sid, "delivered")
    assert sorted(told()) == [("message.delivered", "delivered"), ("message.sent", "sent")]


def test_it_tells_a_status_once_however_often_it_is_heard(clinic: Clinic) -> None:
    an_endpoint(clinic.workspace, events=["message.sent"])
    attempt = sent_by(clinic)
    for _ in range(3):
        clinic.call_back(attempt, attempt.sid, "sent")
    assert told() == [("message.sent", "sent")]


def test_it_says_why_a_text_failed_and_what_to_do(clinic: Clinic) -> None:
    with serving() as server:
        endpoint = an_endpoint(clinic.workspace, server, events=["message.failed"])
        attempt = sent_by(clinic)
        clinic.call_back(attempt, attempt.sid, "undelivered", ErrorCode="30003")
        work()
        [event] = arrived(server, endpoint.secret)
    assert event["data"]["status"] == "undelivered"
    assert event["data"]["error"]["code"] == 30003
    assert event["data"]["error"]["message"]
    assert event["data"]["error"]["fix"]


def test_it_tells_of_follow_ups_when_they_are_decided_and_again_when_that_changes(clinic: Clinic) -> None:
    an_endpoint(clinic.workspace, events=["follow_up.decided"])
    message = clinic.message()
    drop(message, "expired", "Its time to be sent was over.")
    decided = [(event.data["outcome"], event.data["reason"]) for event in WebhookEvent.objects.order_by("at")]
    assert decided == [("message", None), ("skipped", "expired")]
    event = WebhookEvent.objects.last()
    assert event
    assert "to" not in event.data
    assert "detail" not in event.data


def test_it_tells_of_what_a_person_decided(clinic: Clinic) -> None:
    an_endpoint(clinic.workspace, events=["follow_up.decided"])
    follow_up = clinic.message().follow_up
    Message.objects.all().delete()
    FollowUp.objects.update(outcome="held", reason="awaiting_approval")
    reject(follow_up, SYSTEM)
    last = WebhookEvent.objects.order_by("at").last()
    assert last
    assert (last.data["reason"], last.data["review"]) == ("rejected", "rejected")


def test_it_tells_nothing_of_what_was_rolled_back(clinic: Clinic) -> None:
    an_endpoint(clinic.workspace)
    with transaction.atomic():
        clinic.message()
        assert WebhookEvent.objects.exists()
        transaction.set_rollback(True)
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("fields", [{"events": ["message.replied"]}, {"disabled_reason": "owner"}])
def test_it_notes_nothing_that_nobody_wants(clinic: Clinic, fields: dict[str, Any]) -> None:
    endpoint = an_endpoint(clinic.workspace, **fields)
    if endpoint.disabled_reason:
        type(endpoint).objects.update(disabled_at=endpoint.created_at)
    clinic.message()
    assert not WebhookEvent.objects.exists()


def test_it_tells_nobody_elses_webhook(clinic: Clinic) -> None:
    an_endpoint(Clinic("Harbour Garage", clinic.sandbox).workspace)
    clinic.message()
    assert not WebhookEvent.objects.exists()


def test_it_tells_each_webhook_that_wants_it(clinic: Clinic) -> None:
    wanting = {an_endpoint(clinic.workspace).pk, an_endpoint(clinic.workspace).pk}
    an_endpoint(clinic.workspace, events=["message.failed"])
    clinic.message()
    assert set(WebhookDelivery.objects.values_list("endpoint", flat=True)) == wanting
    assert WebhookEvent.objects.count() == 1


def test_it_tells_the_words_only_where_they_are_asked_for(clinic: Clinic) -> None:
    with serving() as curious, serving() as discreet:
        loud = an_endpoint(clinic.workspace, curious, events=["message.replied"], with_text=True)
        quiet = an_endpoint(clinic.workspace, discreet, events=["message.replied"])
        attempt = sent_by(clinic)
        text(clinic, "Can I come at 4?")
        work()
        [with_words], [without] = arrived(curious, loud.secret), arrived(discreet, quiet.secret)
    assert with_words["data"]["body"] == "Can I come at 4?"
    assert "body" not in without["data"]
    assert without["data"]["message_id"] == str(attempt.message_id)
    assert (without["data"]["from"], without["data"]["keyword"]) == (ANN, None)


def test_it_keeps_no_words_that_nobody_asked_for(clinic: Clinic) -> None:
    an_endpoint(clinic.workspace)
    sent_by(clinic)
    text(clinic, "Can I come at 4?")
    assert not [event for event in WebhookEvent.objects.all() if "body" in event.data]


def test_a_reply_that_twilio_reports_twice_is_told_once(clinic: Clinic) -> None:
    an_endpoint(clinic.workspace, events=["message.replied"])
    sent_by(clinic)
    for _ in range(2):
        text(clinic, "STOP")
    [event] = WebhookEvent.objects.all()
    assert event.data["keyword"] == "STOP"
    text(clinic, "STOP", sid="SM" + "2" * 32)
    assert WebhookEvent.objects.count() == 2


def test_a_reply_to_another_number_is_not_told(clinic: Clinic) -> None:
    an_endpoint(clinic.workspace, events=["message.replied"])
    sent_by(clinic)
    text(clinic, "Hello", to="+15005550007")
    assert not WebhookEvent.objects.exists()
