"""A sender that Twilio refuses three times in a row is paused; its texts wait, the others go on."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.followups.models import FollowUp
from postcall.messages import twilio_client
from postcall.messages.accounts import use_own, use_sandbox
from postcall.messages.claim import claim
from postcall.messages.models import Account, Attempt, Message, RefusedSender, SendingAccount
from postcall.messages.operator import cancel
from postcall.messages.pausing import count, pauses
from postcall.messages.recheck import CannotRecheck, Rechecked, recheck
from postcall.messages.send import FIRST_SENDER_PAUSE_S, Fence, hand_to_twilio, pause_before_next, record
from postcall.messages.twilio_client import Refused
from postcall.work.leases import take
from postcall.workspaces.models import ApiKey

from .clinic import ANN, BEN, BODY, LEASE, Clinic, events
from .together import at_once

BAD = "+15005550007"  # the stand-in refuses it with 21606
GOOD = "+15005550006"
AGENTS = "+15005550016"
SERVICE = "MG" + "1" * 32
SID = "AC" + "a" * 32


def refused(clinic: Clinic, code: int, to: str = ANN, status: int = 400, **fields: object) -> Message:
    """A text of its own that Twilio refuses with `code`."""
    message = clinic.message(f"Text {Message.objects.count()}", to=to, **fields)
    return refused_again(clinic, message, code, status)


def refused_again(clinic: Clinic, message: Message, code: int, status: int = 400) -> Message:
    Message.objects.filter(pk=message.pk).update(due_at=timezone.now() - timedelta(milliseconds=1))
    (held,) = [each for each in take(Message, 100, LEASE) if each.pk == message.pk]
    attempt = claim(held)
    assert attempt is not None
    record(attempt, Refused(status, code, "Refused"))
    message.refresh_from_db()
    return message


def mended(clinic: Clinic, **fields: str) -> None:
    """The owner connects an account that works."""
    given = {"account_sid": SID, "auth_token": "t" * 32, "from_number": GOOD, "api_url": clinic.sandbox.url}
    use_own(clinic.workspace, **(given | fields))


def paused(clinic: Clinic) -> list[tuple[str, int]]:
    return [(pause.sender, pause.code) for pause in pauses(clinic.workspace.pk)]


def goes(clinic: Clinic, to: str = BEN, **fields: object) -> Message:
    """A text that Twilio takes."""
    message = clinic.message(f"Text {Message.objects.count()}", to=to, **fields)
    (held,) = [each for each in take(Message, 100, LEASE) if each.pk == message.pk]
    attempt = claim(held)
    assert attempt is not None
    record(attempt, hand_to_twilio(attempt, Fence()))
    message.refresh_from_db()
    assert message.status == "accepted"
    return message


@pytest.mark.parametrize("code", [20003, 21606])
def test_it_waits_and_tries_again_after_one_refusal_and_two(clinic: Clinic, code: int) -> None:
    message = refused(clinic, code)
    assert (message.status, message.error_code, message.follow_up.outcome) == ("queued", code, "message")
    assert message.due_at is not None
    assert message.due_at > timezone.now()
    refused_again(clinic, message, code)
    assert (message.status, paused(clinic)) == ("queued", [])
    clinic.retries_come_due()
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.error_code, message.attempts_made) == ("accepted", None, 3)
    assert clinic.sandbox.creates[ANN, message.body] == 1


def test_it_waits_longer_after_the_second_refusal() -> None:
    first, second = (pause_before_next(tries, None, FIRST_SENDER_PAUSE_S) for tries in (0, 1))
    assert FIRST_SENDER_PAUSE_S <= first <= 1.25 * FIRST_SENDER_PAUSE_S
    assert 2 * FIRST_SENDER_PAUSE_S <= second <= 2.5 * FIRST_SENDER_PAUSE_S


@pytest.mark.parametrize(
    ("code", "status", "sender"),
    [(20003, 401, ""), (20404, 404, ""), (403, 403, ""), (21606, 400, GOOD), (21660, 400, GOOD)],
)
def test_it_pauses_what_was_refused_three_times_in_a_row(
    clinic: Clinic, code: int, status: int, sender: str
) -> None:
    first, second = (refused(clinic, code, status=status) for _ in range(2))
    third = refused(clinic, code, status=status)
    assert paused(clinic) == [(sender, code)]
    assert (third.status, third.follow_up.outcome, third.follow_up.reason) == ("queued", "held", "sender_paused")
    clinic.retries_come_due()
    clinic.send()
    for message in (first, second):
        message.refresh_from_db()
        assert (message.status, message.follow_up.reason) == ("queued", "sender_paused")
        assert message.attempts_made == 1
    assert not clinic.sandbox.messages


def test_it_names_the_mend_of_a_pause(clinic: Clinic) -> None:
    for _ in range(3):
        refused(clinic, 20003)
    later = clinic.message("Later")
    clinic.send()
    details = {each.detail for each in FollowUp.objects.filter(reason="sender_paused")}
    assert details == {
        "Sending is paused. Twilio does not accept the account's credentials. "
        "Enter the account SID and auth token again under Settings, Twilio. "
        "Recheck lets it go on once it is mended."
    }
    assert FollowUp.objects.get(message=later).outcome == "held"


def test_one_text_alone_can_show_that_a_sender_is_broken(clinic: Clinic) -> None:
    message = refused(clinic, 20003)
    refused_again(clinic, message, 20003)
    refused_again(clinic, message, 20003)
    assert (paused(clinic), message.follow_up.reason) == ([("", 20003)], "sender_paused")


@pytest.mark.parametrize("code", [20003, 21606])
def test_a_text_that_goes_in_between_breaks_the_row(clinic: Clinic, code: int) -> None:
    refused(clinic, code)
    refused(clinic, code)
    goes(clinic)
    refused(clinic, code)
    refused(clinic, code)
    assert paused(clinic) == []
    refused(clinic, code)
    assert len(paused(clinic)) == 1


def test_what_another_sender_sends_says_nothing_of_this_one(clinic: Clinic) -> None:
    refused(clinic, 21606)
    refused(clinic, 21606)
    goes(clinic, agent=clinic.agent_with(from_number=AGENTS))
    refused(clinic, 21606)
    assert paused(clinic) == [(GOOD, 21606)]


def test_what_another_sender_sends_shows_that_the_account_is_well(clinic: Clinic) -> None:
    refused(clinic, 20003)
    refused(clinic, 20003)
    goes(clinic, agent=clinic.agent_with(from_number=AGENTS))
    refused(clinic, 20003)
    assert paused(clinic) == []


def test_an_agents_own_bad_number_pauses_alone(clinic: Clinic) -> None:
    own = [clinic.message(f"Text {n}", agent=clinic.agent_with(from_number=BAD)) for n in range(3)]
    clinic.send()
    assert paused(clinic) == [(BAD, 21606)]
    clinic.message(to=BEN)
    clinic.retries_come_due()
    clinic.send()
    assert clinic.sandbox.creates == {(BEN, BODY): 1}
    for message in own:
        message.refresh_from_db()
        assert (message.status, message.follow_up.reason) == ("queued", "sender_paused")


def test_a_messaging_service_pauses_alone(clinic: Clinic) -> None:
    for _ in range(3):
        refused(clinic, 21703, agent=clinic.agent_with(messaging_service_sid=SERVICE))
    assert paused(clinic) == [(SERVICE, 21703)]
    goes(clinic)


def test_a_refusal_that_follows_the_text_and_not_the_sender_fails_the_text(clinic: Clinic) -> None:
    message = refused(clinic, 21606)
    goes(clinic)
    refused_again(clinic, message, 21606)
    assert (message.status, message.error_code, message.due_at) == ("failed", 21606, None)
    assert message.follow_up.reason == "number_refused"
    assert paused(clinic) == []


def test_a_sender_that_only_one_text_cannot_have_is_not_called_a_missing_account(clinic: Clinic) -> None:
    message = refused(clinic, 21703)
    goes(clinic)
    refused_again(clinic, message, 21703)
    assert (message.status, message.follow_up.reason) == ("failed", "")
    assert message.follow_up.detail.startswith("The Messaging Service has no number")


def test_other_refusals_pause_nothing(clinic: Clinic) -> None:
    for _ in range(4):
        refused(clinic, 21608)
    assert not RefusedSender.objects.exists()


def test_a_text_that_waits_for_its_sender_expires_in_time(clinic: Clinic) -> None:
    message = refused(clinic, 20003)
    Message.objects.update(valid_until=timezone.now())
    clinic.retries_come_due()
    clinic.send()
    message.refresh_from_db()
    assert (message.status, message.follow_up.reason) == ("canceled", "expired")


# What Twilio says only after it has taken the text.


def undelivered(clinic: Clinic, code: int, to: str = ANN) -> Attempt:
    message = goes(clinic, to=to)
    attempt = message.attempts.get()
    clinic.call_back(attempt, attempt.sid, "undelivered", ErrorCode=str(code))
    return attempt


@pytest.mark.parametrize("code", [30032, 30034])
def test_carriers_that_do_not_take_a_sender_pause_it_at_the_third_text(clinic: Clinic, code: int) -> None:
    undelivered(clinic, code)
    undelivered(clinic, code)
    assert paused(clinic) == []
    last = undelivered(clinic, code)
    assert paused(clinic) == [(GOOD, code)]
    assert Message.objects.get(pk=last.message_id).status == "undelivered"
    clinic.message("Held", to=BEN)
    clinic.send()
    assert FollowUp.objects.filter(reason="sender_paused").count() == 1


def test_that_twilio_takes_a_text_does_not_show_that_carriers_do(clinic: Clinic) -> None:
    undelivered(clinic, 30034)
    undelivered(clinic, 30034)
    goes(clinic)
    undelivered(clinic, 30034)
    assert paused(clinic) == [(GOOD, 30034)]


def test_a_delivery_in_between_breaks_the_row_also_when_it_is_told_late(clinic: Clinic) -> None:
    undelivered(clinic, 30034)
    between = goes(clinic).attempts.get()
    undelivered(clinic, 30034)
    clinic.call_back(between, between.sid, "delivered")
    undelivered(clinic, 30034)
    assert paused(clinic) == []


def test_a_refusal_that_is_told_twice_counts_once(clinic: Clinic) -> None:
    attempt = undelivered(clinic, 30034)
    for _ in range(3):
        count(Attempt.objects.get(pk=attempt.pk), 30034)
    assert RefusedSender.objects.get().attempts == [attempt.pk]


def test_a_suspended_account_is_paused_as_a_whole(clinic: Clinic) -> None:
    for _ in range(3):
        undelivered(clinic, 30002)
    assert paused(clinic) == [("", 30002)]


# Mending.


def test_it_sends_what_was_held_once_another_account_is_chosen(clinic: Clinic) -> None:
    Account.objects.update(from_number=BAD)
    messages = [clinic.message(f"Text {n}") for n in range(3)]
    clinic.send()
    assert paused(clinic) == [(BAD, 21606)]
    clinic.retries_come_due()
    clinic.send()
    mended(clinic)
    clinic.send()
    for message in messages:
        message.refresh_from_db()
        assert (message.status, message.follow_up.outcome, message.follow_up.reason) == ("accepted", "message", "")
    assert sorted(clinic.sandbox.creates.values()) == [1, 1, 1]


def test_saving_the_same_account_lifts_its_pause(clinic: Clinic) -> None:
    for _ in range(3):
        refused(clinic, 20003)
    use_sandbox(clinic.workspace)
    assert (paused(clinic), RefusedSender.objects.count()) == ([], 0)


def test_a_refusal_from_before_the_mend_counts_no_more(clinic: Clinic) -> None:
    clinic.message()
    (held,) = take(Message, 1, LEASE)
    attempt = claim(held)
    assert attempt is not None
    use_sandbox(clinic.workspace)
    record(attempt, Refused(401, 20003, "Refused"))
    assert not RefusedSender.objects.exists()


def test_a_refusal_of_an_account_that_is_not_in_force_counts_no_more(clinic: Clinic) -> None:
    clinic.message()
    (held,) = take(Message, 1, LEASE)
    attempt = claim(held)
    assert attempt is not None
    mended(clinic)
    record(attempt, Refused(401, 20003, "Refused"))
    assert not RefusedSender.objects.exists()
    clinic.retries_come_due()
    clinic.send()
    assert [message.account_sid for message in clinic.sandbox.messages] == [SID]


def test_a_workspace_has_its_own_pauses_on_a_shared_account(clinic: Clinic) -> None:
    other = Clinic("Elm Clinic", clinic.sandbox)
    SendingAccount.objects.update(account=clinic.account)
    for _ in range(3):
        refused(clinic, 20003)
    assert (len(paused(clinic)), paused(other)) == (1, [])


def three_times(clinic: Clinic, code: int, **fields: object) -> list[Message]:
    return [refused(clinic, code, **fields) for _ in range(3)]


def rechecked(clinic: Clinic) -> Rechecked:
    return recheck(clinic.workspace.pk, lambda _: None)


def told(found: Rechecked) -> list[tuple[str, bool]]:
    return [(finding.sender, finding.well) for finding in found.findings]


def test_recheck_lets_everything_go_that_is_well_again(clinic: Clinic) -> None:
    messages = three_times(clinic, 20003)
    clinic.retries_come_due()
    clinic.send()
    found = rechecked(clinic)
    assert (found.well, found.looked_at, told(found)) == (True, 3, [("", True), (GOOD, True)])
    clinic.send()
    for message in messages:
        message.refresh_from_db()
        assert (message.status, message.follow_up.reason) == ("accepted", "")


def test_a_refusal_from_before_the_recheck_counts_no_more(clinic: Clinic) -> None:
    clinic.message()
    (held,) = take(Message, 1, LEASE)
    attempt = claim(held)
    assert attempt is not None
    rechecked(clinic)
    record(attempt, Refused(401, 20003, "Refused"))
    assert not RefusedSender.objects.exists()


def test_recheck_sends_nothing_whose_time_is_over(clinic: Clinic) -> None:
    messages = three_times(clinic, 20003)
    clinic.retries_come_due()
    clinic.send()
    Message.objects.filter(pk__in=[each.pk for each in messages[:2]]).update(valid_until=timezone.now())
    rechecked(clinic)
    clinic.send()
    assert sorted(FollowUp.objects.values_list("reason", flat=True)) == ["", "expired", "expired"]
    assert len(clinic.sandbox.messages) == 1


def test_recheck_says_what_is_still_amiss_with_a_sender_and_lets_the_others_go(clinic: Clinic) -> None:
    three_times(clinic, 21606, agent=clinic.agent_with(from_number=BAD))
    three_times(clinic, 21606, agent=clinic.agent_with(from_number=AGENTS))
    clinic.retries_come_due()
    clinic.send()
    found = rechecked(clinic)
    assert (found.well, told(found)) == (False, [("", True), (GOOD, True), (BAD, False), (AGENTS, True)])
    (amiss,) = [finding for finding in found.findings if not finding.well]
    assert amiss.message == f"{BAD} is not a number of this account."
    assert amiss.fix.endswith(".")
    assert paused(clinic) == [(BAD, 21606)]
    assert found.looked_at == 6
    clinic.send()
    assert [message.from_number for message in clinic.sandbox.messages] == [AGENTS] * 3
    assert paused(clinic) == [(BAD, 21606)]


def test_recheck_says_that_twilio_does_not_take_the_credentials(clinic: Clinic) -> None:
    mended(
        clinic, account_sid="AC" + "b" * 32, auth_token="t" * 32, api_key_sid="SK" + "2" * 32, api_key_secret="x"
    )
    Account.objects.filter(account_sid="AC" + "b" * 32).update(api_key_sid="not a key")
    twilio_client.forget_clients()
    found = rechecked(clinic)
    assert not found.well
    assert found.findings[0].message == "This account has no such API key; it may be another account's."
    assert found.findings[0].fix


def test_recheck_says_that_twilio_cannot_be_reached(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    three_times(clinic, 20003)
    monkeypatch.setenv("POSTCALL_SANDBOX_URL", "http://127.0.0.1:1")  # nobody listens there
    found = rechecked(clinic)
    assert (found.well, found.looked_at, paused(clinic)) == (False, 0, [("", 20003)])
    assert found.findings[0].message.startswith("Twilio could not be asked")


def test_recheck_finds_messaging_services(clinic: Clinic) -> None:
    three_times(clinic, 21703, agent=clinic.agent_with(messaging_service_sid=SERVICE))
    three_times(clinic, 21705, agent=clinic.agent_with(messaging_service_sid="MG" + "z" * 32))
    found = rechecked(clinic)
    assert told(found) == [("", True), (GOOD, True), (SERVICE, True), ("MG" + "z" * 32, False)]


def test_recheck_says_that_a_registration_cannot_be_seen(clinic: Clinic) -> None:
    for _ in range(3):
        undelivered(clinic, 30034)
    found = rechecked(clinic)
    assert found.well
    assert "Whether it is registered by now is seen when the next texts go." in found.findings[1].message
    assert paused(clinic) == []


def held_for(clinic: Clinic, agent: Agent) -> list[Message]:
    """Texts of the agent's that wait because its sender is paused."""
    messages = three_times(clinic, 21606, agent=agent)
    clinic.retries_come_due()
    clinic.send()
    assert FollowUp.objects.filter(outcome="held", reason="sender_paused").count() == 3
    return messages


