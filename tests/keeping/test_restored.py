"""After an older backup was restored nothing is sent twice, and nothing at all before somebody says so."""

from __future__ import annotations

from datetime import datetime, timedelta

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from postcall.followups.models import FollowUp, Reason
from postcall.keeping.models import Restoration, Sought
from postcall.keeping.restore import mark_restored, resume_sending
from postcall.messages.models import Attempt, DeliveryEvent, Message
from postcall.sandbox.running import Sandbox
from postcall.work import clock

from .clinic import ANN, Clinic

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def restored(taken_at: datetime, *, resumed: bool = True) -> None:
    """As `postcall restore` tells the database."""
    now = clock.now()
    Restoration.objects.create(taken_at=taken_at, restored_at=now, resumed_at=now if resumed else None)


def sent_after_the_backup(clinic: Clinic) -> Message:
    """A text that was waiting when the backup was made, and went out after it: the restored rows say it waits."""
    clinic.call()
    clinic.process()
    message = Message.objects.get()
    before = {field.attname: getattr(message, field.attname) for field in Message._meta.concrete_fields}
    taken_at = clock.now()
    clinic.send()
    assert len(clinic.sandbox.messages) == 1
    Attempt.objects.all().delete()
    DeliveryEvent.objects.all().delete()
    Message.objects.filter(pk=message.pk).update(**{name: value for name, value in before.items() if name != "id"})
    restored(taken_at)
    message.refresh_from_db()
    return message


def go_on(clinic: Clinic) -> None:
    for _ in range(4):
        clinic.everything_is_due()
        clinic.send()
        clinic.everything_is_due()
        clinic.track()


def test_it_sends_nothing_again_that_was_sent_after_the_backup(clinic: Clinic, sandbox: Sandbox) -> None:
    message = sent_after_the_backup(clinic)
    go_on(clinic)
    message.refresh_from_db()
    assert len(sandbox.messages) == 1
    assert (message.sid, message.status) == (sandbox.messages[0].sid, "accepted")
    assert FollowUp.objects.get().outcome == "message"


def test_it_looks_from_the_backup_on_and_not_from_the_restoration(clinic: Clinic, sandbox: Sandbox) -> None:
    sent_after_the_backup(clinic)
    Restoration.objects.update(restored_at=clock.now() + HOUR)  # as if the text had been sent an hour before it
    go_on(clinic)
    assert len(sandbox.messages) == 1


def test_it_sends_what_was_not_sent_before(clinic: Clinic, sandbox: Sandbox) -> None:
    clinic.call()
    clinic.process()
    restored(clock.now() - HOUR)
    go_on(clinic)
    assert [text.to for text in sandbox.messages] == [ANN]
    assert [attempt.status for attempt in Attempt.objects.order_by("number")] == ["absent", "accepted"]
    assert Sought.objects.count() == 1


def test_it_asks_about_calls_that_had_not_been_decided_yet(clinic: Clinic, sandbox: Sandbox) -> None:
    """The follow-up is made anew after the restoration, and so is its text."""
    message = sent_after_the_backup(clinic)
    call = message.follow_up.call
    FollowUp.objects.all().delete()
    call.status, call.processed_at, call.due_at, call.generation = "received", None, clock.now(), 0
    call.save()
    clinic.process()
    go_on(clinic)
    assert len(sandbox.messages) == 1


def test_it_asks_about_an_old_call_that_is_reported_again(clinic: Clinic, sandbox: Sandbox) -> None:
    message = sent_after_the_backup(clinic)
    message.follow_up.call.delete()
    clinic.call(ended_at=(clock.now() - HOUR).isoformat())
    clinic.process()
    go_on(clinic)
    assert len(sandbox.messages) == 1


def test_it_does_not_ask_about_calls_since(clinic: Clinic, sandbox: Sandbox) -> None:
    restored(clock.now() - HOUR)
    clinic.call()
    clinic.process()
    clinic.everything_is_due()
    clinic.send()
    assert [attempt.status for attempt in Attempt.objects.all()] == ["accepted"]
    assert sandbox.requests["list", 200] == 0


def test_it_leaves_to_the_operator_what_may_be_the_text_in_other_words(clinic: Clinic, sandbox: Sandbox) -> None:
    message = sent_after_the_backup(clinic)
    sandbox.push(sandbox.messages[0].sid, "delivered")
    Message.objects.update(body="Hi Annabel, see you.")
    go_on(clinic)
    message.refresh_from_db()
    assert len(sandbox.messages) == 1
    assert FollowUp.objects.get().reason == Reason.SET_ASIDE


def test_it_sends_nothing_while_the_list_cannot_be_read(clinic: Clinic, sandbox: Sandbox) -> None:
    sent_after_the_backup(clinic)
    sandbox.faults = {"list_error": 1}
    go_on(clinic)
    assert len(sandbox.messages) == 1
    assert Message.objects.get().status == "unconfirmed"


def test_it_asks_also_about_what_has_expired_since(clinic: Clinic, sandbox: Sandbox) -> None:
    message = sent_after_the_backup(clinic)
    Message.objects.update(valid_until=clock.now() - timedelta(seconds=1))
    go_on(clinic)
    message.refresh_from_db()
    assert message.status == "accepted"
    assert FollowUp.objects.get().outcome == "message"


def test_it_asks_again_after_another_restoration(clinic: Clinic, sandbox: Sandbox) -> None:
    message = sent_after_the_backup(clinic)
    first = Restoration.objects.get()
    Sought.objects.create(message=message, restoration=first)
    restored(first.taken_at)
    go_on(clinic)
    assert len(sandbox.messages) == 1


def test_it_sends_nothing_until_it_is_told_to(clinic: Clinic, sandbox: Sandbox) -> None:
    restored(clock.now() - HOUR, resumed=False)
    clinic.call()
    clinic.process()
    clinic.everything_is_due()
    clinic.send()
    follow_up = FollowUp.objects.get()
    assert sandbox.messages == []
    assert (follow_up.outcome, follow_up.reason) == ("held", Reason.SENDER_PAUSED)
    assert "postcall restore --resume" in follow_up.detail
    Restoration.objects.update(resumed_at=clock.now())
    go_on(clinic)
    assert len(sandbox.messages) == 1
    assert FollowUp.objects.get().outcome == "message"


def test_it_waits_without_haste_past_its_validity(clinic: Clinic, sandbox: Sandbox) -> None:
    restored(clock.now() - HOUR, resumed=False)
    clinic.call()
    clinic.process()
    Message.objects.update(valid_until=clock.now() - HOUR)
    clinic.everything_is_due()
    clinic.send()
    due_at = Message.objects.get().due_at
    assert due_at is not None
    assert due_at > clock.now() + timedelta(seconds=30)


@pytest.mark.django_db(transaction=True)
def test_it_is_told_of_a_restoration_and_of_its_end() -> None:
    name = {**settings.DATABASES["default"], **connection.settings_dict}
    parameters = {"host": name["HOST"], "port": name["PORT"], "user": name["USER"], "password": name["PASSWORD"]}
    with psycopg.connect(dbname=name["NAME"], autocommit=True, **parameters) as own:
        mark_restored(own, clock.now() - HOUR, resume=False)
        assert Restoration.objects.get().resumed_at is None
        assert resume_sending(own)
        assert Restoration.objects.get().resumed_at is not None
        assert not resume_sending(own)
