"""Two texts with the same words to the same number: the list could not tell them apart, so they go out one after
the other, and each of them once."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from postcall.followups.models import FollowUp
from postcall.messages.accounts import use_own
from postcall.messages.claim import claim
from postcall.messages.models import Account, Attempt, Message, SendingAccount
from postcall.messages.operator import resend
from postcall.messages.send import Fence, hand_to_twilio, record, send
from postcall.messages.track import track
from postcall.work import clock
from postcall.work.leases import take

from .clinic import ANN, BODY, LEASE, Clinic
from .together import at_once

CHECKS = 3  # POSTCALL_RECONCILE_DELAYS of the fixture
BEFORE = ("error_500_before", "cut_before")
AFTER = ("error_500_after", "cut_after", "unreadable_201")


@pytest.fixture(params=["one workspace", "two workspaces"])
def neighbour(request: pytest.FixtureRequest, clinic: Clinic) -> Clinic:
    """Whose the second text is: the clinic's own, or another workspace's that sends by the same Twilio account."""
    return clinic if request.param == "one workspace" else sharing(clinic)


def sharing(clinic: Clinic) -> Clinic:
    """A workspace with the same Twilio account, saved by itself."""
    other = Clinic("Elm Clinic", clinic.sandbox)
    other.account = Account.objects.create(
        workspace=other.workspace,
        kind=Account.Kind.SANDBOX,
        account_sid=clinic.account.account_sid,
        auth_token=clinic.account.auth_token,
        from_number=clinic.account.from_number,
        api_url=clinic.account.api_url,
    )
    SendingAccount.objects.filter(workspace=other.workspace).update(account=other.account)
    return other


def ambiguous(clinic: Clinic, fault: str) -> Message:
    message = clinic.message()
    clinic.sandbox.fail_next(fault)
    clinic.send()
    return message


def settle(clinic: Clinic, rounds: int = 6) -> None:
    """Lets everything that waits be looked at, again and again."""
    for _ in range(rounds):
        clinic.retries_come_due()
        clinic.send()
        clinic.polls_come_due()
        clinic.track()


def fresh(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)


def assert_each_went_out_once(clinic: Clinic, *messages: Message) -> None:
    shown = [fresh(message) for message in messages]
    assert [message.status for message in shown] == ["accepted"] * len(shown)
    assert sorted(message.sid for message in shown) == sorted(clinic.sids())
    assert clinic.sandbox.creates == {(ANN, BODY): len(shown)}


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
def test_the_second_waits_until_the_first_is_known_and_each_goes_out_once(
    clinic: Clinic, neighbour: Clinic, fault: str
) -> None:
    first = ambiguous(clinic, fault)
    known = clinic.sids()
    second = neighbour.message()
    clinic.send()
    clinic.retries_come_due()
    clinic.send()
    assert (fresh(second).status, fresh(second).attempts_made, clinic.sids()) == ("queued", 0, known)
    settle(clinic)
    assert_each_went_out_once(clinic, first, second)


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
def test_the_second_may_be_the_ambiguous_one(clinic: Clinic, neighbour: Clinic, fault: str) -> None:
    first = clinic.message()
    clinic.send()
    second = ambiguous(neighbour, fault)
    settle(clinic)
    assert_each_went_out_once(clinic, first, second)
    assert fresh(first).sid == clinic.sids()[0]


@pytest.mark.parametrize("first_fault", ["error_500_before", "error_500_after"])
@pytest.mark.parametrize("second_fault", ["error_500_before", "error_500_after"])
def test_both_may_be_ambiguous(clinic: Clinic, neighbour: Clinic, first_fault: str, second_fault: str) -> None:
    first = ambiguous(clinic, first_fault)
    second = neighbour.message()
    clinic.sandbox.fail_next(second_fault)
    settle(clinic, 9)
    assert_each_went_out_once(clinic, first, second)


def test_the_second_waits_while_the_first_is_on_its_way(clinic: Clinic, neighbour: Clinic) -> None:
    first = clinic.message()
    attempt = claim(take(Message, 1, LEASE)[0])
    assert attempt is not None
    second = neighbour.message()
    clinic.send()
    assert fresh(second).attempts_made == 0
    outcome = hand_to_twilio(attempt, Fence())
    clinic.retries_come_due()
    clinic.send()
    assert fresh(second).attempts_made == 0
    record(attempt, outcome)
    settle(clinic)
    assert_each_went_out_once(clinic, first, second)


@pytest.mark.parametrize("arrived", [False, True])
def test_the_second_waits_for_a_first_whose_worker_died(clinic: Clinic, neighbour: Clinic, arrived: bool) -> None:
    first = clinic.message()
    attempt = claim(take(Message, 1, LEASE)[0])
    assert attempt is not None
    if arrived:
        hand_to_twilio(attempt, Fence())
    second = neighbour.message()
    Attempt.objects.update(lease_until=clock.now() - timedelta(seconds=1))
    settle(clinic, 9)
    assert_each_went_out_once(clinic, first, second)


def test_a_first_that_another_body_holds_lets_the_second_go(clinic: Clinic, neighbour: Clinic) -> None:
    first = ambiguous(clinic, "error_500_before")
    second = neighbour.message()
    clinic.text_by_hand(f"{BODY} - smartly encoded")
    settle(clinic)
    assert (fresh(first).status, first.attempts.get().open) == ("unconfirmed", False)
    assert FollowUp.objects.get(pk=first.follow_up_id).reason == "set_aside"
    assert (fresh(second).status, clinic.sandbox.creates[ANN, BODY]) == ("accepted", 1)
    resend(fresh(first), "Looked it up", by="Dana")
    settle(clinic)
    assert (fresh(first).status, clinic.sandbox.creates[ANN, BODY]) == ("accepted", 2)


def test_a_first_that_comes_into_the_list_late_is_given_back(clinic: Clinic, neighbour: Clinic) -> None:
    """The first was left to the operator, and the second, unclear too, took its message for its own."""
    first = ambiguous(clinic, "error_500_after")
    (sid,) = clinic.sids()
    theirs = Attempt.objects.get()
    Attempt.objects.update(open=False, due_at=None)
    second = ambiguous(neighbour, "error_500_before")
    clinic.track()
    assert fresh(second).sid == sid
    clinic.call_back(theirs, sid, "sent")
    assert (fresh(first).sid, fresh(second).status) == (sid, "unconfirmed")
    settle(clinic)
    assert (fresh(second).status, fresh(second).sid) == ("accepted", clinic.sids()[1])
    assert clinic.sandbox.creates == {(ANN, BODY): 2}


def test_texts_of_different_accounts_do_not_wait_for_one_another(clinic: Clinic) -> None:
    other = Clinic("Elm Clinic", clinic.sandbox)
    ambiguous(clinic, "error_500_before")
    other.message()
    clinic.send()
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_a_text_that_waits_for_its_twin_expires_in_time(clinic: Clinic) -> None:
    ambiguous(clinic, "error_500_before")
    second = clinic.message()
    clinic.send()
    Message.objects.filter(pk=second.pk).update(valid_until=clock.now())
    clinic.retries_come_due()
    clinic.send()
    assert (fresh(second).status, fresh(second).follow_up.reason) == ("canceled", "expired")


def test_a_text_waits_for_its_twin_on_the_account_that_was_exchanged_meanwhile(clinic: Clinic) -> None:
    """The account came back before it was known what became of the first."""
    first = ambiguous(clinic, "error_500_after")
    use_own(clinic.workspace, account_sid="AC" + "b" * 32, auth_token="t" * 32, from_number="+15005550006")
    SendingAccount.objects.update(account=clinic.account)
    second = clinic.message()
    clinic.send()
    assert fresh(second).attempts_made == 0
    settle(clinic)
    assert_each_went_out_once(clinic, first, second)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_many_twins_of_two_workspaces_go_out_once_each_whatever_fails(
    transactional_db: None, sandbox: Any, seed: int
) -> None:
    draw = random.Random(seed)
    clinic = Clinic("Northgate Clinic", sandbox)
    other = sharing(clinic)
    for workspace in (clinic.workspace, other.workspace):
        workspace.max_per_number_per_day = None
        workspace.save()
    messages = [draw.choice((clinic, other)).message() for _ in range(6)]
    # Two that never arrived, so that none can be absent three times; `slow` is an answer like any other.
    faults = [*draw.sample(BEFORE, 2), *draw.choices(AFTER, k=3), "slow", "slow", "refuse_429"]
    draw.shuffle(faults)
    sandbox.faults = {"slow_ms": 1, "retry_after_s": 0}
    for fault in faults:
        sandbox.fail_next(fault)

    def work() -> None:
        for message in take(Message, 2, LEASE):
            send(message)
        for attempt in take(Attempt, 2, LEASE):
            track(attempt)

    for _ in range(60):
        assert at_once(*[work] * 4) == []
        if all(fresh(message).status == "accepted" for message in messages):
            break
        clinic.retries_come_due()
        clinic.polls_come_due()
    assert_each_went_out_once(clinic, *messages)
