"""What an operator changes while calls and texts are on their way: what was decided stands, and each attempt keeps
the Twilio account that it began with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from postcall.actions.attaching import AttachmentContent, attach, detach
from postcall.actions.editing import ActionContent, create_action, delete_action, update_action
from postcall.actions.models import Attachment
from postcall.agents.editing import AgentContent, SenderChoice, create_agent, update_agent
from postcall.calls.models import Call
from postcall.calls.receive import receive
from postcall.config import config
from postcall.followups.models import FollowUp
from postcall.followups.process import process
from postcall.judge.verdicts import Case, Judgement
from postcall.messages import twilio_client
from postcall.messages.accounts import ensure_shared_account, use_own, use_sandbox, use_shared
from postcall.messages.claim import claim
from postcall.messages.handing import TwilioMessaging
from postcall.messages.models import Account, Attempt, Message
from postcall.messages.operator import resend
from postcall.messages.send import Fence, hand_to_twilio, record
from postcall.messages.signatures import BadSignature
from postcall.messages.twilio_client import Accepted
from postcall.sandbox.running import Sandbox
from postcall.sources.ended_call import EndedCall
from postcall.work import clock
from postcall.work.leases import take

from .clinic import ANN, LEASE, Clinic

CHECKS = 3  # POSTCALL_RECONCILE_DELAYS of the fixture
WORDS = "Thank you for calling."


class NoJudge:
    """For calls on which nothing needs one."""

    name = "none"
    listens = False

    def decide(self, case: Case) -> Judgement:
        raise AssertionError("nobody was to be asked")


class Desk:
    """An agent with one action that always goes out, set up and changed as an operator does."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.action = create_action(clinic.workspace, ActionContent(name="Thanks", message=WORDS, always=True))
        self.agent = create_agent(clinic.workspace, AgentContent(name="Reception"))
        self.attachment = self.attach()

    def attach(self) -> Attachment:
        self.action.refresh_from_db()
        return attach(self.agent, self.action, AttachmentContent(action_id=self.action.pk))

    def attach_again(self) -> None:
        detach(self.attachment)
        self.attachment = self.attach()

    def edit(self, words: str) -> None:
        update_action(self.action, ActionContent(name="Thanks", message=words, always=True))

    def set_sender(self, number: str) -> None:
        update_agent(self.agent, AgentContent(name="Reception", sender=SenderChoice(from_number=number)))

    def deliver(self, external_id: str = "c-1") -> None:
        """The platform's webhook, once more."""
        fields = {"external_id": external_id, "agent": str(self.agent.pk), "customer_number": ANN}
        ended = EndedCall.model_validate(fields | {"connected": True})
        receive(self.clinic.workspace, None, "api", ended, b"{}")

    def process(self) -> None:
        for call in take(Call, 10, LEASE):
            process(call, NoJudge(), TwilioMessaging())

    def bodies(self) -> list[str]:
        return [message.body for message in self.clinic.sandbox.messages]


@pytest.fixture
def desk(clinic: Clinic) -> Desk:
    return Desk(clinic)


def replayed(desk: Desk) -> None:
    desk.deliver()
    desk.process()
    desk.clinic.send()


def test_an_action_detached_and_attached_again_before_the_call_is_processed_texts_once(desk: Desk) -> None:
    desk.deliver()
    desk.attach_again()
    desk.process()
    desk.clinic.send()
    replayed(desk)
    assert desk.bodies() == [WORDS]
    assert FollowUp.objects.get().attachment_id == desk.attachment.pk


def test_an_action_detached_and_attached_again_while_the_text_waits_texts_once(desk: Desk) -> None:
    desk.deliver()
    desk.process()
    desk.attach_again()
    desk.clinic.send()
    replayed(desk)
    assert desk.bodies() == [WORDS]
    assert FollowUp.objects.get().outcome == "message"


def test_an_action_attached_again_in_another_mode_is_heeded(desk: Desk) -> None:
    desk.deliver()
    desk.process()
    desk.attach_again()
    Attachment.objects.filter(pk=desk.attachment.pk).update(mode="shadow")
    desk.clinic.send()
    assert (desk.bodies(), FollowUp.objects.get().reason) == ([], "shadow")


def test_an_action_detached_while_the_text_waits_texts_nobody_and_says_so(desk: Desk) -> None:
    desk.deliver()
    desk.process()
    detach(desk.attachment)
    desk.clinic.send()
    replayed(desk)
    assert desk.bodies() == []
    follow_up = FollowUp.objects.get()
    assert (follow_up.outcome, follow_up.reason, Message.objects.get().status) == (
        "skipped",
        "attachment_off",
        "canceled",
    )


