"""A text to a member's own phone: once at most, counted nowhere, and never in the way of real ones."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from postcall.followups.models import OptOut
from postcall.followups.optouts import active_opt_out, opt_out
from postcall.messages import own_phone
from postcall.messages.accounts import use_own
from postcall.messages.callbacks import receive_status
from postcall.messages.claim import claim, facts_about
from postcall.messages.inbound import receive
from postcall.messages.models import (
    Attempt,
    Message,
    OwnPhone,
    OwnText,
    PhoneCode,
    RefusedSender,
    SendingAccount,
    StrayCallback,
)
from postcall.messages.own_phone import Wrong, send_code, verify
from postcall.messages.own_texts import NotPossible, Words, forget_words, order, work
from postcall.messages.send import Fence, hand_to_twilio, record
from postcall.work.leases import take
from postcall.workspaces.models import User

from .clinic import ANN, BEN, BODY, LEASE, Clinic
from .test_twins import sharing
from .together import Running, wait_until, waiting_for_locks

pytestmark = pytest.mark.django_db
AMBIGUOUS = ("error_500_before", "error_500_after", "cut_before", "cut_after")


@pytest.fixture
def dana(clinic: Clinic) -> User:
    """A member whose phone has Ann's number."""
    person = User.objects.create(email="dana@northgate.example")
    OwnPhone.objects.create(
        person=person, workspace=clinic.workspace, number=ANN, by_sandbox=True, verified_at=timezone.now()
    )
    return person


def a_test(clinic: Clinic, person: User, body: str = BODY) -> OwnText:
    return order(person, clinic.workspace.pk, Words("test", ANN, body), uuid4())[0]


def work_lane(times: int = 1) -> None:
    for _ in range(times):
        OwnText.objects.filter(due_at__isnull=False).exclude(status="sending").update(
            due_at=timezone.now() - timedelta(milliseconds=1)
        )
        for text in take(OwnText, 10, LEASE):
            work(text)


def sent(clinic: Clinic, person: User, body: str = BODY, fault: str = "") -> OwnText:
    text = a_test(clinic, person, body)
    if fault:
        clinic.sandbox.fail_next(fault)
    work_lane()
    return fresh(text)


def fresh(text: OwnText) -> OwnText:
    return OwnText.objects.get(pk=text.pk)


def call_back(clinic: Clinic, text: OwnText, sid: str, status: str) -> None:
    form = {"AccountSid": text.account_sid, "MessageSid": sid, "MessageStatus": status}
    path = f"/twilio/status/{text.token}"
    receive_status(text.token, path, form.items(), clinic.signed(path, form))


# The number.


def the_code(clinic: Clinic) -> str:
    work_lane()
    return clinic.sandbox.messages[-1].body[:6]


def test_a_number_is_ones_own_once_its_code_was_typed(clinic: Clinic, dana: User) -> None:
    send_code(dana, clinic.workspace.pk, BEN, uuid4())
    code = the_code(clinic)
    phone = verify(dana, f"{code[:3]} {code[3:]}")
    assert isinstance(phone, OwnPhone)
    assert (phone.number, OwnPhone.objects.get().number, PhoneCode.objects.exists()) == (BEN, BEN, False)


def test_a_code_stands_nowhere_once_it_was_sent(clinic: Clinic, dana: User) -> None:
    text, _ = send_code(dana, clinic.workspace.pk, BEN, uuid4())
    code = the_code(clinic)
    assert (fresh(text).body, fresh(text).body_digest) == ("", "")
    assert code not in PhoneCode.objects.get().digest


def test_five_wrong_codes_are_enough(clinic: Clinic, dana: User) -> None:
    send_code(dana, clinic.workspace.pk, BEN, uuid4())
    right = the_code(clinic)
    wrong = "000000" if right != "000000" else "000001"
    assert [verify(dana, wrong) for _ in range(5)] == [Wrong(left) for left in (4, 3, 2, 1, 0)]
    with pytest.raises(NotPossible):
        verify(dana, right)


def test_a_code_is_valid_for_ten_minutes(clinic: Clinic, dana: User) -> None:
    send_code(dana, clinic.workspace.pk, BEN, uuid4())
    right = the_code(clinic)
    PhoneCode.objects.update(valid_until=timezone.now())
    with pytest.raises(NotPossible):
        verify(dana, right)


def test_a_new_code_voids_the_one_before(clinic: Clinic, dana: User) -> None:
    send_code(dana, clinic.workspace.pk, BEN, uuid4())
    first = the_code(clinic)
    send_code(dana, clinic.workspace.pk, BEN, uuid4())
    if first != the_code(clinic):
        assert verify(dana, first) == Wrong(4)