@pytest.mark.parametrize(
    "sender", [{"from_number": AGENTS}, {"messaging_service_sid": SERVICE, "from_number": ""}, {"from_number": ""}]
)
def test_what_is_held_leaves_by_the_sender_that_its_agent_has_now(clinic: Clinic, sender: dict[str, str]) -> None:
    agent = clinic.agent_with(from_number=BAD)
    held_for(clinic, agent)
    Agent.objects.filter(pk=agent.pk).update(**sender)
    assert rechecked(clinic).well
    clinic.send()
    expected = sender.get("messaging_service_sid") or sender["from_number"] or GOOD
    sent = [each.parameters.get("MessagingServiceSid") or each.from_number for each in clinic.sandbox.messages]
    assert sent == [expected] * 3
    assert not FollowUp.objects.exclude(outcome="message").exists()


def test_what_is_held_leaves_by_itself_once_its_agent_has_another_sender(clinic: Clinic) -> None:
    agent = clinic.agent_with(from_number=BAD)
    held_for(clinic, agent)
    Agent.objects.filter(pk=agent.pk).update(from_number=AGENTS)
    clinic.retries_come_due()
    clinic.send()
    assert [message.from_number for message in clinic.sandbox.messages] == [AGENTS] * 3


def test_what_is_held_leaves_at_once_when_its_agent_is_given_another_sender(clinic: Clinic) -> None:
    agent = clinic.agent_with(from_number=BAD)
    held_for(clinic, agent)
    _, key = ApiKey.issue(clinic.workspace, "Tests", ApiKey.Scope.ADMIN)
    answer = Client().put(
        f"/api/v1/agents/{agent.pk}",
        {"name": "Own sender", "sender": {"from_number": AGENTS}},
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 200
    clinic.send()
    assert [message.from_number for message in clinic.sandbox.messages] == [AGENTS] * 3


def test_the_pause_of_a_sender_that_nobody_has_any_more_is_forgotten(clinic: Clinic) -> None:
    agent = clinic.agent_with(from_number=BAD)
    held_for(clinic, agent)
    assert paused(clinic) == [(BAD, 21606)]
    Agent.objects.filter(pk=agent.pk).update(from_number=AGENTS)
    assert paused(clinic) == []
    assert told(rechecked(clinic)) == [("", True), (GOOD, True)]
    assert not RefusedSender.objects.exists()


def test_the_pause_of_a_sender_that_another_agent_has_stays(clinic: Clinic) -> None:
    agent = clinic.agent_with(from_number=BAD)
    held_for(clinic, agent)
    Agent.objects.filter(pk=agent.pk).update(from_number=AGENTS)
    Agent.objects.filter(pk=clinic.agent.pk).update(from_number=BAD)
    assert paused(clinic) == [(BAD, 21606)]
    assert told(rechecked(clinic))[2:] == [(BAD, False)]


def test_the_pause_of_a_number_that_was_called_stays_while_texts_wait_for_it(clinic: Clinic) -> None:
    agent = clinic.agent_with(from_number=BAD)
    messages = held_for(clinic, agent)
    Call.objects.filter(agent=agent).update(agent_number=BAD)
    Agent.objects.filter(pk=agent.pk).update(from_number="", follow_agent_number=True)
    clinic.retries_come_due()
    clinic.send()
    assert paused(clinic) == [(BAD, 21606)]
    for message in messages:
        message.refresh_from_db()
        cancel(message)
    assert paused(clinic) == []


def test_the_pause_of_the_sender_of_an_agent_that_is_gone_stays_while_its_texts_wait(clinic: Clinic) -> None:
    agent = clinic.agent_with(from_number=BAD)
    held_for(clinic, agent)
    Agent.objects.filter(pk=agent.pk).update(deleted_at=timezone.now())
    assert paused(clinic) == [(BAD, 21606)]
    clinic.retries_come_due()
    clinic.send()
    assert (paused(clinic), FollowUp.objects.filter(reason="attachment_off").count()) == ([], 3)


def test_recheck_needs_an_account(clinic: Clinic) -> None:
    SendingAccount.objects.all().delete()
    with pytest.raises(CannotRecheck, match="choose one"):
        rechecked(clinic)


def test_a_sender_that_is_not_mended_pauses_anew(clinic: Clinic) -> None:
    three_times(clinic, 20003)
    rechecked(clinic)
    three_times(clinic, 20003)
    assert paused(clinic) == [("", 20003)]


def test_what_is_held_is_looked_at_again_by_itself(clinic: Clinic) -> None:
    messages = three_times(clinic, 20003)
    clinic.retries_come_due()
    clinic.send()
    assert events(messages[0]).count("queued") == 1
    clinic.retries_come_due()
    clinic.send()
    assert events(messages[0]).count("queued") == 1
    RefusedSender.objects.all().delete()  # by somebody who did not see the message held
    clinic.retries_come_due()
    clinic.send()
    messages[0].refresh_from_db()
    assert (messages[0].status, messages[0].follow_up.outcome) == ("accepted", "message")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_workers_at_the_same_instant_count_every_refusal_once(sandbox: Any, seed: int) -> None:
    clinic = Clinic("Northgate Clinic", sandbox)
    for n in range(4):
        clinic.message(f"Text {n}", to=f"+1555123010{n}")
    attempts = [claim(message) for message in take(Message, 4, LEASE)]
    counted = [attempt for attempt in attempts for _ in range(2)]
    random.Random(seed).shuffle(counted)
    assert at_once(*[lambda a=a: count(Attempt.objects.get(pk=a.pk), 20003) for a in counted[:4]]) == []  # type: ignore[misc]  # a lambda
    row = RefusedSender.objects.get()
    distinct = {attempt.pk for attempt in counted[:4] if attempt}
    assert len(row.attempts) == len(set(row.attempts)) == min(3, len(distinct))
    assert (row.paused_at is not None) == (len(distinct) >= 3)
