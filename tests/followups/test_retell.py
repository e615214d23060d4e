"""Retell reports a call twice: judged once, on what its analysis says, or two minutes later on what there is."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from postcall.agents.models import ExternalId
from postcall.calls.models import Call, RawPayload
from postcall.followups.models import FollowUp
from postcall.followups.process import process
from postcall.messages.models import Message
from postcall.sources.models import Source
from postcall.work import clock
from postcall.work.leases import take

from .clinic import Clinic, KnowingJudge

KEY = "key_of_the_tests_only"
WAIT = timedelta(minutes=2)
BOOKED = "After booking an appointment"
RATED = {"inputs": {"service": {"from": "extracted", "name": "service"}}}


class Account:
    """A Retell account whose agent is the clinic's."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.source = Source.objects.create(
            workspace=clinic.workspace, kind="retell", name="Retell", auth=json.dumps({"secret": KEY})
        )
        ExternalId.objects.create(
            workspace=clinic.workspace, agent=clinic.agent, source_kind="retell", external_id="agent_1"
        )

    def sends(self, event: str, **changed: Any) -> str:
        """Delivers one event of a call; returns what it was answered."""
        call: dict[str, Any] = {
            "call_id": "call-1",
            "call_type": "phone_call",
            "agent_id": "agent_1",
            "direction": "inbound",
            "from_number": "+14155550132",
            "to_number": "+14155550100",
            "disconnection_reason": "user_hangup",
            "transcript": "Agent: Northgate Clinic.\nUser: A cleaning on Thursday.\nAgent: You are booked.",
        }
        if event == "call_analyzed":
            call["call_analysis"] = {"custom_analysis_data": {"service": "cleaning"}}
        body = json.dumps({"event": event, "call": call | changed}).encode()
        stamp = str(int(time.time() * 1000))
        digest = hmac.new(KEY.encode(), body + stamp.encode(), hashlib.sha256).hexdigest()
        answer = Client().post(
            f"/in/retell/{self.source.token}",
            body,
            content_type="application/json",
            headers={"X-Retell-Signature": f"v={stamp},d={digest}"},
        )
        assert answer.status_code == 200
        return str(answer.json()["status"])

    def judged(self) -> list[FollowUp]:
        """Has what is due judged."""
        for call in take(Call, 5, timedelta(seconds=60)):
            process(call, KnowingJudge(), self.clinic.messaging)
        return list(FollowUp.objects.order_by("reason"))


@pytest.fixture
def account(clinic: Clinic) -> Account:
    return Account(clinic)


def ago(monkeypatch: pytest.MonkeyPatch, before: timedelta) -> None:
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() - before)


def test_it_judges_once_what_the_analysis_says(account: Account) -> None:
    account.clinic.attach("Your <service> is booked.", BOOKED, **RATED)
    assert account.sends("call_ended") == "accepted"
    assert account.judged() == []
    assert account.sends("call_analyzed") == "accepted"
    assert [row.outcome for row in account.judged()] == ["message"]
    assert [message.body for message in Message.objects.all()] == ["Your cleaning is booked."]
    assert RawPayload.objects.count() == 2
    assert (account.sends("call_analyzed"), account.sends("call_ended")) == ("duplicate", "duplicate")
    assert take(Call, 5, WAIT) == []


def test_it_takes_an_analysis_that_overtakes_the_end(account: Account) -> None:
    account.clinic.attach("Your <service> is booked.", BOOKED, **RATED)
    assert account.sends("call_analyzed") == "accepted"
    assert account.sends("call_ended", transcript="") == "duplicate"
    assert [row.outcome for row in account.judged()] == ["message"]
    assert Call.objects.get().variables["extracted"] == {"service": "cleaning"}


def test_it_waits_two_minutes_for_an_analysis(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.clinic.attach("You are booked.", BOOKED)
    ago(monkeypatch, WAIT - timedelta(seconds=30))
    account.sends("call_ended")
    call = Call.objects.get()
    assert call.judge_after is not None
    assert call.judge_after - call.received_at < WAIT + timedelta(seconds=1)
    assert account.judged() == []


def test_it_judges_without_an_analysis_that_never_comes(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.clinic.attach("You are booked.", BOOKED)
    ago(monkeypatch, WAIT + timedelta(seconds=1))
    account.sends("call_ended")
    assert [row.outcome for row in account.judged()] == ["message"]


@pytest.mark.parametrize(
    ("thin", "reason"),
    [({}, "missing_input"), ({"transcript": ""}, "no_transcript"), ({"from_number": ""}, "no_recipient")],
)
def test_it_puts_right_what_an_analysis_that_comes_late_can_put_right(
    account: Account, monkeypatch: pytest.MonkeyPatch, thin: dict[str, str], reason: str
) -> None:
    account.clinic.attach("Your <service> is booked.", BOOKED, **RATED)
    with monkeypatch.context() as earlier:
        ago(earlier, WAIT + timedelta(seconds=1))
        account.sends("call_ended", **thin)
    assert [row.reason for row in account.judged()] == [reason]
    account.sends("call_analyzed")
    assert [row.outcome for row in account.judged()] == ["message"]


def test_it_sends_nothing_again_and_changes_its_mind_about_nothing_else(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.clinic.attach("You are booked.", BOOKED)
    account.clinic.attach("Never mind.", "After cancelling")
    judge = KnowingJudge(results={"After cancelling": "not_met"})
    with monkeypatch.context() as earlier:
        ago(earlier, WAIT + timedelta(seconds=1))
        account.sends("call_ended")
    process(account.clinic.take(), judge, account.clinic.messaging)
    account.sends("call_analyzed", transcript="Agent: You cancelled.\nUser: Yes.")
    assert [(row.outcome, row.reason) for row in account.judged()] == [
        ("message", ""),
        ("skipped", "condition_not_met"),
    ]
    assert Message.objects.count() == 1


def test_it_says_of_a_call_without_a_stored_transcript_that_it_was_redacted(account: Account) -> None:
    account.clinic.attach("You are booked.", BOOKED)
    account.sends("call_analyzed", transcript="", data_storage_setting="basic_attributes_only")
    assert [row.reason for row in account.judged()] == ["redacted"]


def test_it_refuses_an_unsigned_event(account: Account) -> None:
    answer = Client().post(f"/in/retell/{account.source.token}", b"{}", content_type="application/json")
    assert answer.status_code == 401
    account.source.refresh_from_db()
    assert "x-retell-signature is missing" in account.source.last_rejected_reason
