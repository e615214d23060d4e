"""A follow-up's text becomes a message that is sent by whoever made it, or by whoever comes after."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from postcall.calls.models import Call
from postcall.followups.handing import Draft, Messaging, Sender
from postcall.followups.models import FollowUp, OptOut
from postcall.followups.optouts import opt_out
from postcall.messages.accounts import use_own
from postcall.messages.handing import TwilioMessaging
from postcall.messages.models import Message, SendingAccount
from postcall.messages.send import send
from postcall.work import clock
from postcall.work.leases import take

from .clinic import ANN, BODY, LEASE, Clinic, events


def follow_up(clinic: Clinic) -> FollowUp:
    message = clinic.message()
    follow_up = message.follow_up
    message.delete()
    return FollowUp.objects.get(pk=follow_up.pk)


def draft(sender: Sender | None, **fields: object) -> Draft:
    now = clock.now()
    given = {"to": ANN, "body": BODY, "not_before": now, "valid_until": now + timedelta(hours=1)} | fields
    return Draft(sender=sender or Sender(), **given)  # type: ignore[arg-type]  # as Draft has them


def sender_of(clinic: Clinic, **call: str) -> Sender | None:
    return TwilioMessaging().sender_for(clinic.workspace, clinic.agent, Call(**call))


def test_it_leaves_a_text_that_is_due_to_the_workers(clinic: Clinic) -> None:
    messaging: Messaging = TwilioMessaging()
    messaging.hand_over(follow_up(clinic), draft(sender_of(clinic)))
    clinic.send()
    message = Message.objects.get()
    assert (message.status, message.encoding, message.segments) == ("accepted", "GSM-7", 1)
    assert events(message) == ["queued", "sending", "accepted"]


def test_it_passes_a_text_that_is_due_on_once_it_is_committed(
    clinic: Clinic, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as committed:
        TwilioMessaging(pass_on=send).hand_over(follow_up(clinic), draft(sender_of(clinic)))
    assert take(Message, 1, LEASE) == []
    assert not clinic.sandbox.messages
    for passed_on in committed:
        passed_on()
    assert Message.objects.get().status == "accepted"


def test_it_remembers_that_an_operator_asked(clinic: Clinic) -> None:
    TwilioMessaging().hand_over(follow_up(clinic), draft(sender_of(clinic), by="operator"))
    assert Message.objects.get().next_by == "operator"


def test_another_worker_takes_over_from_one_that_died(clinic: Clinic) -> None:
    TwilioMessaging(pass_on=send).hand_over(follow_up(clinic), draft(sender_of(clinic)))
    Message.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    clinic.send()
    assert Message.objects.get().status == "accepted"


def test_it_schedules_a_text_for_later(clinic: Clinic, django_capture_on_commit_callbacks: Any) -> None:
    later = timezone.now() + timedelta(hours=2)
    with django_capture_on_commit_callbacks() as committed:
        TwilioMessaging(pass_on=send).hand_over(follow_up(clinic), draft(sender_of(clinic), not_before=later))
    message = Message.objects.get()
    assert (message.status, message.due_at, message.lease_until, committed) == ("scheduled", later, None, [])


def test_the_sender_is_the_agents_else_the_workspaces(clinic: Clinic) -> None:
    assert sender_of(clinic) == Sender(from_number="+15005550006")
    clinic.agent.follow_agent_number = True
    assert sender_of(clinic, agent_number="+15559870000") == Sender(from_number="+15559870000")
    assert sender_of(clinic, agent_number="web") == Sender(from_number="+15005550006")
    clinic.agent.from_number = "+15559870001"
    assert sender_of(clinic) == Sender(from_number="+15559870001")
    clinic.agent.messaging_service_sid = "MG" + "1" * 32
    assert sender_of(clinic) == Sender(messaging_service_sid="MG" + "1" * 32)


def test_a_messaging_service_of_the_workspace_goes_before_its_number(clinic: Clinic) -> None:
    use_own(clinic.workspace, account_sid="AC" + "1" * 32, auth_token="t", messaging_service_sid="MG" + "1" * 32)
    assert sender_of(clinic) == Sender(messaging_service_sid="MG" + "1" * 32)


def test_there_is_no_sender_without_an_account(clinic: Clinic) -> None:
    SendingAccount.objects.all().delete()
    assert sender_of(clinic) is None


def test_it_counts_what_left_or_may_have_left_within_a_day(clinic: Clinic) -> None:
    clinic.workspace.max_messages_per_day = 10
    clinic.workspace.save()
    now = timezone.now()
    for sent_at in (now, now - timedelta(hours=23), now - timedelta(hours=25), None):
        clinic.message(sent_at=sent_at)
    facts = TwilioMessaging().facts_about(clinic.workspace.pk, ANN)
    assert (facts.opted_out, facts.sent_to_number, facts.sent_by_workspace) == (None, 2, 2)


@pytest.mark.parametrize(
    ("origin", "words"), [("stop", "texted STOP: “Stop.”"), ("operator", "an operator recorded it")]
)
def test_it_says_how_a_number_opted_out(clinic: Clinic, origin: str, words: str) -> None:
    opt_out(clinic.workspace.pk, ANN, OptOut.Origin(origin), quote="Stop." if origin == "stop" else "")
    opted_out = TwilioMessaging().facts_about(clinic.workspace.pk, ANN).opted_out
    assert opted_out is not None
    assert opted_out.endswith(words)
