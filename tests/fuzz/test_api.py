"""Every operation of the API, with requests that fit its document and requests that do not."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from django.test import Client
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from postcall.api.serving import api as the_api
from postcall.wsgi import application

from .conftest import Clinic, undone
from .effort import LONG, effort

pytestmark = pytest.mark.django_db


def document() -> dict[str, Any]:
    """The API's own, without its `default` answers, which would allow every status, and without the key, which
    every request here has."""
    found = dict(the_api.get_openapi_schema(path_prefix="/api/v1/"))
    for operations in found["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("default")
            operation.pop("security")
    return found


def schema_of(mode: GenerationMode) -> Any:
    schema = schemathesis.openapi.from_dict(document())
    schema.app = application
    schema.config.generation.update(modes=[mode])
    schema.config.phases.coverage.enabled = LONG
    return schema


fitting = schema_of(GenerationMode.POSITIVE)
unfitting = schema_of(GenerationMode.NEGATIVE)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]


def answered(case: Any, clinic: Clinic, checks: list[Any]) -> None:
    with undone():
        response = case.call(headers={"Authorization": f"Bearer {clinic.key}"})
        case.validate_response(response, checks=checks)


@fitting.parametrize()
@effort(8, 300)
def test_it_answers_as_it_says(clinic: Clinic, case: Any) -> None:
    # An id that nobody has leads to a 404 and no further.
    case.path_parameters = {name: clinic.ids[name] for name in case.path_parameters}
    answered(case, clinic, CHECKS)


@unfitting.parametrize()
@effort(8, 300)
def test_it_refuses_what_does_not_fit(clinic: Clinic, case: Any) -> None:
    answered(case, clinic, [*CHECKS, negative_data_rejection])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/settings/retention", {"days": True}),
        ("/settings/retention", {"days": "1"}),
        ("/settings/sending", {"max_messages_per_day": True}),
        ("/settings/sending", {"max_per_number_per_day": True}),
        ("/settings/sending", {"valid_for_s": "60"}),
    ],
)
def test_it_takes_nothing_else_for_a_number(clinic: Clinic, path: str, body: dict[str, Any]) -> None:
    with undone():
        key = {"Authorization": f"Bearer {clinic.key}"}
        refused = Client().put(f"/api/v1{path}", body, "application/json", headers=key)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, *body)


def test_it_takes_a_query_parameter_once(clinic: Clinic) -> None:
    refused = Client().get("/api/v1/calls?limit=1&limit=2", headers={"Authorization": f"Bearer {clinic.key}"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "limit")
