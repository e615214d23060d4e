"""What needs a person: each thing by a key that lasts, with its mend, and nothing of a customer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from dashboard.factories import (
    a_busy_workspace,
    a_call,
    a_follow_up,
    a_held_follow_up,
    a_message,
    a_pause,
    a_skipped_follow_up,
    a_workspace,
    an_action,
    an_agent,
)
from django.utils import timezone

from postcall.alerts.attention import JUDGED_AT_LEAST, matters
from postcall.alerts.matters import Kind, Matter
from postcall.calls.models import Call
from postcall.followups.models import FollowUp, Reason
from postcall.messages.models import Message, RefusedSender, SendingAccount
from postcall.sources.models import Source
from postcall.sources.refused import refuse
from postcall.work import clock
from postcall.work.models import Worker
from postcall.workspaces.models import Workspace

from .times import calls_at, judged_at

pytestmark = pytest.mark.django_db


def found(workspace: Workspace, **options: int) -> dict[str, Matter]:
    return {matter.key: matter for matter in matters(workspace, clock.now(), **options)}


def test_it_finds_nothing_where_all_is_well(workspace: Workspace) -> None:
    agent = an_agent(workspace)
    booking = an_action(agent)
    a_message(a_follow_up(a_call(agent), booking))
    a_skipped_follow_up(a_call(agent), booking)
    assert found(workspace) == {}


def test_it_finds_that_there_is_no_account(workspace: Workspace) -> None:
    assert found(a_workspace("Copperkettle Garage", account=None))["account"].tone == "bad"


def test_it_names_the_sender_that_is_paused(workspace: Workspace) -> None:
    a_pause(workspace, 21606, "+14155550144")
    matter = found(workspace)["paused:+14155550144"]
    assert matter.title.startswith("Sending from +1 415 555 0144 is paused: The sender number is not yours")
    assert matter.target.place == "recheck"


@pytest.mark.parametrize("paused", [True, False])
def test_it_finds_credentials_that_twilio_refuses_before_and_after_the_pause(
    workspace: Workspace, paused: bool
) -> None:
    if paused:
        a_pause(workspace, 20003)
    else:
        account = SendingAccount.objects.get(workspace=workspace).account
        RefusedSender.objects.create(workspace=workspace, account=account, sender="", code=20003)
    assert [key for key in found(workspace) if key == "credentials"] == ["credentials"]


def failed(workspace: Workspace, code: int, texts: int, **fields: Any) -> None:
    agent = an_agent(workspace, f"Desk {code}")
    booking = an_action(agent, f"Action {code}")
    for _ in range(texts):
        a_message(a_follow_up(a_call(agent), booking), Message.Status.FAILED, error_code=code, **fields)


@pytest.mark.parametrize(("code", "texts", "weighty"), [(30003, 1, False), (30003, 3, True), (30007, 1, True)])
def test_it_weighs_failures_by_number_and_by_whose_fault_they_are(
    workspace: Workspace, code: int, texts: int, weighty: bool
) -> None:
    failed(workspace, code, texts)
    matter = found(workspace)[f"failed:{code}"]
    assert (matter.weighty, matter.title.split(" ")[0]) == (weighty, str(texts))


def test_it_forgets_failures_after_a_day(workspace: Workspace) -> None:
    failed(workspace, 30003, 3, created_at=timezone.now() - timedelta(hours=25))
    assert found(workspace) == {}


def test_it_names_the_sender_that_is_not_registered_once(workspace: Workspace) -> None:
    failed(workspace, 30034, 2, from_number="+14155550166")
    assert list(found(workspace)) == ["unregistered:+14155550166"]
    a_pause(workspace, 30034, "+14155550166")
    assert list(found(workspace)) == ["paused:+14155550166"]


def test_it_counts_what_is_held_and_says_what_lapses_next(workspace: Workspace) -> None:
    agent = an_agent(workspace)
    booking = an_action(agent)
    for _ in range(2):
        a_held_follow_up(a_call(agent), booking, decided_at=timezone.now() - timedelta(hours=22, minutes=30))
    matter = found(workspace)["held"]
    assert matter.title == "2 follow-ups wait for you"
    assert "The next one lapses in 89 min." in matter.mend or "The next one lapses in 90 min." in matter.mend
    assert found(workspace, held_over=1)["held"].weighty
    assert not found(workspace, held_over=2)["held"].weighty


def test_it_minds_what_is_unconfirmed_for_long(workspace: Workspace) -> None:
    agent = an_agent(workspace)
    follow_up = a_follow_up(a_call(agent), an_action(agent))
    a_message(follow_up, Message.Status.UNCONFIRMED, created_at=timezone.now())
    assert not found(workspace)["unconfirmed"].weighty
    Message.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert found(workspace)["unconfirmed"].weighty


def test_it_finds_a_platform_that_is_refused_until_it_is_heard_again(workspace: Workspace) -> None:
    source = Source.objects.create(workspace=workspace, kind="generic", name="Front desk")
    refuse(source, "the signature was made with another secret")
    matter = found(workspace)[f"refused:{source.pk}"]
    assert (matter.tone, matter.weighty) == ("bad", True)
    assert matter.title == "Front desk: 1 webhook refused in the last 24 h"
    assert "another secret" in matter.mend
    Source.objects.update(last_received_at=clock.now())
    assert not found(workspace)[f"refused:{source.pk}"].weighty
    Source.objects.update(last_rejected_at=clock.now() - timedelta(hours=25))
    assert found(workspace) == {}


def test_it_finds_a_platform_that_fell_silent_until_it_is_disconnected(workspace: Workspace) -> None:
    source = Source.objects.create(workspace=workspace, kind="generic", name="Front desk")
    ended = clock.now() - timedelta(hours=3)
    calls_at([ended - number * timedelta(minutes=10) for number in range(21 * 24 * 6)], source)
    assert found(workspace)[f"silent:{source.pk}"].title == "Front desk has been silent for 3 h"
    Source.objects.update(deleted_at=clock.now())
    assert found(workspace) == {}


def test_it_counts_calls_of_unknown_agents(workspace: Workspace) -> None:
    a_call(None, workspace)
    a_call(None, a_workspace("Copperkettle Garage"))
    assert found(workspace)["unknown_agent"].title == "1 call of an unknown agent in the last 7 days"


def test_it_finds_a_judge_that_fails_also_while_it_is_asked_again(workspace: Workspace) -> None:
    agent = an_agent(workspace)
    a_held_follow_up(a_call(agent), an_action(agent), reason=Reason.JUDGE_FAILED)
    a_call(agent, judge_failures=1, due_at=clock.now() + timedelta(minutes=1))
    assert found(workspace)["judge"].title == "The judge failed on 2 calls in the last 24 h"


def test_it_finds_a_condition_that_never_fires(workspace: Workspace) -> None:
    booking = an_action(an_agent(workspace))
    at = clock.now() - timedelta(days=2)
    for _ in range(JUDGED_AT_LEAST - 1):
        judged_at(at, booking, "not_met")
    assert found(workspace) == {}
    judged_at(at, booking, "unclear")
    key = f"never_fires:{booking.action_id}"
    assert found(workspace)[key].mend.startswith(f"Judged {JUDGED_AT_LEAST} times in 14 days, never met")
    judged_at(clock.now() - timedelta(days=15), booking, "met")
    assert key in found(workspace)
    judged_at(at, booking, "met")
    assert found(workspace) == {}


@pytest.mark.parametrize("change", [{"mode": "off"}, {"deleted_at": timezone.now()}])
def test_it_asks_of_a_condition_that_is_not_on_nothing(workspace: Workspace, change: dict[str, Any]) -> None:
    booking = an_action(an_agent(workspace))
    for _ in range(JUDGED_AT_LEAST):
        judged_at(clock.now() - timedelta(days=2), booking, "not_met")
    type(booking).objects.update(**change)
    assert found(workspace) == {}


def test_it_names_what_is_off_because_an_input_is_unbound(workspace: Workspace) -> None:
    link = an_action(an_agent(workspace), "Payment link", "Pay: northgate.example/<reference>", mode="off")
    matter = found(workspace)[f"unbound:{link.pk}"]
    assert matter.title == "“Payment link” is off for Front desk"
    assert "<reference>" in matter.mend


def test_it_finds_that_no_worker_runs(workspace: Workspace) -> None:
    Worker.objects.update(seen_at=clock.now() - timedelta(hours=1))
    assert list(found(workspace)) == ["worker"]


def test_it_finds_that_work_is_late(workspace: Workspace) -> None:
    a_call(an_agent(workspace), status=Call.Status.RECEIVED, due_at=clock.now() - timedelta(minutes=12))
    assert found(workspace)["late"].title == "Work is late: the oldest has waited for 12 min"


def test_it_tells_the_gravest_first(workspace: Workspace) -> None:
    a_held_follow_up(a_call(agent := an_agent(workspace)), an_action(agent))
    a_pause(workspace, 20003)
    assert [matter.kind for matter in matters(workspace, clock.now())] == [Kind.CREDENTIALS, Kind.HELD]


def test_it_tells_nothing_of_a_customer() -> None:
    busy = a_busy_workspace()
    numbers = {*Call.objects.values_list("customer_number", flat=True)} | {
        *Message.objects.values_list("to", flat=True)
    }
    words = " ".join(f"{each.title} {each.mend} {each.key}" for each in matters(busy, clock.now()))
    assert "+14155550132" in numbers
    assert not [number for number in numbers if number and number[-4:] in words]
    assert not [body for body in FollowUp.objects.exclude(body="").values_list("body", flat=True) if body in words]


def test_it_asks_the_database_a_bounded_number_of_questions(
    workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        agent = an_agent(workspace, f"Desk {number}")
        a_held_follow_up(a_call(agent), an_action(agent))
        failed(workspace, 30003 + number, 1)
    with django_assert_max_num_queries(24):
        matters(workspace, clock.now())
