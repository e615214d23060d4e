"""The OpenAPI document says what the API does, and its page needs no network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from postcall.api.serving import api as the_api
from postcall.wsgi import application

from .conftest import Api, Followed

schema = schemathesis.openapi.from_dict(dict(the_api.get_openapi_schema(path_prefix="/api/v1/")))
schema.app = application
# A hundred requests an operation; worth a run by hand after the API changed.
schema.config.phases.coverage.enabled = False


def test_its_page_needs_no_network() -> None:
    page = Client().get("/api/v1/docs").content.decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    assert all(address.startswith("/static/ninja/") for address in addresses)
    for address in addresses:
        response = Client().get(address)
        assert response.status_code == 200
        assert response.getvalue()  # read to its end, which closes the file


def test_it_describes_every_operation(api: Api) -> None:
    document = api.get("/openapi.json").json
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], path
            assert operation["security"] == [{"Key": []}], (method, path)
            assert "application/problem+json" in operation["responses"]["default"]["content"]


@pytest.fixture
def filled(api: Api, follow: Callable[..., Followed]) -> Iterator[Api]:
    """A workspace in which something happened, so that lists are not empty."""
    follow("live")
    follow("approve", customer_number="+14155550133")
    api.made("/opt-outs", {"number": "+14155550139"})
    api.made("/sources", {"kind": "generic", "name": "Desk"})
    # The application is called without Django's test client, and has to keep to the test's connection as that does.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield api
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=8, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_it_answers_as_it_says(filled: Api, case: Any) -> None:
    if case.operation.path.endswith("/test"):
        case.body = {"call": {}, "message": "Hi"}
    response = case.call(headers={"Authorization": f"Bearer {filled.key}"})
    checks = [not_a_server_error, content_type_conformance, response_schema_conformance]
    case.validate_response(response, checks=checks)