def test_an_action_detached_and_attached_again_after_the_text_left_texts_once(desk: Desk) -> None:
    desk.deliver()
    desk.process()
    desk.clinic.send()
    desk.attach_again()
    replayed(desk)
    assert desk.bodies() == [WORDS]


def test_an_action_edited_while_the_text_waits_keeps_the_words_that_were_decided(desk: Desk) -> None:
    desk.deliver()
    desk.process()
    desk.edit("Thanks!")
    desk.clinic.send()
    desk.deliver("c-2")
    desk.process()
    desk.clinic.send()
    assert desk.bodies() == [WORDS, "Thanks!"]
    assert [f.revision.number for f in FollowUp.objects.order_by("id")] == [1, 2]


def test_an_attempt_in_flight_is_found_by_the_words_that_it_was_sent_with(desk: Desk) -> None:
    desk.deliver()
    desk.process()
    desk.clinic.sandbox.fail_next("error_500_after")
    desk.clinic.send()
    desk.edit("Thanks!")
    desk.clinic.track()
    assert Message.objects.get().sid == desk.clinic.sids()[0]


def test_an_action_archived_while_its_text_is_in_flight_is_found_out_about(desk: Desk) -> None:
    desk.deliver()
    desk.process()
    desk.clinic.sandbox.fail_next("error_500_after")
    desk.clinic.send()
    delete_action(desk.action)
    desk.clinic.track()
    assert Message.objects.get().status == "accepted"


def test_an_action_archived_while_its_text_is_in_flight_sends_nothing_anew(desk: Desk) -> None:
    desk.deliver()
    desk.process()
    desk.clinic.sandbox.fail_next("error_500_before")
    desk.clinic.send()
    delete_action(desk.action)
    desk.clinic.track(CHECKS)
    desk.clinic.send()
    assert desk.bodies() == []
    assert (Message.objects.get().status, FollowUp.objects.get().reason) == ("canceled", "attachment_off")


def test_an_agents_new_sender_is_for_all_that_has_not_left(desk: Desk) -> None:
    desk.set_sender("+14155550110")
    desk.deliver()
    desk.process()
    desk.set_sender("+14155550120")
    desk.clinic.send()
    desk.deliver("c-2")
    desk.process()
    desk.clinic.send()
    assert [message.from_number for message in desk.clinic.sandbox.messages] == ["+14155550120", "+14155550120"]


def test_an_agents_new_sender_is_for_the_next_attempt(desk: Desk) -> None:
    desk.set_sender("+14155550110")
    desk.deliver()
    desk.process()
    desk.clinic.sandbox.fail_next("error_500_before")
    desk.clinic.send()
    desk.set_sender("+14155550120")
    desk.clinic.track(CHECKS)
    desk.clinic.send()
    assert [message.from_number for message in desk.clinic.sandbox.messages] == ["+14155550120"]
    assert Message.objects.get().from_number == "+14155550120"


# Exchanging the account


@dataclass
class Exchange:
    """A workspace that sends by one Twilio account, and by another one after `take_place`."""

    clinic: Clinic
    before: Account
    _next: Callable[[], Account]
    after: Account | None = None

    def take_place(self) -> None:
        self.after = self._next()
        assert self.after.account_sid != self.before.account_sid

    def hears(self, attempt: Attempt, status: str, *, signed_by: Account) -> None:
        self.clinic.account = signed_by
        self.clinic.call_back(attempt, attempt.sid or self.clinic.sids()[0], status)

    def sent_by(self) -> list[str]:
        return [message.account_sid for message in self.clinic.sandbox.messages]


@pytest.fixture(params=["own to another", "own to the sandbox", "shared to own", "sandbox to shared"])
def exchange(
    request: pytest.FixtureRequest, clinic: Clinic, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Exchange]:
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "e" * 32)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "token-of-all")
    monkeypatch.setenv("TWILIO_FROM_NUMBER", "+15005550006")
    monkeypatch.setenv("TWILIO_API_URL", sandbox.url)
    config.cache_clear()
    ensure_shared_account()

    def own(letter: str) -> Account:
        sid, token = "AC" + letter * 32, f"token-of-{letter}"
        return use_own(
            clinic.workspace,
            account_sid=sid,
            auth_token=token,
            from_number="+15005550006",
            api_url=sandbox.url,
        ).account

    ways: dict[str, tuple[Callable[[], Account], Callable[[], Account]]] = {
        "own to another": (lambda: own("a"), lambda: own("b")),
        "own to the sandbox": (lambda: own("a"), lambda: use_sandbox(clinic.workspace).account),
        "shared to own": (lambda: use_shared(clinic.workspace).account, lambda: own("b")),
        "sandbox to shared": (lambda: clinic.account, lambda: use_shared(clinic.workspace).account),
    }
    first, second = ways[request.param]
    yield Exchange(clinic, first(), second)
    twilio_client.forget_clients()


