"""POST /test: a condition and a message tried out on one call."""

from typing import Any

import pytest

from postcall.calls.models import Call

from .conftest import Api

CALL = {
    "customer_number": "+14155550132",
    "connected": True,
    "transcript": [{"role": "agent", "text": "Hello"}, {"role": "customer", "text": "Hello"}],
    "variables": {"collected": {"first_name": "Ann"}},
}
NAME = {"name": {"from": "collected", "name": "first_name"}}


def test_it_fills_a_message_in_and_stores_nothing(ingester: Api) -> None:
    tried = ingester.post("/test", {"call": CALL, "message": "Hi <name> ☀", "inputs": NAME})
    assert tried.status == 200
    assert tried.json["message"]["body"] == "Hi Ann ☀"
    assert tried.json["message"]["inputs"]["name"]["value"] == "Ann"
    assert tried.json["segments"] == {"count": 1, "encoding": "UCS-2", "length": 8}
    assert (tried.json["verdict"], tried.json["stopped"]) == (None, None)
    assert Call.objects.count() == 0


def test_it_says_what_is_missing(api: Api) -> None:
    tried = api.post("/test", {"call": {}, "message": "Hi <name>", "inputs": NAME}).json
    assert tried["message"]["body"] is None
    assert "name" in tried["message"]["missing"]
    assert tried["segments"] is None
    assert tried["stopped"]["reason"]


def test_it_judges_a_stored_call(api: Api) -> None:
    body = CALL | {
        "transcript": [{"role": "agent", "text": "Hello"}, {"role": "customer", "text": "Wrong number."}]
    }
    stored = api.made("/calls", body | {"external_id": "c-1"})
    tried = api.post("/test", {"call_id": stored["id"], "condition": "After scheduling an appointment"})
    assert tried.json["verdict"]["result"] in ("not_met", "unclear")
    assert tried.json["verdict"]["judge"].startswith("offline")
    assert tried.json["message"] is None


def test_it_hears_what_the_customer_said_against_being_texted(api: Api) -> None:
    turns = [{"role": "agent", "text": "Shall I text you?"}, {"role": "customer", "text": "Please don't text me."}]
    tried = api.post("/test", {"call": CALL | {"transcript": turns}, "message": "Hi"}).json
    assert tried["objection"] == {"turn": 2, "quote": "Please don't text me."}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"condition": "x"}, ""),
        ({"call": {}, "call_id": "00000000-0000-7000-8000-000000000000", "condition": "x"}, ""),
        ({"call": {}}, ""),
        ({"call": {"transcript": 1}, "condition": "x"}, "call.transcript"),
        ({"call": {}, "message": "Hi", "inputs": NAME}, "inputs.name"),
        ({"call": {}, "message": "Hi <name>", "inputs": {"name": {"from": "x"}}}, "inputs.name"),
        ({"call": {}, "condition": "x" * 2_001}, "condition"),
    ],
)
def test_it_refuses_what_cannot_be_tried(api: Api, body: dict[str, Any], field: str) -> None:
    refused = api.post("/test", body)
    assert (refused.status, refused.fields) == (422, [field])


def test_a_reader_may_not_spend_on_a_judge(reader: Api) -> None:
    assert reader.post("/test", {"call": {}, "message": "Hi"}).status == 403