@pytest.mark.parametrize("number", ["+442071838750", "+18005550132", "+19005550132"])
def test_no_code_goes_to_a_landline_or_a_premium_number(clinic: Clinic, dana: User, number: str) -> None:
    with pytest.raises(NotPossible):
        send_code(dana, clinic.workspace.pk, number, uuid4())


def test_no_code_goes_where_the_workspace_texts_nobody(clinic: Clinic, dana: User) -> None:
    clinic.workspace.countries = ["CA"]
    clinic.workspace.save()
    with pytest.raises(NotPossible, match="this workspace texts to CA"):
        send_code(dana, clinic.workspace.pk, BEN, uuid4())


def test_codes_to_a_number_are_few_whoever_asks(clinic: Clinic, dana: User) -> None:
    for number in range(3):
        person = User.objects.create(email=f"{number}@northgate.example")
        send_code(person, clinic.workspace.pk, BEN, uuid4())
        work_lane()
    with pytest.raises(NotPossible, match="this number may get 3 codes an hour"):
        send_code(dana, clinic.workspace.pk, BEN, uuid4())


def test_codes_for_a_person_are_few_whatever_the_number(clinic: Clinic, dana: User) -> None:
    for last in range(5):
        send_code(dana, clinic.workspace.pk, f"+1555123010{last}", uuid4())
    with pytest.raises(NotPossible, match="you may ask for 5 codes an hour"):
        send_code(dana, clinic.workspace.pk, "+15551230109", uuid4())


# A test.


def test_it_goes_out_once_as_composed(clinic: Clinic, dana: User) -> None:
    text = sent(clinic, dana, "Hi Ann, see you then.")
    work_lane(3)
    assert (text.status, text.sid) == ("accepted", clinic.sids()[0])
    assert clinic.sandbox.creates == {(ANN, "Hi Ann, see you then."): 1}


def test_two_clicks_are_one_text(clinic: Clinic, dana: User) -> None:
    once = uuid4()
    first, new = order(dana, clinic.workspace.pk, Words("test", ANN, BODY), once)
    second, again = order(dana, clinic.workspace.pk, Words("test", ANN, BODY), once)
    assert (first, new, again) == (second, True, False)
    work_lane()
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


def test_it_counts_for_no_cap_and_is_no_message(clinic: Clinic, dana: User) -> None:
    sent(clinic, dana)
    facts, _ = facts_about(clinic.workspace.pk, ANN)
    assert (facts.sent_to_number, facts.sent_by_workspace) == (0, 0)
    assert not Message.objects.exists()


def test_the_caps_for_customers_do_not_keep_it(clinic: Clinic, dana: User) -> None:
    clinic.message()
    clinic.send()
    clinic.workspace.max_per_number_per_day = clinic.workspace.max_messages_per_day = 1
    clinic.workspace.save()
    assert sent(clinic, dana).status == "accepted"


def test_it_follows_the_text_to_its_end_by_polling(clinic: Clinic, dana: User) -> None:
    text = sent(clinic, dana)
    clinic.sandbox.push(text.sid, "delivered")
    work_lane()
    assert fresh(text).status == "delivered"


def test_a_signed_callback_moves_it_and_is_no_stray(clinic: Clinic, dana: User) -> None:
    text = sent(clinic, dana)
    call_back(clinic, text, text.sid, "delivered")
    call_back(clinic, text, text.sid, "sent")
    assert (fresh(text).status, StrayCallback.objects.exists()) == ("delivered", False)


def test_a_callback_about_another_message_is_kept_as_a_stray(clinic: Clinic, dana: User) -> None:
    text = sent(clinic, dana)
    call_back(clinic, text, "SM" + "f" * 32, "failed")
    assert (fresh(text).status, StrayCallback.objects.get().sid) == ("accepted", "SM" + "f" * 32)


def test_a_paused_sender_refuses_it_with_the_mend(clinic: Clinic, dana: User) -> None:
    RefusedSender.objects.create(
        workspace=clinic.workspace, account=clinic.account, sender="", code=20003, paused_at=timezone.now()
    )
    with pytest.raises(NotPossible, match="Recheck lets it go on"):
        a_test(clinic, dana)


def test_a_pause_that_comes_before_it_left_refuses_it_too(clinic: Clinic, dana: User) -> None:
    text = a_test(clinic, dana)
    RefusedSender.objects.create(
        workspace=clinic.workspace, account=clinic.account, sender="", code=20003, paused_at=timezone.now()
    )
    work_lane()
    assert (fresh(text).status, clinic.sandbox.creates) == ("refused", {})


def test_an_opt_out_refuses_it(clinic: Clinic, dana: User) -> None:
    text = a_test(clinic, dana)
    opt_out(clinic.workspace.pk, ANN, OptOut.Origin.STOP)
    work_lane()
    assert (fresh(text).status, clinic.sandbox.creates) == ("refused", {})
    with pytest.raises(NotPossible, match="must not be texted"):
        a_test(clinic, dana)


