"""POST /in/…: a platform's signed report of an ended call."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from standardwebhooks import Webhook

from postcall.calls.models import Call, RawPayload
from postcall.sources.models import Source

from .conftest import Answer, Api

DATA = {"external_id": "c-1", "agent": "asst-1", "transcript": [{"role": "customer", "text": "Hello"}]}


@dataclass
class Platform:
    """A sender that knows the source's address and secret."""

    path: str
    secret: str

    def send(
        self, body: Any, *, sent: bytes | None = None, at: datetime | None = None, **changed: str | None
    ) -> Answer:
        """Signs `body` and sends it, or `sent` in its place."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        at = at or datetime.now(UTC)
        headers: dict[str, str | None] = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(self.secret).sign("msg_1", at, raw.decode("utf-8", "replace")),
        }
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        given = {name: value for name, value in headers.items() if value is not None}
        response = Client().post(self.path, sent or raw, content_type="application/json", headers=given)
        return Answer(response)  # type: ignore[arg-type]  # the test client's response is one

    def ended(self, **data: Any) -> Answer:
        return self.send({"type": "call.ended", "timestamp": "2026-03-04T10:00:00Z", "data": DATA | data})


@pytest.fixture
def platform(api: Api) -> Platform:
    made = api.made("/sources", {"kind": "generic", "name": "Desk"})
    return Platform(made["url"].removeprefix("http://127.0.0.1:8000"), made["secret"])


def test_it_takes_a_call(api: Api, platform: Platform) -> None:
    agent = api.made("/agents", {"name": "Front", "external_ids": [{"source": "generic", "id": "asst-1"}]})
    taken = platform.ended()
    assert (taken.status, taken.json) == (200, {"status": "accepted"})
    (call,) = api.get("/calls?source=generic").json["items"]
    assert (call["agent"]["id"], call["source"]["name"]) == (agent["id"], "Desk")
    assert api.get("/sources").json["items"][0]["last_received_at"] is not None
    assert json.loads(bytes(RawPayload.objects.get().body))["data"] == DATA


def test_it_takes_a_replayed_delivery_for_a_duplicate(platform: Platform) -> None:
    assert platform.ended().json == {"status": "accepted"}
    assert platform.ended().json == {"status": "duplicate"}
    assert Call.objects.count() == 1


def test_it_ignores_an_event_that_it_does_not_use(platform: Platform) -> None:
    assert platform.send({"type": "call.started", "data": {"what": "ever"}}).json == {"status": "ignored"}
    assert Call.objects.count() == 0


def test_it_keeps_a_call_of_an_unknown_agent(api: Api, platform: Platform) -> None:
    assert platform.ended(agent="nobody").json == {"status": "accepted"}
    assert api.get("/calls?status=unassigned").json["items"][0]["agent_ref"] == "nobody"


def test_it_tells_the_calls_of_two_sources_apart(api: Api, platform: Platform) -> None:
    other = api.made("/sources", {"kind": "generic", "name": "Other"})
    platform.ended()
    assert Platform(other["url"].removeprefix("http://127.0.0.1:8000"), other["secret"]).ended().status == 200
    assert Call.objects.count() == 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"webhook_signature": None}, "webhook-signature"),
        ({"webhook_id": None}, "webhook-id"),
        ({"webhook_timestamp": None}, "webhook-timestamp"),
        ({"webhook_id": "msg_2"}, "another secret"),
        ({"webhook_timestamp": "1"}, "five minutes old"),
        ({"webhook_timestamp": "99999999999"}, "five minutes ahead"),
        ({"webhook_timestamp": "now"}, "not a number"),
        ({"webhook_timestamp": "nan"}, "not a number"),
        ({"webhook_signature": "v1,xxxx"}, "another secret"),
        ({"webhook_signature": "v1,x"}, "form"),
        ({"webhook_signature": "nonsense"}, "form"),
        ({"webhook_signature": "v2,eHh4eA=="}, "another secret"),
    ],
)
def test_it_refuses_a_delivery_that_is_not_signed(platform: Platform, changed: dict[str, Any], said: str) -> None:
    refused = platform.send({"type": "call.ended", "data": DATA}, **changed)
    assert refused.status == 401
    assert said in refused.json["detail"]
    assert Call.objects.count() == 0


def test_it_refuses_a_signature_over_a_changed_body(api: Api, platform: Platform) -> None:
    changed = json.dumps({"type": "call.ended", "data": DATA | {"customer_number": "+14155550199"}}).encode()
    assert platform.send({"type": "call.ended", "data": DATA}, sent=changed).status == 401
    rejected = api.get("/sources").json["items"][0]["rejected"]
    assert (rejected["count"], "another body" in rejected["last_reason"]) == (1, True)
    assert rejected["last_at"] is not None


def test_it_refuses_an_old_delivery_sent_again(platform: Platform) -> None:
    old = datetime.now(UTC) - timedelta(minutes=6)
    assert platform.send({"type": "call.ended", "data": DATA}, at=old).status == 401


def test_it_takes_the_secret_before_while_the_sender_is_moved(api: Api, platform: Platform) -> None:
    secret = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
    path = f"/sources/{Source.objects.get().pk}"
    api.put(path, {"kind": "generic", "name": "Desk", "auth": {"secret": secret}})
    assert platform.ended().status == 200
    assert Platform(platform.path, secret).ended(external_id="c-2").status == 200
    api.put(path, {"kind": "generic", "name": "Desk", "auth": {"secret": secret, "previous": None}})
    assert platform.ended(external_id="c-3").status == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", None),
        (b"\xff", None),
        ([], None),
        ({}, "type"),
        ({"type": 7, "data": DATA}, "type"),
        ({"type": "call.ended"}, "data"),
        (
            {"type": "call.ended", "data": DATA | {"transcript": [{"role": "me", "text": ""}]}},
            "data.transcript.0.role",
        ),
        ({"type": "call.ended", "data": DATA | {"external_id": ""}}, "data.external_id"),
        ({"type": "call.ended", "data": DATA | {"colour": "red"}}, "data.colour"),
        ({"type": "call.ended", "data": DATA, "timestamp": "then"}, "timestamp"),
    ],
)
def test_it_says_what_it_cannot_read(api: Api, platform: Platform, body: Any, field: str | None) -> None:
    refused = platform.send(body)
    if body == b"\xff":
        assert refused.status == 401  # what is no text cannot be signed as one
        return
    assert refused.status == 400
    if field is not None:
        assert field in refused.fields
    assert api.get("/sources").json["items"][0]["rejected"]["last_reason"]


def test_it_stores_what_postgresql_cannot_hold_as_replacement_characters(api: Api, platform: Platform) -> None:
    assert platform.ended(transcript=[{"role": "customer", "text": "a\x00b\ud800"}]).status == 200
    (call,) = Call.objects.all()
    assert call.transcript[0]["text"] == "a�b�"


def test_it_knows_a_source_by_kind_and_token(api: Api, platform: Platform) -> None:
    wrong = Platform(platform.path.replace("generic", "vapi"), platform.secret)
    assert wrong.ended().status == 404
