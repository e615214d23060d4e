"""Every operation there is asks for a key, and for as much of one as it changes."""

from __future__ import annotations

import pytest
from django.utils import timezone

from postcall.api.serving import api as the_api
from postcall.workspaces.models import ApiKey

from .conftest import Api

# Whoever may put calls in may do these too; the rest that is not a GET needs an admin.
INGESTS = {"create_call", "test"}
# Whoever reads the log of changes sees what only admins do.
ADMIN_READS = {"list_audit"}
ANY = "00000000-0000-7000-8000-000000000000"


def operations() -> list[tuple[str, str, str]]:
    paths = the_api.get_openapi_schema(path_prefix="")["paths"]
    return [
        (operation["operationId"], method.upper(), path)
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


def needed(operation: str, method: str) -> str:
    if operation in ADMIN_READS:
        return "admin"
    if method == "GET":
        return "read"
    return "ingest" if operation in INGESTS else "admin"


ALLOWS = {"read": {"read", "ingest", "admin"}, "ingest": {"ingest", "admin"}, "admin": {"admin"}}


def ask(api: Api, method: str, path: str) -> int:
    for name in (
        "action_id",
        "agent_id",
        "attachment_id",
        "call_id",
        "follow_up_id",
        "message_id",
        "source_id",
        "webhook_id",
        "delivery_id",
        "backtest_id",
        "case_id",
    ):
        path = path.replace(f"{{{name}}}", ANY)
    return api.call(method, path.replace("{number}", "+14155550100")).status


def test_it_walks_over_everything() -> None:
    assert len(operations()) > 35
    assert {operation for operation, _, _ in operations()} >= INGESTS | ADMIN_READS


@pytest.mark.parametrize(("operation", "method", "path"), operations())
def test_it_lets_a_key_do_as_much_as_its_scope_says(
    api: Api, reader: Api, ingester: Api, operation: str, method: str, path: str
) -> None:
    allowed = ALLOWS[needed(operation, method)]
    for scope, key in (("read", reader), ("ingest", ingester), ("admin", api)):
        status = ask(key, method, path)
        assert (status == 403) is (scope not in allowed), (scope, status)
        assert status != 401


@pytest.mark.parametrize(("operation", "method", "path"), operations())
def test_it_lets_nobody_in_without_a_living_key(api: Api, operation: str, method: str, path: str) -> None:
    ApiKey.objects.update(revoked_at=timezone.now())
    assert ask(api, method, path) == 401
    for key in ("", "nobody's", api.key[:-1], api.key.upper()):
        assert ask(Api(api.workspace, key), method, path) == 401


def test_it_keeps_of_a_key_its_digest_alone(api: Api) -> None:
    row = ApiKey.objects.get()
    assert api.key not in [str(getattr(row, field.attname)) for field in ApiKey._meta.concrete_fields]
    assert row.digest == ApiKey.digest_of(api.key)
    assert api.key.startswith(row.hint)
    assert len(row.hint) < len(api.key) / 4