def test_an_answer_that_comes_after_the_exchange_is_recorded(exchange: Exchange) -> None:
    clinic = exchange.clinic
    clinic.message()
    attempt = claim(take(Message, 1, LEASE)[0])
    assert attempt is not None
    exchange.take_place()
    outcome = hand_to_twilio(attempt, Fence())
    assert isinstance(outcome, Accepted)
    record(attempt, outcome)
    assert Message.objects.get().sid == clinic.sids()[0]
    assert exchange.sent_by() == [exchange.before.account_sid]


def test_lists_and_polls_are_the_attempts_accounts(exchange: Exchange) -> None:
    clinic = exchange.clinic
    clinic.message()
    clinic.sandbox.fail_next("error_500_after")
    clinic.send()
    exchange.take_place()
    clinic.track()
    (sid,) = clinic.sids()
    assert Message.objects.get().sid == sid
    clinic.sandbox.push(sid, "delivered")
    clinic.polls_come_due()
    clinic.track()
    assert (Message.objects.get().status, Message.objects.get().attempts_made) == ("delivered", 1)


def test_callbacks_are_signed_by_the_attempts_account(exchange: Exchange) -> None:
    exchange.clinic.message()
    exchange.clinic.send()
    exchange.take_place()
    assert exchange.after
    attempt = Attempt.objects.get()
    with pytest.raises(BadSignature):
        exchange.hears(attempt, "delivered", signed_by=exchange.after)
    assert Message.objects.get().status == "accepted"
    exchange.hears(attempt, "delivered", signed_by=exchange.before)
    assert Message.objects.get().status == "delivered"


def test_a_text_that_waits_goes_out_by_the_account_in_force(exchange: Exchange) -> None:
    exchange.clinic.message()
    exchange.take_place()
    exchange.clinic.send()
    assert exchange.after
    assert exchange.sent_by() == [exchange.after.account_sid]


def test_the_next_attempt_begins_by_the_account_in_force_once_the_first_is_known_to_be_absent(
    exchange: Exchange,
) -> None:
    clinic = exchange.clinic
    clinic.message()
    clinic.sandbox.fail_next("error_500_before")
    clinic.send()
    exchange.take_place()
    clinic.retries_come_due()
    clinic.send()
    assert exchange.sent_by() == []
    clinic.track(CHECKS)
    clinic.send()
    assert exchange.after
    assert exchange.sent_by() == [exchange.after.account_sid]
    assert [a.account_id for a in Attempt.objects.order_by("number")] == [exchange.before.pk, exchange.after.pk]


def test_a_worker_that_died_before_the_exchange_is_found_out_about_by_its_account(exchange: Exchange) -> None:
    clinic = exchange.clinic
    clinic.message()
    attempt = claim(take(Message, 1, LEASE)[0])
    assert attempt is not None
    hand_to_twilio(attempt, Fence())
    exchange.take_place()
    over = clock.now() - timedelta(seconds=1)
    Attempt.objects.update(lease_until=over, due_at=over)
    clinic.track(2)
    assert Message.objects.get().sid == clinic.sids()[0]
    assert exchange.sent_by() == [exchange.before.account_sid]


def test_a_text_sent_again_goes_out_by_the_account_in_force_and_each_attempt_is_heard_by_its_own(
    exchange: Exchange,
) -> None:
    clinic = exchange.clinic
    clinic.message()
    clinic.send()
    first = Attempt.objects.get()
    exchange.hears(first, "undelivered", signed_by=exchange.before)
    exchange.take_place()
    assert exchange.after
    resend(Message.objects.get(), "", by="Dana")
    clinic.send()
    second = Attempt.objects.get(number=2)
    assert exchange.sent_by() == [exchange.before.account_sid, exchange.after.account_sid]
    exchange.hears(second, "delivered", signed_by=exchange.after)
    exchange.hears(first, "sent", signed_by=exchange.before)
    assert (Message.objects.get().status, Message.objects.get().sid) == ("delivered", second.sid)