def test_a_stop_from_the_phone_counts_also_where_only_tests_went(clinic: Clinic, dana: User) -> None:
    sent(clinic, dana)
    SendingAccount.objects.all().delete()
    form = {"AccountSid": clinic.account.account_sid, "From": ANN, "Body": "STOP"}
    path = f"/twilio/inbound/{clinic.account.inbound_token}"
    receive(clinic.account.inbound_token, path, form.items(), clinic.signed(path, form))
    assert active_opt_out(clinic.workspace.pk, ANN) is not None


def test_twilios_refusal_for_a_stop_is_recorded(clinic: Clinic, dana: User) -> None:
    OwnPhone.objects.update(number="+15005550004")
    text, _ = order(dana, clinic.workspace.pk, Words("test", "+15005550004", BODY), uuid4())
    work_lane()
    assert (fresh(text).status, fresh(text).error_code) == ("refused", 21610)
    assert active_opt_out(clinic.workspace.pk, "+15005550004") is not None


def test_a_number_of_the_sandbox_is_no_number_for_a_real_sender(clinic: Clinic, dana: User) -> None:
    text = a_test(clinic, dana)
    use_own(clinic.workspace, account_sid="AC" + "b" * 32, auth_token="t" * 32, from_number="+15005550006")
    work_lane()
    assert (fresh(text).status, clinic.sandbox.creates) == ("refused", {})


def test_a_phone_that_was_removed_meanwhile_gets_nothing(clinic: Clinic, dana: User) -> None:
    text = a_test(clinic, dana)
    own_phone.remove(dana)
    work_lane()
    assert (fresh(text).status, clinic.sandbox.creates) == ("refused", {})


def test_what_twilio_does_not_take_is_not_tried_again(clinic: Clinic, dana: User) -> None:
    text = sent(clinic, dana, fault="refuse_429")
    work_lane(3)
    assert (fresh(text).status, clinic.sandbox.creates) == ("refused", {})


# Not knowing.


@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_an_unclear_answer_is_told_as_such_and_never_sent_again(clinic: Clinic, dana: User, fault: str) -> None:
    text = sent(clinic, dana, fault=fault)
    assert text.status == "unconfirmed"
    work_lane(8)
    arrived = len(clinic.sids())
    assert arrived == (1 if fault.endswith("after") else 0)
    assert fresh(text).status == ("accepted" if arrived else "absent")
    assert sum(count for (operation, _), count in clinic.sandbox.requests.items() if operation == "create") == 1


def test_a_worker_that_died_leaves_it_unclear(clinic: Clinic, dana: User) -> None:
    text = sent(clinic, dana)
    OwnText.objects.update(status="sending", sid="", due_at=timezone.now(), lease_until=None)
    for taken in take(OwnText, 10, LEASE):
        work(taken)
    assert fresh(text).status == "unconfirmed"
    work_lane()
    assert (fresh(text).sid, fresh(text).provisional) == (clinic.sids()[0], True)


def test_it_never_takes_a_real_text_for_its_own(clinic: Clinic, dana: User) -> None:
    """A real text with the same words went out just before."""
    clinic.message()
    clinic.send()
    text = sent(clinic, dana, fault="error_500_before")
    work_lane(5)
    assert fresh(text).status == "absent"
    assert Attempt.objects.get().sid == clinic.sids()[0]


# Real texts beside it.


def ambiguous_message(clinic: Clinic, fault: str = "error_500_before") -> Message:
    message = clinic.message()
    clinic.sandbox.fail_next(fault)
    clinic.send()
    message.refresh_from_db()
    assert message.status == "unconfirmed"
    return message


def test_finding_out_about_a_real_text_does_not_see_it(clinic: Clinic, dana: User) -> None:
    """Same words, same number, within a minute: the list shows the test alone."""
    sent(clinic, dana)
    message = ambiguous_message(clinic)
    for _ in range(4):
        clinic.polls_come_due()
        clinic.track()
    clinic.retries_come_due()
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.sid, message.attempts_made) == ("accepted", clinic.sids()[1], 2)


def test_finding_out_about_a_real_text_does_not_take_it_for_an_altered_one(clinic: Clinic, dana: User) -> None:
    sent(clinic, dana, "Other words.")
    message = ambiguous_message(clinic)
    clinic.polls_come_due()
    clinic.track()
    assert Attempt.objects.get(message=message).candidates == []


def test_it_is_refused_while_a_real_text_to_the_phone_is_undecided(clinic: Clinic, dana: User) -> None:
    ambiguous_message(clinic)
    with pytest.raises(NotPossible, match="A real text to this number is on its way"):
        a_test(clinic, dana)


