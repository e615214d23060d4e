"""What happens at the same instant, with real transactions and real HTTP."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from postcall.config import config
from postcall.followups.models import OptOut
from postcall.followups.optouts import opt_out
from postcall.messages.claim import claim
from postcall.messages.models import Attempt, DeliveryEvent, Message
from postcall.messages.operator import NotPossible, resend
from postcall.messages.send import Fence, hand_to_twilio, record
from postcall.messages.signatures import UnknownAddress
from postcall.work.leases import take

from .clinic import ANN, BEN, BODY, LEASE, Clinic, events
from .together import Running, at_once, held, wait_until, waiting_for_locks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clinic(transactional_db: None, sandbox: Any) -> Clinic:
    return Clinic("Northgate Clinic", sandbox)


def test_many_workers_send_each_text_once(clinic: Clinic) -> None:
    for n in range(20):
        clinic.message(f"Text {n}", to=ANN if n % 2 else BEN, valid_until=timezone.now() + timedelta(hours=1))
    clinic.workspace.max_per_number_per_day = None
    clinic.workspace.save()
    assert at_once(*[clinic.send] * 4) == []
    assert len(clinic.sandbox.creates) == 20
    assert set(clinic.sandbox.creates.values()) == {1}


def test_workers_on_one_number_keep_its_cap(clinic: Clinic) -> None:
    clinic.workspace.max_per_number_per_day = 3
    clinic.workspace.save()
    for n in range(8):
        clinic.message(f"Text {n}")

    def one_at_a_time() -> None:
        from postcall.messages.send import send

        for message in take(Message, 2, LEASE):
            send(message)

    assert at_once(*[one_at_a_time] * 4) == []
    assert sum(clinic.sandbox.creates.values()) == 3


def test_workers_of_one_workspace_keep_its_budget(clinic: Clinic) -> None:
    clinic.workspace.max_messages_per_day = 3
    clinic.workspace.save()
    for n in range(8):
        clinic.message(to=f"+1555123010{n}")

    def one_at_a_time() -> None:
        from postcall.messages.send import send

        for message in take(Message, 2, LEASE):
            send(message)

    assert at_once(*[one_at_a_time] * 4) == []
    assert sum(clinic.sandbox.creates.values()) == 3


def test_a_claim_waits_for_an_opt_out_that_is_being_recorded(clinic: Clinic) -> None:
    message = clinic.message()
    worker = threading.Thread(target=lambda: (clinic.send(), connections.close_all()))
    with transaction.atomic():
        opt_out(clinic.workspace.pk, ANN, OptOut.Origin.STOP)
        worker.start()
        wait_until(waiting_for_locks)
    worker.join()
    message.refresh_from_db()
    assert (message.status, message.follow_up.reason) == ("canceled", "opted_out")
    assert not clinic.sandbox.messages


def test_identical_texts_at_the_same_instant_are_created_one_after_the_other(clinic: Clinic) -> None:
    clinic.message()
    clinic.message()
    first, second = take(Message, 2, LEASE)
    opened: list[Attempt | None] = []
    assert at_once(*[lambda m=m: opened.append(claim(m)) for m in (first, second)]) == []  # type: ignore[misc]  # a lambda
    assert sorted(attempt is None for attempt in opened) == [False, True]


def test_identical_texts_of_two_workspaces_on_one_account_are_created_one_after_the_other(clinic: Clinic) -> None:
    from postcall.messages.models import SendingAccount

    other = Clinic("Elm Clinic", clinic.sandbox)
    SendingAccount.objects.update(account=clinic.account)
    clinic.message()
    other.message()
    first, second = take(Message, 2, LEASE)
    opened: list[Attempt | None] = []
    assert at_once(*[lambda m=m: opened.append(claim(m)) for m in (first, second)]) == []  # type: ignore[misc]  # a lambda
    assert sorted(attempt is None for attempt in opened) == [False, True]


def test_of_two_clicks_at_the_same_instant_one_counts(clinic: Clinic) -> None:
    message = clinic.message()
    clinic.send()
    attempt = message.attempts.get()
    clinic.call_back(attempt, attempt.sid, "undelivered", ErrorCode="30003")
    clicks = [Message.objects.get(), Message.objects.get()]
    raised = at_once(*[lambda m=m: resend(m, "", by="Dana") for m in clicks])  # type: ignore[misc]  # a lambda
    assert [isinstance(error, NotPossible) for error in raised] == [True]
    clinic.send()
    assert clinic.sandbox.creates == {(ANN, BODY): 2}


def test_callbacks_at_the_same_instant_end_in_the_last_status(clinic: Clinic) -> None:
    message = clinic.message()
    clinic.send()
    attempt = message.attempts.get()
    statuses = ("queued", "sending", "sent", "delivered", "sent", "delivered")
    raised = at_once(*[lambda s=s: clinic.call_back(attempt, attempt.sid, s) for s in statuses])  # type: ignore[misc]  # a lambda
    message.refresh_from_db()
    assert raised == []
    assert message.status == "delivered"
    assert DeliveryEvent.objects.filter(origin="twilio").count() == len(statuses)


def test_an_attempt_that_is_erased_meanwhile_has_no_address_any_more(clinic: Clinic) -> None:
    message = clinic.message()
    clinic.send()
    attempt = message.attempts.get()
    with held(message):
        callback = Running(lambda: clinic.call_back(attempt, attempt.sid, "delivered"))
        wait_until(waiting_for_locks)
        attempt.delete()
    assert isinstance(callback.join(), UnknownAddress)


@pytest.mark.parametrize("fault", [None, "error_500_after", "cut_after", "double_callback", "reorder_callbacks"])
def test_signed_callbacks_over_http_take_a_text_to_its_end(
    clinic: Clinic, live_server: Any, monkeypatch: pytest.MonkeyPatch, fault: str | None
) -> None:
    monkeypatch.setenv("POSTCALL_PUBLIC_URL", live_server.url)
    config.cache_clear()
    if fault:
        clinic.sandbox.fail_next(fault)
    message = clinic.message()
    clinic.send()
    for status in ("sending", "sent", "delivered"):
        clinic.sandbox.push(clinic.sids()[0], status)
    clinic.sandbox.wait_until_idle()
    assert {callback.status for callback in clinic.sandbox.callbacks} == {204}
    clinic.track(3)
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.sid, message.attempts_made) == ("delivered", clinic.sids()[0], 1)
    assert events(message).count("delivered") == 1
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_a_stop_over_http_keeps_the_next_text_from_going_out(
    clinic: Clinic, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTCALL_PUBLIC_URL", live_server.url)
    config.cache_clear()
    clinic.message()
    clinic.send()
    delivery = clinic.sandbox.inbound(
        account_sid=clinic.account.account_sid,
        from_number=ANN,
        to="+15005550006",
        body="Stop",
        url=f"{live_server.url}/twilio/inbound/{clinic.account.inbound_token}",
    )
    assert (delivery.status, delivery.answer) == (200, '<?xml version="1.0" encoding="UTF-8"?><Response/>')
    later = clinic.message("Another text")
    clinic.send()
    later.refresh_from_db()
    assert later.follow_up.reason == "opted_out"


def test_an_answer_is_not_forgotten_because_the_database_went_away_for_a_moment(clinic: Clinic) -> None:
    message = clinic.message()
    attempt = claim(take(Message, 1, LEASE)[0])
    assert attempt is not None
    outcome = hand_to_twilio(attempt, Fence())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]

    def cut() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    assert at_once(cut) == []
    record(attempt, outcome)
    message.refresh_from_db()
    assert (message.status, message.sid) == ("accepted", clinic.sids()[0])
