"""A workspace in which something of everything happened; whatever a request changes is undone after it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection, transaction
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from postcall.calls.models import Call
from postcall.followups.process import process
from postcall.judge.verdicts import Case, Judgement
from postcall.messages.handing import TwilioMessaging
from postcall.outbound.standard_webhook import new_secret
from postcall.webhooks.models import EventType, WebhookEndpoint
from postcall.work import clock
from postcall.work.leases import take
from postcall.workspaces.models import ApiKey, Workspace

NUMBER = "+14155550132"
CALL = {
    "customer_number": NUMBER,
    "connected": True,
    "transcript": [{"role": "agent", "text": "Hello"}, {"role": "customer", "text": "Yes, please."}],
    "variables": {"collected": {"first_name": "Ann"}},
}


class NoJudge:
    """For calls on which nothing needs one."""

    name = "none"
    listens = False

    def decide(self, case: Case) -> Judgement:
        raise AssertionError("nobody was to be asked")


@dataclass(frozen=True)
class Clinic:
    """A workspace's admin key, and one thing of each kind by the names that stand in the API's paths."""

    key: str
    ids: dict[str, str]
    source: dict[str, Any]


@contextmanager
def undone() -> Iterator[None]:
    """What the block wrote is looked at as a commit would, and taken back."""
    with transaction.atomic():
        yield
        connection.check_constraints()
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def clinic(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Clinic]:
    with django_db_blocker.unblock(), transaction.atomic():
        furnished = _furnished()
        # Schemathesis calls the application itself, which has to keep to the test's connection all the same.
        for signal in (request_started, request_finished):
            signal.disconnect(close_old_connections)
        yield furnished
        transaction.set_rollback(True)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def _furnished() -> Clinic:
    _, key = ApiKey.issue(Workspace.objects.create(name="Northgate Clinic"), "test", "admin")

    def ask(method: str, path: str, body: Any) -> Any:
        answer = Client().generic(
            method,
            f"/api/v1{path}",
            json.dumps(body),
            "application/json",
            headers={"Authorization": f"Bearer {key}"},
        )
        assert answer.status_code < 300, answer.content
        return answer.json()

    ask("PUT", "/settings/twilio", {"use": "sandbox"})
    ask("PUT", "/settings/sending", {"window": None, "max_per_number_per_day": None})
    webhook = _webhook(Workspace.objects.get())
    agent = ask("POST", "/agents", {"name": "Desk", "external_ids": [{"source": "api", "id": "desk"}]})
    action = ask("POST", "/actions", {"name": "Thanks", "message": "Thank you, <name>!", "always": True})
    bound = {"action_id": action["id"], "inputs": {"name": {"from": "collected", "name": "first_name"}}}
    attachment = ask("POST", f"/agents/{agent['id']}/attachments", bound)
    sent = ask("POST", "/calls", CALL | {"external_id": "f-1", "agent": agent["id"]})
    _work()
    ask("PUT", f"/agents/{agent['id']}/attachments/{attachment['id']}", bound | {"mode": "approve"})
    held = ask("POST", "/calls", CALL | {"external_id": "f-2", "agent": agent["id"]})
    _work()
    ask("POST", "/calls", CALL | {"external_id": "f-3", "agent": "nobody knows it"})
    source = ask("POST", "/sources", {"kind": "generic", "name": "Desk"})
    case = ask("POST", f"/actions/{action['id']}/cases", {"call_id": sent["id"], "expected": "met"})
    backtest = ask("POST", "/backtests", {"action_id": action["id"], "condition": "After a booking"})
    ids = {
        "action_id": action["id"],
        "agent_id": agent["id"],
        "attachment_id": attachment["id"],
        "call_id": held["id"],
        "follow_up_id": ask_follow_up(key, held["id"])["id"],
        "message_id": ask_follow_up(key, sent["id"])["message"]["id"],
        "source_id": source["id"],
        "webhook_id": str(webhook.pk),
        "delivery_id": str(webhook.deliveries.earliest("pk").pk),
        "backtest_id": backtest["id"],
        "case_id": case["id"],
        "number": ask("POST", "/opt-outs", {"number": "+14155550139"})["number"],
    }
    return Clinic(key, ids, source)


def _webhook(home: Workspace) -> WebhookEndpoint:
    """One that may not be asked, so that no try of it leaves this machine."""
    events = [EventType.FOLLOW_UP_DECIDED.value]
    return WebhookEndpoint.objects.create(
        workspace=home,
        url="http://127.0.0.1:9/told",
        shown="127.0.0.1:9",
        events=events,
        secret=new_secret(),
        created_at=clock.now(),
    )


def ask_follow_up(key: str, call: str) -> Any:
    answer = Client().get(f"/api/v1/calls/{call}", headers={"Authorization": f"Bearer {key}"})
    (found,) = answer.json()["follow_ups"]
    return found


def _work() -> None:
    for row in take(Call, 10, timedelta(seconds=30)):
        process(row, NoJudge(), TwilioMessaging())
