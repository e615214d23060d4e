"""What happens at the same instant, with real transactions and real HTTP."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from postcall.calls.receive import receive
from postcall.config import config
from postcall.followups.models import FollowUp, OptOut
from postcall.followups.optouts import active_opt_out, opt_out
from postcall.messages import inbound
from postcall.messages.claim import claim
from postcall.messages.models import Attempt, DeliveryEvent, Message, SendingAccount
from postcall.messages.operator import NotPossible, cancel, resend
from postcall.messages.send import Fence, hand_to_twilio, record, send
from postcall.messages.signatures import UnknownAddress
from postcall.sources.ended_call import EndedCall
from postcall.work.leases import LostLease, take
from postcall.work.models import Due
from postcall.worker.lanes import Lane, lanes

from .clinic import ANN, BEN, BODY, LEASE, Clinic, events
from .together import Running, at_once, database_time, held, one_after_the_other, wait_until, waiting_for_locks

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


def slowly(draw: random.Random, work: Callable[[], object]) -> Callable[[], object]:
    """The work, begun a moment later."""
    pause_s = draw.uniform(0, 0.03)
    return lambda: (time.sleep(pause_s), work())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_eight_workers_keep_a_numbers_cap_and_the_workspaces_budget(clinic: Clinic, seed: int) -> None:
    draw = random.Random(seed)
    clinic.workspace.max_per_number_per_day, clinic.workspace.max_messages_per_day = 3, 7
    clinic.workspace.save()
    numbers = [f"+1555123010{n}" for n in range(3)]
    for n in range(16):
        clinic.message(f"Text {n}", to=draw.choice(numbers))
    for fault in draw.choices(["slow", "refuse_429", "error_500_after", "cut_after"], k=6):
        clinic.sandbox.fail_next(fault)
    clinic.sandbox.faults = {"slow_ms": 5, "retry_after_s": 0}

    def work() -> None:
        for _ in range(2):
            for message in take(Message, 1, LEASE):
                send(message)

    for _ in range(3):
        assert at_once(*[slowly(draw, work) for _ in range(8)]) == []
        clinic.retries_come_due()
    left = Counter(to for to, _ in clinic.sandbox.creates.elements())
    assert max(left.values()) <= 3
    assert left.total() == 7
    assert set(clinic.sandbox.creates.values()) == {1}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_claimed_after_a_stop(clinic: Clinic, seed: int) -> None:
    """STOP comes to a sender that two workspaces share, in the midst of texts of both to the number."""
    draw = random.Random(seed)
    other = Clinic("Elm Clinic", clinic.sandbox)
    SendingAccount.objects.update(account=clinic.account)
    for each in (clinic, other):
        each.workspace.max_per_number_per_day = None
        each.workspace.save()
        for n in range(8):
            each.message(f"Text {n} of {each.workspace.name}")
    stopped: list[datetime] = []

    def stop() -> None:
        time.sleep(draw.uniform(0, 0.1))
        stop_by_text(clinic)
        stopped.append(database_time())

    def work() -> None:
        while messages := take(Message, 1, LEASE):
            send(messages[0])

    assert at_once(stop, *[work] * 4) == []
    assert not Attempt.objects.filter(started_at__gt=stopped[0]).exists()
    for message in Message.objects.select_related("follow_up"):
        reason = message.follow_up.reason
        assert (message.status, reason) in [("accepted", ""), ("canceled", "opted_out")]
    assert clinic.sandbox.creates.total() == Message.objects.filter(status="accepted").count()
    assert active_opt_out(clinic.workspace.pk, ANN)
    assert active_opt_out(other.workspace.pk, ANN)


def stop_by_text(clinic: Clinic) -> None:
    form = {"AccountSid": clinic.account.account_sid, "From": ANN, "To": "+15005550006", "Body": "STOP"}
    path = f"/twilio/inbound/{clinic.account.inbound_token}"
    inbound.receive(clinic.account.inbound_token, path, form.items(), clinic.signed(path, form))


def test_a_stop_waits_for_a_claim_that_is_under_way(clinic: Clinic) -> None:
    message, later = clinic.message(), clinic.message("Another text")
    first, second = sorted(take(Message, 2, LEASE), key=lambda taken: taken.pk != message.pk)
    with transaction.atomic():
        assert claim(first)
        stop = Running(lambda: stop_by_text(clinic))
        wait_until(waiting_for_locks)
        assert active_opt_out(clinic.workspace.pk, ANN) is None
    assert stop.join() is None
    assert claim(second) is None
    later.refresh_from_db()
    assert (later.status, later.follow_up.reason) == ("canceled", "opted_out")


@pytest.mark.parametrize("first", ["cancel", "claim"])
def test_a_cancel_and_a_claim_at_the_same_instant_agree(clinic: Clinic, first: str) -> None:
    message = clinic.message()
    (taken,) = take(Message, 1, LEASE)
    works = [lambda: cancel(message, by="Dana"), lambda: send(taken)]
    raised = one_after_the_other(message, *(works if first == "cancel" else reversed(works)))
    message.refresh_from_db()
    if first == "cancel":
        assert [type(error) for error in raised] == [type(None), LostLease]
        assert (message.status, clinic.sandbox.creates.total()) == ("canceled", 0)
    else:
        assert [type(error) for error in raised] == [type(None), NotPossible]
        assert (message.status, clinic.sandbox.creates.total()) == ("accepted", 1)


LANES = ["calls", "messages", "attempts"]


@pytest.fixture(params=LANES)
def lane(request: pytest.FixtureRequest, clinic: Clinic) -> Lane:
    """A lane with one row due."""
    given = {lane.name: lane for lane in lanes(lambda *_: None)}
    if request.param == "calls":
        ended = EndedCall.model_validate(
            {"external_id": "c-1", "agent": str(clinic.agent.pk), "customer_number": ANN, "connected": True}
        )
        receive(clinic.workspace, None, "api", ended, b"{}")
    if request.param == "messages":
        clinic.message()
    if request.param == "attempts":
        clinic.message()
        clinic.sandbox.fail_next("error_500_after")
        clinic.send()
    clinic.action.revision = clinic.revision
    clinic.action.save()
    return given[request.param]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_workers_woken_for_the_same_row_one_takes_it(clinic: Clinic, lane: Lane, seed: int) -> None:
    draw = random.Random(seed)
    taken: list[Due] = []
    workers = [slowly(draw, lambda: taken.extend(take(lane.model, 1, lane.lease))) for _ in range(4)]
    assert at_once(*workers) == []
    assert len(taken) == 1


def taken_over(lane: Lane) -> tuple[Due, Due]:
    """The lane's row as two workers hold it: the first one's lease was over when the second took it."""
    (first,) = take(lane.model, 1, lane.lease)
    lane.model._default_manager.update(lease_until=database_time() - timedelta(seconds=1))
    (second,) = take(lane.model, 1, lane.lease)
    return first, second


def assert_texted_once(clinic: Clinic) -> None:
    assert FollowUp.objects.count() == Message.objects.count() == 1
    Message.objects.update(lease_until=None)  # as if the worker that was handed the text had it no more
    clinic.send()
    assert clinic.sandbox.creates == {(ANN, BODY): 1}
    assert Attempt.objects.count() == 1


def test_a_worker_whose_row_was_taken_over_leaves_it_alone(clinic: Clinic, lane: Lane) -> None:
    first, second = taken_over(lane)
    known = list(lane.model._default_manager.values())
    with pytest.raises(LostLease):
        lane.work(first)
    assert list(lane.model._default_manager.values()) == known
    lane.work(second)
    assert_texted_once(clinic)


def test_of_two_workers_that_hold_the_same_row_the_later_one_works(clinic: Clinic, lane: Lane) -> None:
    first, second = taken_over(lane)
    lost: list[Due] = []

    def work(row: Due) -> None:
        try:
            lane.work(row)
        except LostLease:
            lost.append(row)

    assert at_once(lambda: work(first), lambda: work(second)) == []
    assert lost == [first]
    assert_texted_once(clinic)
