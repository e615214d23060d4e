"""A workspace as JSON lines: all that it owns, nothing of others, and no secret."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from postcall.calls.models import Call, RawPayload
from postcall.keeping import export
from postcall.keeping.export import KINDS, NOT_EXPORTED
from postcall.sandbox.running import Sandbox
from postcall.sources.models import Source
from postcall.work import clock
from postcall.workspaces.encryption import EncryptedField
from postcall.workspaces.models import ApiKey, Membership, User, Workspace

from .clinic import BEN, Clinic

pytestmark = pytest.mark.django_db


def exported(workspace: Workspace) -> list[dict[str, Any]]:
    return [json.loads(line) for line in export.lines(workspace)]


def leads_to_a_workspace(model: type[models.Model], through: frozenset[type[models.Model]] = frozenset()) -> bool:
    if model is Workspace:
        return True
    targets = [
        field.related_model
        for field in model._meta.concrete_fields
        if field.is_relation and isinstance(field.related_model, type) and field.related_model not in through
    ]
    return any(leads_to_a_workspace(target, through | {model}) for target in targets)


def test_it_exports_every_model_that_belongs_to_a_workspace_or_says_why_not() -> None:
    owned = {model._meta.label for model in apps.get_models() if leads_to_a_workspace(model)}
    told = {kind.model._meta.label for kind in KINDS} | set(NOT_EXPORTED)
    assert owned - told == set()
    assert all(NOT_EXPORTED.values())
    assert {kind.model._meta.label for kind in KINDS}.isdisjoint(NOT_EXPORTED)


def test_it_exports_what_happened(clinic: Clinic) -> None:
    message = clinic.texted()
    lines = exported(clinic.workspace)
    kinds = {line["kind"] for line in lines}
    assert {
        "call",
        "raw_payload",
        "follow_up",
        "message",
        "attempt",
        "delivery_event",
        "agent",
        "revision",
    } <= kinds
    (text,) = [line for line in lines if line["kind"] == "message"]
    assert (text["id"], text["body"], text["sid"]) == (str(message.pk), message.body, message.sid)
    assert json.loads(next(line for line in lines if line["kind"] == "raw_payload")["body"])["external_id"] == "c-0"


def test_it_begins_by_saying_what_it_is_and_ends_by_saying_that_it_is_whole(clinic: Clinic) -> None:
    lines = exported(clinic.workspace)
    assert (lines[0]["kind"], lines[0]["version"], lines[0]["workspace"]) == ("export", 1, "Northgate Clinic")
    assert lines[-1] == {"kind": "end", "lines": len(lines) - 1}


def test_it_names_only_what_stands_before(clinic: Clinic) -> None:
    clinic.texted()
    seen: set[str] = set()
    for line in exported(clinic.workspace):
        # An action and its present revision name each other.
        named = [
            value
            for name, value in line.items()
            if name.endswith("_id") and name not in ("external_id", "actor_id", "object_id", "revision_id")
        ]
        assert {value for value in named if value is not None} <= seen, line["kind"]
        seen.add(str(line.get("id")))


def test_it_is_the_same_twice(clinic: Clinic) -> None:
    clinic.texted()
    assert exported(clinic.workspace)[1:] == exported(clinic.workspace)[1:]


def test_it_exports_nothing_of_another_workspace(clinic: Clinic, sandbox: Sandbox) -> None:
    other = Clinic("Southgate Clinic", sandbox)
    other.texted(BEN, "Ben")
    written = "".join(export.lines(clinic.workspace))
    assert "Southgate" not in written
    assert BEN not in written
    assert str(other.workspace.pk) not in written


def test_it_exports_no_secret(clinic: Clinic) -> None:
    message = clinic.texted()
    person = User.objects.create_user("dana@northgate.example", "a long password of the tests")
    Membership.objects.create(workspace=clinic.workspace, user=person, role="owner")
    row, key = ApiKey.issue(clinic.workspace, "till", ApiKey.Scope.READ)
    source = Source.objects.create(
        workspace=clinic.workspace, kind="generic", name="Desk", auth='{"secret": "whsec_x"}'
    )
    attempt = message.attempts.get()
    written = "".join(export.lines(clinic.workspace))
    assert "dana@northgate.example" in written
    for secret in (
        *(clinic.account.auth_token, clinic.account.inbound_token, attempt.token, source.token),
        *("whsec_x", person.password, key, row.digest),
    ):
        assert secret not in written


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_leaves_out_columns_that_look_like_secrets(kind: export.Kind) -> None:
    suspicious = [
        name
        for name in kind.columns
        if any(word in name for word in ("token", "secret", "password", "digest", "auth"))
    ]
    # Of words that stand beside it, a time, and what a language model counts.
    counts = {f"{whose}{which}_tokens" for whose in ("", "judge_") for which in ("input", "output")}
    assert set(suspicious) <= {"body_digest", "auth_stored_at"} | counts
    encrypted = {field.attname for field in kind.model._meta.concrete_fields if isinstance(field, EncryptedField)}
    assert encrypted.isdisjoint(kind.columns)


def test_it_writes_bytes_that_are_no_text_in_base64(clinic: Clinic) -> None:
    call = clinic.call()
    RawPayload.objects.create(received_at=clock.now(), workspace=clinic.workspace, call=call, body=b"\xff\x00")
    assert any(line.get("body_base64") == "/wA=" for line in exported(clinic.workspace))


def test_it_reads_in_batches(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "BATCH", 7)
    rows = [
        Call(
            workspace=clinic.workspace,
            source_kind="api",
            external_id=f"c-{number}",
            received_at=clock.now(),
            transcript=[{"role": "customer", "text": "x" * 20_000}],
        )
        for number in range(60)
    ]
    Call.objects.bulk_create(rows)
    tracemalloc.start()
    calls = sum(json.loads(line)["kind"] == "call" for line in export.lines(clinic.workspace))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert calls == 60
    assert most < 60 * 20_000
