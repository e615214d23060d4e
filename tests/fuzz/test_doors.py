"""Every door as strangers knock: any method, any bytes, any headers."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import example, given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from postcall.api.serving import api as the_api

from .conftest import CALL, Clinic, undone
from .effort import effort

pytestmark = pytest.mark.django_db
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
PATHS = the_api.get_openapi_schema(path_prefix="/api/v1/")["paths"]
PROBLEM = "application/problem+json"

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)  # JSON knows neither
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
# A call in which any field, and any field's field, may be anything.
CALLS = st.fixed_dictionaries(
    {},
    optional={
        "external_id": st.text(max_size=300),
        "agent": st.text(max_size=300) | st.just("desk"),
        "direction": st.sampled_from(["inbound", "outbound", None]) | JSON,
        "customer_number": st.text("+0123456789 -().tel:@;", max_size=70) | JSON,
        "agent_number": st.text(max_size=70) | JSON,
        "started_at": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat) | JSON,
        "connected": JSON,
        "final": JSON,
        "judge_after": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat) | JSON,
        "transcript": st.lists(st.just(CALL["transcript"][0]) | JSON, max_size=4) | JSON,
        "variables": st.fixed_dictionaries({}, optional={"collected": JSON, "pre_call": JSON}) | JSON,
    },
)


@pytest.mark.parametrize("path", PATHS)
def test_it_says_which_methods_an_address_takes(clinic: Clinic, path: str) -> None:
    taken = {method.upper() for method in PATHS[path]}
    for method in METHODS - taken:
        with undone():
            refused = Client().generic(method, path.format(**clinic.ids), headers=bearer(clinic))
        assert (refused.status_code, refused["Content-Type"]) == (405, PROBLEM), method
        assert {word.strip() for word in refused["Allow"].split(",")} - {"HEAD", "OPTIONS"} == taken


@effort(60, 3_000)
@given(
    body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
    content_type=st.text(max_size=30),
)
@example(body=b"[" * 100_000, content_type="application/json")
@example(body=b'{"external_id": ' + b"9" * 5_000 + b"}", content_type="application/json")
@example(body=b'{"external_id": "\\ud800\\u0000"}', content_type="application/json")
def test_it_refuses_any_bytes_in_words(clinic: Clinic, body: bytes, content_type: str) -> None:
    with undone():
        answer = Client().generic("POST", "/api/v1/calls", body, content_type, headers=bearer(clinic))
    assert answer.status_code in (200, 202, 400, 422), answer.content


@effort(60, 3_000)
@given(call=CALLS)
def test_it_takes_or_refuses_any_call(clinic: Clinic, call: dict[str, Any]) -> None:
    with undone():
        answer = Client().post("/api/v1/calls", call, "application/json", headers=bearer(clinic))
    assert answer.status_code in (202, 422), answer.content


@effort(60, 3_000)
@given(event=st.fixed_dictionaries({"type": st.just("call.ended"), "data": CALLS}) | JSON)
def test_it_takes_or_refuses_any_signed_event(clinic: Clinic, event: Any) -> None:
    with undone():
        answer = knock(clinic, json.dumps(event).encode())
    assert answer.status_code in (200, 400), answer.content


@effort(60, 2_000)
@given(
    body=st.binary(max_size=100), signature=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80)
)
@example(body=b"{}", signature="v1,")
@example(body=b"{}", signature="v1," + base64.b64encode(bytes(32)).decode())
def test_it_hears_no_forged_event(clinic: Clinic, body: bytes, signature: str) -> None:
    with undone():
        answer = knock(clinic, body, signature)
    assert answer.status_code == 401, answer.content


@effort(60, 2_000)
@given(
    door=st.sampled_from(["/twilio/status/", "/twilio/inbound/", "/in/generic/", "/in/vapi/", "/in/"]),
    token=st.text(max_size=60).filter(lambda text: "\n" not in text),
    body=st.binary(max_size=100),
)
def test_it_knows_no_token_that_it_did_not_give(clinic: Clinic, door: str, token: str, body: bytes) -> None:
    with undone():
        answer = Client().generic("POST", door + quote(token, safe=""), body, "application/x-www-form-urlencoded")
    assert answer.status_code in (400, 401, 403, 404), answer.content  # 400: not even a form


def bearer(clinic: Clinic) -> dict[str, str]:
    return {"Authorization": f"Bearer {clinic.key}"}


def knock(clinic: Clinic, body: bytes, signature: str | None = None) -> Any:
    """The event at the source's door, signed as Standard Webhooks has it unless `signature` says otherwise."""
    identifier, now = f"msg_{uuid.uuid4().hex}", datetime.now(UTC)
    if signature is None:
        signature = Webhook(clinic.source["secret"]).sign(identifier, now, body.decode())
    headers = {
        "webhook-id": identifier,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    path = clinic.source["url"].partition("/in/")[2]
    return Client().generic("POST", f"/in/{path}", body, "application/json", headers=headers)
