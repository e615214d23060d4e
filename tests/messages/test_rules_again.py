"""Every sending rule is looked at when a text is decided about, and again in the claim; what waits expires."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from postcall.agents.models import ExternalId
from postcall.calls.models import Call
from postcall.calls.receive import receive
from postcall.followups.models import FollowUp, OptOut
from postcall.followups.optouts import opt_out
from postcall.followups.process import process
from postcall.followups.review import NotPossible, approve, expire_held, expires_at
from postcall.judge.verdicts import Case, Judgement
from postcall.messages.accounts import use_sandbox
from postcall.messages.claim import look_again
from postcall.messages.handing import TwilioMessaging
from postcall.messages.models import Attempt, Message, RefusedSender, SendingAccount
from postcall.messages.operator import cancel
from postcall.sources.ended_call import EndedCall
from postcall.work.leases import take
from postcall.workspaces.audit import Actor

from .clinic import BODY, LEASE, Clinic

UTC_NUMBER = "+3546112345"  # Iceland keeps UTC the year round
LANDLINE, PREMIUM = "+442071838750", "+19005550199"


class NoJudge:
    name = "none"
    listens = False

    def decide(self, case: Case) -> Judgement:
        raise AssertionError("nobody was to be asked")


def called(clinic: Clinic, to: str = UTC_NUMBER) -> FollowUp:
    """A call that ended, and what was decided about it; its text is due, and not claimed yet."""
    agent = clinic.agent
    clinic.action.revision = clinic.revision
    clinic.action.save()
    ExternalId.objects.get_or_create(
        workspace=clinic.workspace, agent=agent, source_kind="api", external_id="front-desk"
    )
    ended = {
        "external_id": f"called-{Call.objects.count()}", "agent": "front-desk", "connected": True,
        "customer_number": to, "transcript": [{"role": "customer", "text": "Thanks, see you."}],
    }  # fmt: skip
    receive(clinic.workspace, None, "api", EndedCall.model_validate(ended), b"{}")
    (call,) = take(Call, 1, LEASE)
    process(call, NoJudge(), TwilioMessaging())
    return FollowUp.objects.get(call=call)


def rules(clinic: Clinic, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(clinic.workspace, name, value)
    clinic.workspace.save()


def window(clinic: Clinic, opens: timedelta, closes: timedelta) -> datetime:
    """A send window that opens so long from now; returns the opening."""
    now = timezone.now()
    rules(clinic, window_start=(now + opens).time(), window_end=(now + closes).time())
    clinic.revision.urgency = "window"
    clinic.revision.save()
    return now + opens


def one_sent(clinic: Clinic) -> None:
    clinic.message("Earlier", to=UTC_NUMBER)
    clinic.send()
    assert clinic.sandbox.creates.pop((UTC_NUMBER, "Earlier")) == 1


def paused(clinic: Clinic) -> None:
    RefusedSender.objects.create(
        workspace=clinic.workspace, account=clinic.account, sender="", code=20003, paused_at=timezone.now()
    )


def switched(clinic: Clinic, mode: str) -> None:
    clinic.attachment.mode = mode
    clinic.attachment.save()


RULES: dict[str, tuple[Callable[[Clinic], object], str, str]] = {
    **{
        f"opted out by {origin}": (
            lambda clinic, origin=origin: opt_out(clinic.workspace.pk, UTC_NUMBER, origin), "skipped", "opted_out"
        )
        for origin in OptOut.Origin.values
    },
    "country": (lambda clinic: rules(clinic, countries=["US", "CA"]), "skipped", "country_not_allowed"),
    "cap": (lambda clinic: rules(clinic, max_per_number_per_day=1), "skipped", "frequency_cap"),
    "budget": (lambda clinic: rules(clinic, max_messages_per_day=1), "held", "budget_exceeded"),
    "no account": (lambda _: SendingAccount.objects.all().delete(), "held", "messaging_not_configured"),
    "pause": (paused, "held", "sender_paused"),
    "off": (lambda clinic: switched(clinic, "off"), "skipped", "attachment_off"),
    "shadow": (lambda clinic: switched(clinic, "shadow"), "skipped", "shadow"),
    "window": (lambda clinic: window(clinic, timedelta(hours=2), timedelta(hours=3)), "message", ""),
}  # fmt: skip


@pytest.mark.parametrize("changed", ["before it is decided about", "before it is claimed"])
@pytest.mark.parametrize("rule", RULES)
def test_it_looks_at_every_rule_twice(clinic: Clinic, rule: str, changed: str) -> None:
    one_sent(clinic)
    change, outcome, reason = RULES[rule]
    if changed == "before it is decided about":
        change(clinic)
        row = called(clinic)
    else:
        row = called(clinic)
        assert (row.outcome, row.reason) == ("message", "")
        change(clinic)
    clinic.send()
    row.refresh_from_db()
    assert (row.outcome, row.reason) == (outcome, reason)
    assert bool(row.detail) == bool(reason)
    assert (UTC_NUMBER, BODY) not in clinic.sandbox.creates


@pytest.mark.parametrize(("to", "reason"), [(LANDLINE, "landline"), (PREMIUM, "number_refused")])
def test_it_looks_at_the_kind_of_number_twice(clinic: Clinic, to: str, reason: str) -> None:
    assert called(clinic, to).reason == reason
    claimed = clinic.message(to=to)
    clinic.send()
    claimed.refresh_from_db()
    assert (claimed.status, claimed.follow_up.reason) == ("canceled", reason)
    assert not clinic.sandbox.messages


# What is held when it is decided about goes by itself, like what is held in the claim.


def used_up(clinic: Clinic) -> None:
    rules(clinic, max_messages_per_day=1)


def more_budget(clinic: Clinic) -> None:
    rules(clinic, max_messages_per_day=2)
    look_again(clinic.workspace.pk)


def unconnected(_: Clinic) -> None:
    SendingAccount.objects.all().delete()


def connected(clinic: Clinic) -> None:
    use_sandbox(clinic.workspace)


HELD = [(used_up, more_budget, "budget_exceeded"), (unconnected, connected, "messaging_not_configured")]


@pytest.mark.parametrize("claimed", [False, True])
@pytest.mark.parametrize(("stop", "mend", "reason"), HELD)
def test_what_is_held_at_its_decision_goes_by_itself(
    clinic: Clinic, stop: Callable[[Clinic], None], mend: Callable[[Clinic], None], reason: str, claimed: bool
) -> None:
    one_sent(clinic)
    stop(clinic)
    row = called(clinic)
    assert (row.outcome, row.reason) == ("held", reason)
    if claimed:
        clinic.send()
    mend(clinic)
    clinic.send()
    row.refresh_from_db()
    assert (row.outcome, row.reason, row.message.status) == ("message", "", "accepted")
    assert clinic.sandbox.creates[UTC_NUMBER, BODY] == 1


@pytest.mark.parametrize(("stop", "mend", "reason"), HELD)
def test_what_is_held_at_its_decision_is_valid_from_when_it_may_go(
    clinic: Clinic, stop: Callable[[Clinic], None], mend: Callable[[Clinic], None], reason: str
) -> None:
    one_sent(clinic)
    stop(clinic)
    row = called(clinic)
    assert row.decided_at is not None
    assert (expires_at(row), row.reason) == (row.decided_at + timedelta(days=1), reason)
    Message.objects.update(created_at=timezone.now() - timedelta(hours=5))
    mend(clinic)
    clinic.send()
    message = row.message
    message.refresh_from_db()
    assert message.sent_at is not None
    assert timedelta(minutes=59) < message.valid_until - message.sent_at <= timedelta(hours=1)


@pytest.mark.parametrize(("stop", "mend", "reason"), HELD)
def test_what_is_held_at_its_decision_can_be_canceled_and_needs_no_approval(
    clinic: Clinic, stop: Callable[[Clinic], None], mend: Callable[[Clinic], None], reason: str
) -> None:
    one_sent(clinic)
    stop(clinic)
    row = called(clinic)
    with pytest.raises(NotPossible, match="goes by itself, unless its message is canceled"):
        approve(row, TwilioMessaging(), Actor("user", "u-1", "dana@northgate.example"))
    assert row.reason == reason
    cancel(row.message, "dana@northgate.example")
    mend(clinic)
    clinic.retries_come_due()
    clinic.send()
    row.refresh_from_db()
    assert (row.outcome, row.reason, clinic.sandbox.messages[1:]) == ("skipped", "rejected", [])


def test_what_was_held_for_want_of_an_account_comes_from_its_agents_own_number(clinic: Clinic) -> None:
    clinic.agent.from_number = "+15005550016"
    clinic.agent.save()
    unconnected(clinic)
    row = called(clinic)
    connected(clinic)
    clinic.send()
    assert [message.from_number for message in clinic.sandbox.messages] == ["+15005550016"]
    assert Message.objects.get(follow_up=row).from_number == "+15005550016"


# The window.


def test_it_sends_at_the_opening_what_waited_for_it(clinic: Clinic) -> None:
    opening = window(clinic, timedelta(hours=2), timedelta(hours=3))
    message = called(clinic).message
    assert (message.status, message.valid_until) == ("scheduled", message.due_at + timedelta(hours=1))
    assert abs(message.due_at - opening) < timedelta(seconds=5)
    clinic.send()
    assert not clinic.sandbox.messages
    rules(clinic, window_start=None, window_end=None)  # now it is open
    clinic.retries_come_due()
    clinic.send()
    assert clinic.sandbox.creates == {(UTC_NUMBER, BODY): 1}


def test_it_looks_at_the_rules_again_at_the_opening(clinic: Clinic) -> None:
    window(clinic, timedelta(hours=2), timedelta(hours=3))
    row = called(clinic)
    opt_out(clinic.workspace.pk, UTC_NUMBER, OptOut.Origin.STOP)
    clinic.retries_come_due()
    clinic.send()
    row.refresh_from_db()
    assert (row.outcome, row.reason) == ("skipped", "opted_out")


def test_it_waits_for_the_next_opening_when_the_window_closes_before_the_claim(clinic: Clinic) -> None:
    row = called(clinic)
    opening = window(clinic, timedelta(hours=20), timedelta(hours=21))
    clinic.send()
    message = Message.objects.get(follow_up=row)
    assert message.status == "scheduled"
    assert message.due_at is not None
    assert abs(message.due_at - opening) < timedelta(seconds=5)
    assert message.valid_until == message.due_at + timedelta(hours=1)


def test_it_waits_for_no_opening_later_than_its_action_allows(clinic: Clinic) -> None:
    clinic.revision.send_within_s = 3600
    clinic.revision.save()
    row = called(clinic)
    window(clinic, timedelta(hours=2), timedelta(hours=3))
    clinic.send()
    row.refresh_from_db()
    assert (row.outcome, row.reason, row.message.status) == ("skipped", "expired", "canceled")


def test_it_is_valid_no_longer_than_its_action_allows(clinic: Clinic) -> None:
    clinic.revision.send_within_s = 7500
    clinic.revision.save()
    row = called(clinic)
    window(clinic, timedelta(hours=2), timedelta(hours=3))
    clinic.send()
    assert row.decided_at is not None
    assert Message.objects.get().valid_until == row.decided_at + timedelta(seconds=7500)


def test_a_change_of_the_rules_is_heeded_at_once_by_what_waits(clinic: Clinic) -> None:
    window(clinic, timedelta(hours=2), timedelta(hours=3))
    called(clinic)
    rules(clinic, window_start=None, window_end=None)
    look_again(clinic.workspace.pk)
    clinic.send()
    assert clinic.sandbox.creates == {(UTC_NUMBER, BODY): 1}


def test_a_higher_budget_is_heeded_at_once_by_what_waits(clinic: Clinic) -> None:
    rules(clinic, max_messages_per_day=1)
    clinic.message(to=UTC_NUMBER)
    clinic.message("Second", to="+3546112346")
    clinic.send()
    assert len(clinic.sandbox.messages) == 1
    rules(clinic, max_messages_per_day=2)
    look_again(clinic.workspace.pk)
    clinic.send()
    assert len(clinic.sandbox.messages) == 2


def test_a_change_of_the_rules_does_not_hasten_what_twilio_asked_to_wait(clinic: Clinic) -> None:
    clinic.sandbox.faults = {"retry_after_s": 40}
    clinic.sandbox.fail_next("refuse_429")
    clinic.message()
    clinic.send()
    look_again(clinic.workspace.pk)
    clinic.send()
    assert not clinic.sandbox.messages


# What waits expires, wherever it waits.


def in_time_no_more() -> None:
    """All that waits looks back on a time that is over."""
    past = timezone.now() - timedelta(milliseconds=1)
    Message.objects.update(valid_until=past)
    Message.objects.filter(due_at__isnull=False).update(due_at=past)


def waits_for_the_window(clinic: Clinic) -> None:
    window(clinic, timedelta(hours=2), timedelta(hours=3))
    called(clinic)


def waits_for_the_budget(clinic: Clinic) -> None:
    rules(clinic, max_messages_per_day=0)
    clinic.message()
    clinic.send()


def waits_for_its_sender(clinic: Clinic) -> None:
    paused(clinic)
    clinic.message()
    clinic.send()


def waits_for_an_account(clinic: Clinic) -> None:
    SendingAccount.objects.all().delete()
    clinic.message()
    clinic.send()


def waits_after_a_429(clinic: Clinic) -> None:
    clinic.sandbox.fail_next("refuse_429")
    clinic.message()
    clinic.send()


def waits_until_twilio_is_reached(clinic: Clinic) -> None:
    clinic.message()
    clinic.send()


def waits_for_its_twin(clinic: Clinic) -> None:
    clinic.sandbox.fail_next("error_500_after")
    clinic.message()
    clinic.send()
    Message.objects.update(due_at=None)
    clinic.message()
    clinic.send()


def is_surely_absent(clinic: Clinic) -> None:
    clinic.sandbox.fail_next("error_500_before")
    clinic.message()
    clinic.send()
    Message.objects.update(valid_until=timezone.now())
    clinic.track(3)


@pytest.mark.parametrize(
    "waits",
    [waits_for_the_window, waits_for_the_budget, waits_for_its_sender, waits_for_an_account, waits_after_a_429,
     waits_until_twilio_is_reached, waits_for_its_twin, is_surely_absent],
)  # fmt: skip
def test_it_sends_nothing_late(
    clinic: Clinic, waits: Callable[[Clinic], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = clinic.sandbox.url
    if waits is waits_until_twilio_is_reached:
        monkeypatch.setenv("POSTCALL_SANDBOX_URL", "http://127.0.0.1:1")  # nobody listens there
    waits(clinic)
    message = Message.objects.order_by("-id")[0]
    already = len(clinic.sandbox.messages)
    in_time_no_more()
    monkeypatch.setenv("POSTCALL_SANDBOX_URL", url)
    RefusedSender.objects.all().delete()
    rules(clinic, max_messages_per_day=None, window_start=None, window_end=None)
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.due_at) == ("canceled", None)
    assert (message.follow_up.outcome, message.follow_up.reason) == ("skipped", "expired")
    assert message.follow_up.detail.endswith(".")
    assert len(clinic.sandbox.messages) == already
    assert not Attempt.objects.filter(message=message, open=True).exists()


def test_what_nobody_approved_in_time_is_not_sent_late(clinic: Clinic) -> None:
    switched(clinic, "approve")
    row = called(clinic)
    FollowUp.objects.update(decided_at=timezone.now() - timedelta(days=2))
    assert expire_held() == 1
    row.refresh_from_db()
    assert (row.outcome, row.reason, Message.objects.count()) == ("skipped", "expired", 0)
