"""Whatever goes wrong, a program can read what and a person how to mend it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Api

PROBLEM = "application/problem+json"


DEEP = b'{"external_id":"c-1","variables":{"collected":' + b'{"a":' * 700 + b"1" + b"}" * 702


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{", "line 1, column 2"),
        (b'{"external_id": "c-1",}', "line 1"),
        (b'{"external_id": NaN}', "NaN"),
        (b'{"external_id": "c-1", "variables": {"collected": {"x": -Infinity}}}', "Infinity"),
        (b'{"external_id": "c-1", "variables": {"collected": {"x": 1e999}}}', "too large"),
        (b'{"external_id": ' + b"9" * 5_000 + b"}", "digits"),
        (b"\xff\xfe\xfd", "UTF"),
        (b'{"external_id": "\xc3\x28"}', "not UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (
            b'{"external_id":"c-1","variables":{"collected":' + b'{"a":' * 700 + b"1" + b"}" * 702,
            "nested too deeply",
        ),
        (b"external_id=c-1&agent=x", "not JSON"),
    ],
)
def test_it_says_what_is_malformed(api: Api, raw: bytes, said: str) -> None:
    refused = api.call("POST", "/calls", raw=raw)
    assert refused.status == 400
    assert said in refused.json["detail"]
    assert refused.headers["Content-Type"] == PROBLEM


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b'"x"', b"7", b"true"])
def test_it_asks_for_an_object(api: Api, raw: bytes) -> None:
    refused = api.call("POST", "/calls", raw=raw)
    assert (refused.status, refused.fields) == (422, [""])


def test_it_reads_json_whatever_it_is_called(api: Api) -> None:
    response = Client().post(
        "/api/v1/calls",
        b'{"external_id": "c-1"}',
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": f"Bearer {api.key}"},
    )
    assert response.status_code == 202


@pytest.mark.parametrize("path", ["/api/v1/calls", "/in/generic/x", "/twilio/status/x", "/twilio/inbound/x"])
def test_it_refuses_a_body_of_twenty_megabytes(api: Api, path: str) -> None:
    source = api.made("/sources", {"kind": "generic", "name": "Desk"})
    path = source["url"].replace("http://127.0.0.1:8000", "") if path.startswith("/in/") else path
    response = Client().post(
        path, b"x" * 20_000_000, content_type="application/json", headers={"Authorization": f"Bearer {api.key}"}
    )
    assert response.status_code == 413
    assert response["Content-Type"] == PROBLEM
    assert "10 MiB" in json.loads(response.content)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/", 404),
        ("GET", "/api/v1/calls/", 404),
        ("GET", "/api/v1/calls/not-an-id", 404),
        ("GET", "/api/v1/calls/%00", 404),
        ("PATCH", "/api/v1/calls", 405),
        ("DELETE", "/api/v1/calls", 405),
        ("GET", "/in/generic/abc", 405),
        ("POST", "/in/generic/abc", 404),
        ("POST", "/in/generic/%00", 404),
        ("POST", "/in/nobody/abc", 404),
        ("GET", "/twilio/status/abc", 405),
        ("POST", "/twilio/status/abc", 404),
        ("POST", "/twilio/inbound/abc", 404),
        ("POST", "/twilio/inbound/%00", 404),
        ("POST", "/twilio/nothing", 404),
    ],
)
def test_it_answers_no_page_to_a_program(api: Api, method: str, path: str, status: int) -> None:
    response = Client().generic(method, path, headers={"Authorization": f"Bearer {api.key}"})
    assert response.status_code == status
    assert response["Content-Type"] == PROBLEM
    assert json.loads(response.content)["status"] == status
    if status == 405:
        assert response["Allow"]


def test_it_says_so_when_the_host_is_not_ours(api: Api) -> None:
    response = Client().get("/api/v1/calls", headers={"Host": "elsewhere.example"})
    assert (response.status_code, response["Content-Type"]) == (400, PROBLEM)


@pytest.fixture
def no_database(django_db_setup: None, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody listens where the database should be."""
    with django_db_blocker.unblock():
        connection.close()
        monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        monkeypatch.setitem(connection.settings_dict, "PORT", "1")
        yield
        monkeypatch.undo()
        connection.close()


@pytest.mark.parametrize("path", ["/api/v1/calls", "/in/generic/x", "/twilio/status/x", "/twilio/inbound/x"])
def test_it_asks_for_another_try_while_the_database_is_down(no_database: None, path: str) -> None:
    response = Client().post(path, b"", content_type="application/json", headers={"Authorization": "Bearer x"})
    assert (response.status_code, response["Content-Type"]) == (503, PROBLEM)
    assert int(response["Retry-After"]) > 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
KNOWN = st.sampled_from(
    ["external_id", "agent", "direction", "customer_number", "started_at", "transcript", "variables", "final", "x"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(KNOWN, JSON, max_size=6))
def test_no_call_makes_it_stumble(api: Api, body: dict[str, Any]) -> None:
    answer = api.call("POST", "/calls", raw=json.dumps(body).encode())
    assert answer.status in (200, 202, 400, 422)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=60))
def test_no_bytes_make_it_stumble(api: Api, raw: bytes) -> None:
    assert api.call("POST", "/actions", raw=raw).status in (400, 422)