@pytest.mark.parametrize("neighbours", [False, True])
def test_it_does_not_begin_while_a_real_text_is_being_handed_over(
    clinic: Clinic, dana: User, neighbours: bool
) -> None:
    """Also one of another workspace that sends by the same account."""
    text = a_test(clinic, dana)
    other = sharing(clinic) if neighbours else clinic
    other.message()
    attempt = claim(take(Message, 1, LEASE)[0])
    assert attempt is not None
    work_lane()
    assert fresh(text).status == "refused"
    record(attempt, hand_to_twilio(attempt, Fence()))
    assert clinic.sandbox.creates == {(ANN, BODY): 1}


@pytest.mark.parametrize("neighbours", [False, True])
@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_a_real_text_waits_until_it_is_known_and_goes_once(
    clinic: Clinic, dana: User, fault: str, neighbours: bool
) -> None:
    text = sent(clinic, dana, fault=fault)
    message = (sharing(clinic) if neighbours else clinic).message()
    known = len(clinic.sids())
    clinic.send()
    assert (Attempt.objects.exists(), len(clinic.sids())) == (False, known)
    work_lane(8)
    clinic.retries_come_due()
    clinic.send()
    message.refresh_from_db()
    assert (message.status, len(clinic.sids())) == ("accepted", known + 1)
    assert message.sid != fresh(text).sid


def test_a_real_text_waits_while_it_is_being_handed_over(clinic: Clinic, dana: User) -> None:
    text = a_test(clinic, dana)
    OwnText.objects.filter(pk=text.pk).update(
        status="sending", account=clinic.account, account_sid=clinic.account.account_sid
    )
    clinic.message()
    clinic.send()
    assert not Attempt.objects.exists()


def test_a_real_text_to_another_number_does_not_wait(clinic: Clinic, dana: User) -> None:
    sent(clinic, dana, fault="error_500_after")
    clinic.message(to=BEN)
    clinic.send()
    assert Attempt.objects.get().status == "accepted"


def test_nothing_is_found_out_about_a_real_text_before_it_is_known_itself(clinic: Clinic, dana: User) -> None:
    message = ambiguous_message(clinic, "error_500_after")
    text = OwnText.objects.create(
        workspace=clinic.workspace,
        person=dana,
        kind="test",
        once=uuid4(),
        to=ANN,
        body=BODY,
        body_digest=Attempt.objects.get().body_digest,
        segments=1,
        status="sending",
        account=clinic.account,
        account_sid=clinic.account.account_sid,
        created_at=timezone.now(),
        started_at=timezone.now(),
    )
    clinic.track()
    message.refresh_from_db()
    assert message.status == "unconfirmed"
    OwnText.objects.filter(pk=text.pk).update(status="unconfirmed", due_at=None)
    for _ in range(4):
        clinic.polls_come_due()
        clinic.track()
    message.refresh_from_db()
    # Whose message the list shows nobody can know, so a person is asked.
    assert (message.status, message.follow_up.reason) == ("unconfirmed", "set_aside")
    assert clinic.sids()[0] in message.follow_up.detail


def test_an_answer_evicts_a_real_text_that_had_found_its_message(clinic: Clinic, dana: User) -> None:
    text = sent(clinic, dana)
    OwnText.objects.update(sid="", status="unconfirmed", due_at=None, started_at=timezone.now() - timedelta(days=1))
    message = ambiguous_message(clinic)
    clinic.track()
    message.refresh_from_db()
    assert message.sid == text.sid
    call_back(clinic, text, text.sid, "sent")
    message.refresh_from_db()
    assert (message.status, fresh(text).sid) == ("unconfirmed", text.sid)


def test_its_words_are_kept_for_a_day(clinic: Clinic, dana: User) -> None:
    text = sent(clinic, dana)
    assert forget_words(timezone.now()) == 0
    assert forget_words(timezone.now() + timedelta(days=1)) == 1
    assert (fresh(text).body, fresh(text).sid) == ("", text.sid)


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_a_real_text_that_begins_this_instant(transactional_db: None, clinic: Clinic) -> None:
    """Its claim, in another workspace of the same account, is not committed yet."""
    person = User.objects.create(email="lee@northgate.example")
    OwnPhone.objects.create(
        person=person, workspace=clinic.workspace, number=ANN, by_sandbox=True, verified_at=timezone.now()
    )
    text = a_test(clinic, person)
    sharing(clinic).message()
    message = take(Message, 1, LEASE)[0]

    with transaction.atomic():
        claim(message)
        its_worker = Running(lambda: work(take(OwnText, 1, LEASE)[0]))
        wait_until(lambda: waiting_for_locks() or fresh(text).status != "queued")
    assert its_worker.join() is None
    assert (fresh(text).status, clinic.sandbox.creates) == ("refused", {})
