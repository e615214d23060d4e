"""A workspace with its keys, a stranger's beside it, and a client that speaks JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from postcall.calls.models import Call
from postcall.followups.process import process
from postcall.judge.verdicts import Case, Judgement
from postcall.messages.handing import TwilioMessaging
from postcall.outbound.standard_webhook import new_secret
from postcall.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from postcall.work.leases import take
from postcall.workspaces.models import ApiKey, Workspace


@dataclass
class Answer:
    response: HttpResponse
    status: int = field(init=False)
    json: Any = field(init=False)

    def __post_init__(self) -> None:
        self.status = self.response.status_code
        self.json = json.loads(self.response.content) if self.response.content else None

    @property
    def headers(self) -> Any:
        return self.response.headers

    @property
    def fields(self) -> list[str]:
        return [error["field"] for error in self.json.get("errors", [])]


@dataclass
class Api:
    """One key's way into the API."""

    workspace: Workspace
    key: str
    client: Client = field(default_factory=Client)

    def call(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str) -> Answer:
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        given = {"Authorization": f"Bearer {self.key}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        response = self.client.generic(
            method, f"/api/v1{path}", data, content_type="application/json", headers=given
        )
        return Answer(response)  # type: ignore[arg-type]  # the test client's response is one

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.call("POST", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Answer:
        return self.call("PUT", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self.call("DELETE", path, **headers)

    def made(self, path: str, body: Any) -> dict[str, Any]:
        answer = self.post(path, body)
        assert answer.status in (200, 201, 202), answer.json
        result: dict[str, Any] = answer.json
        return result


def api_for(name: str, scope: str = "admin") -> Api:
    workspace, _ = Workspace.objects.get_or_create(name=name)
    _, key = ApiKey.issue(workspace, "test", scope)
    return Api(workspace, key)


@pytest.fixture
def api(db: None) -> Api:
    return api_for("Northgate Clinic")


@pytest.fixture
def stranger(db: None) -> Api:
    return api_for("Harbour Garage")


@pytest.fixture
def reader(api: Api) -> Api:
    return api_for(api.workspace.name, "read")


@pytest.fixture
def ingester(api: Api) -> Api:
    return api_for(api.workspace.name, "ingest")


ACTION = {
    "type": "post_call_sms",
    "name": "Booking confirmation",
    "message": "Hi <customer_name>, see you <day>.",
    "condition": "After scheduling an appointment",
}
BOUND = {
    "customer_name": {"from": "collected", "name": "first_name", "fallback": "there"},
    "day": {"from": "ask", "description": "the day agreed", "format": "date"},
}


@pytest.fixture
def action(api: Api) -> dict[str, Any]:
    return api.made("/actions", ACTION)


@pytest.fixture
def agent(api: Api) -> dict[str, Any]:
    return api.made("/agents", {"name": "Front desk", "external_ids": [{"source": "vapi", "id": "asst-1"}]})


class NoJudge:
    """For calls on which nothing needs one."""

    name = "none"
    listens = False

    def decide(self, case: Case) -> Judgement:
        raise AssertionError("nobody was to be asked")


@dataclass
class Followed:
    """A call that was put through, with the follow-up of an `always` action."""

    api: Api
    call: str
    follow_up: str
    message: str | None


@pytest.fixture
def follow(api: Api, agent: dict[str, Any]) -> Callable[..., Followed]:
    """Puts a call through an `always` action of the given mode, up to the text's being handed over."""
    api.put("/settings/twilio", {"use": "sandbox"})
    api.put("/settings/sending", {"window": None, "max_per_number_per_day": None})
    action = api.made("/actions", {"name": "Thanks", "message": "Thank you, <name>!", "always": True})
    path = f"/agents/{agent['id']}/attachments"
    inputs = {"name": {"from": "collected", "name": "first_name"}}
    attachment = api.made(path, {"action_id": action["id"], "inputs": inputs})

    def followed(mode: str = "live", **call: Any) -> Followed:
        api.put(f"{path}/{attachment['id']}", {"action_id": action["id"], "inputs": inputs, "mode": mode})
        given = {
            "external_id": f"f-{Call.objects.count()}",
            "agent": agent["id"],
            "customer_number": "+14155550132",
            "connected": True,
            "transcript": [{"role": "agent", "text": "Hello"}, {"role": "customer", "text": "Yes, please."}],
            "variables": {"collected": {"first_name": "Ann"}},
        } | call
        taken = api.made("/calls", given)
        for row in take(Call, 10, timedelta(seconds=30)):
            process(row, NoJudge(), TwilioMessaging())
        (shown,) = api.get(f"/calls/{taken['id']}").json["follow_ups"]
        return Followed(api, taken["id"], shown["id"], (shown["message"] or {}).get("id"))

    return followed


def a_webhook(api: Api) -> dict[str, str]:
    """A webhook that was told something, by the names that stand in paths. Its address is one that is not asked."""
    now = timezone.now()
    endpoint = WebhookEndpoint.objects.create(
        workspace=api.workspace,
        url="https://127.0.0.1/in",
        shown="127.0.0.1",
        events=["message.sent"],
        secret=new_secret(),
        created_at=now,
    )
    event = WebhookEvent.objects.create(workspace=api.workspace, at=now, type="message.sent", data={})
    delivery = WebhookDelivery.objects.create(
        workspace=api.workspace, endpoint=endpoint, event=event, round_at=now, arrived_at=now
    )
    return {"webhook_id": str(endpoint.pk), "delivery_id": str(delivery.pk)}


def a_backtest(api: Api, action: str, call: str) -> dict[str, str]:
    """A backtest of an action's that waits for a worker, and a case of it, by the names that stand in paths."""
    case = api.made(f"/actions/{action}/cases", {"call_id": call, "expected": "met"})
    run = api.made("/backtests", {"action_id": action, "condition": "After a booking"})
    return {"backtest_id": run["id"], "case_id": case["id"]}
