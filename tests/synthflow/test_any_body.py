"""Whatever a script sends, it gets an answer in Synthflow's envelope."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Script

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
ENTRY = st.fixed_dictionaries(
    {"variable_name": st.sampled_from(["customer_name", "day", "x y"]) | JSON},
    optional={
        "source": st.sampled_from(["hardcoded", "llm", "system_vars", "action_results"]) | JSON,
        "hardcoded_value": JSON,
        "llm_config": st.fixed_dictionaries({}, optional={"description": JSON, "example": JSON}) | JSON,
        "postcall": JSON,
    },
)
ITEM = st.fixed_dictionaries(
    {"action_id": st.just("ID") | st.text(max_size=9)},
    optional={
        "attachment_type": st.sampled_from(["before", "after", None]) | JSON,
        "trigger_condition": st.none() | st.just("After a booking") | JSON,
        "input_variables_mapping": st.lists(ENTRY, max_size=3) | JSON,
    },
)
ATTACH = st.fixed_dictionaries(
    {"model_id": st.text(max_size=9) | st.just("m-1")},
    optional={
        "actions": st.lists(st.just("ID") | st.text(max_size=9), max_size=2) | JSON,
        "items": st.lists(ITEM, max_size=2),
    },
)
CREATE = st.fixed_dictionaries(
    {},
    optional={
        "SEND_SMS": st.fixed_dictionaries(
            {},
            optional={
                "content": st.text("<{x }>a\x00\ud800", max_size=30) | JSON,
                "instructions": st.text(max_size=30) | JSON,
            },
        )
        | JSON,
        "CUSTOM_ACTION": JSON,
        "name": JSON,
    },
)
any_body = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def answered(script: Script, method: str, path: str, body: Any) -> None:
    written = json.dumps(body)
    with transaction.atomic():
        action_id = script.action("Hi <customer_name>, <day>")
        status, said = script.call(
            method, path.replace("ID", action_id), written.replace('"ID"', f'"{action_id}"').encode()
        )
        transaction.set_rollback(True)
    assert status in (200, 400, 404, 422), said
    assert "detail" in said or "message" in said if status >= 400 else said["status"] == "success"


@any_body
@given(body=CREATE)
def test_it_makes_or_refuses_any_action(script: Script, body: Any) -> None:
    answered(script, "POST", "/actions", body)


@any_body
@given(body=CREATE)
def test_it_takes_or_refuses_any_change(script: Script, body: Any) -> None:
    answered(script, "PUT", "/actions/ID", body)


@any_body
@given(body=ATTACH)
def test_it_attaches_or_refuses_anything(script: Script, body: Any) -> None:
    answered(script, "POST", "/actions/attach", body)


@pytest.mark.parametrize("path", ["/v2/actions", "/v2/nothing"])
def test_it_says_in_detail_what_is_too_large(script: Script, path: str) -> None:
    response = Client().post(
        path, b"x" * 11_000_000, "application/json", headers={"Authorization": f"Bearer {script.key}"}
    )
    assert response.status_code == 413
    assert "10 MiB" in response.json()["detail"]


def test_it_says_in_detail_that_a_host_is_not_ours(script: Script) -> None:
    response = Client().get("/v2/actions", headers={"Host": "elsewhere.example"})
    assert response.status_code == 400
    assert "elsewhere.example" in response.json()["detail"]
