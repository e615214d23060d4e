"""Secrets at rest: none stands in the clear, and all can be moved to another key."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from postcall.alerts.models import AlertChannel
from postcall.api.models import IdempotentRequest
from postcall.followups.models import NumberKey
from postcall.keeping.models import Erasure, Redaction
from postcall.messages.models import Account, OwnText
from postcall.sources.models import Source
from postcall.webhooks.models import WebhookEndpoint
from postcall.workspaces.encryption import CannotDecrypt, EncryptedField
from postcall.workspaces.models import User, Workspace
from postcall.workspaces.rekey import BATCH, Batch, count_secrets, encrypted_columns, rekey

OLD, NEW = "the-old-key-of-the-tests-0123456789", "the-new-key-of-the-tests-0123456789"


@pytest.fixture
def keys(settings: Any, db: None) -> Any:
    """Sets the keys there are, the newest first."""

    def present(*keys: str) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = keys[0], list(keys[1:])

    present(OLD)
    NumberKey.objects.all().delete()
    return present


def secret_models() -> list[type[Model]]:
    return [
        model
        for model in apps.get_models()
        if any(isinstance(field, EncryptedField) for field in model._meta.concrete_fields)
    ]


def one_of_each() -> None:
    """A row with a secret in every column that holds some; a new model with one has to be made here too."""
    home = Workspace.objects.create(name="Northgate Clinic")
    Source.objects.create(workspace=home, kind="generic", name="Desk", auth='{"secret": "plain-source"}')
    account = Account.objects.create(
        workspace=home, kind="own", account_sid="AC1", auth_token="plain-token", api_key_sid="SK1",
        api_key_secret="plain-key-secret", api_url="sandbox",
    )  # fmt: skip
    IdempotentRequest.objects.create(workspace=home, key="k-1", request_digest="0", body="plain-answer")
    NumberKey.objects.create(secret="plain-number-key")
    now = timezone.now()
    erasure = Erasure.objects.create(number="plain-number", requested_at=now)
    Redaction.objects.create(
        erasure=erasure, workspace=home, account=account, number="plain-number", body="plain-body", since=now
    )
    person = User.objects.create(email="dana@northgate.example")
    OwnText.objects.create(
        workspace=home, person=person, kind="test", once=uuid4(), to="+14155550123", body="plain-own-text",
        body_digest="0", encoding="GSM-7", segments=1, created_at=now,
    )  # fmt: skip
    AlertChannel.objects.create(
        workspace=home, kind="webhook", address="plain-address", secret="plain-secret", shown="x", created_at=now
    )
    WebhookEndpoint.objects.create(
        workspace=home, url="plain-url", shown="x", events=[], secret="plain-signing",
        previous_secret="plain-older", created_at=now,
    )  # fmt: skip


def stored() -> dict[str, list[str]]:
    """By column: what stands in it."""
    found = {}
    with connection.cursor() as cursor:
        for column in encrypted_columns():
            cursor.execute(f"SELECT {column.name} FROM {column.table} WHERE {column.name} <> ''")
            found[str(column)] = [row[0] for row in cursor.fetchall()]
    return found


def readable() -> bool:
    """Whether the present keys open everything; False when they open nothing."""
    opened = []
    for model in secret_models():
        try:
            opened.append(bool(list(model._default_manager.all())))
        except CannotDecrypt:
            opened.append(False)
    assert all(opened) or not any(opened)
    return all(opened)


def test_it_finds_every_column_that_holds_a_secret(keys: Any) -> None:
    one_of_each()
    assert {column: len(values) for column, values in stored().items()} == dict.fromkeys(stored(), 1)
    assert count_secrets() == len(encrypted_columns()) > 4


def test_it_keeps_no_secret_in_the_clear(keys: Any) -> None:
    one_of_each()
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{table}" AS held WHERE held::text LIKE %s', ["%plain-%"])
            assert cursor.fetchone()[0] == 0, table


def test_it_moves_everything_to_the_newest_key(keys: Any) -> None:
    one_of_each()
    keys(NEW, OLD)
    assert sum(batch.renewed for batch in rekey()) == len(encrypted_columns())
    keys(NEW)
    assert readable()
    assert Account.objects.get().auth_token == "plain-token"
    keys(OLD)
    assert not readable()


def test_it_can_be_stopped_and_begun_again(keys: Any) -> None:
    one_of_each()
    keys(NEW, OLD)
    next(rekey())
    before = stored()
    again = list(rekey())
    assert sum(batch.already for batch in again) == 1
    assert sum(batch.renewed for batch in again) == len(encrypted_columns()) - 1
    assert sum(before[column] == values for column, values in stored().items()) == 1
    assert sum(batch.renewed for batch in rekey()) == 0


def test_it_leaves_alone_what_no_key_opens(keys: Any) -> None:
    one_of_each()
    before = stored()
    keys(NEW)
    assert sum(batch.unreadable for batch in rekey()) == len(encrypted_columns())
    assert stored() == before


def test_it_goes_through_more_than_a_batch(keys: Any) -> None:
    home = Workspace.objects.create(name="Northgate Clinic")
    rows = [Source(workspace=home, kind="generic", name="Desk", auth=f"a{n}") for n in range(BATCH + 3)]
    Source.objects.bulk_create(rows)
    keys(NEW, OLD)
    done = list(rekey())
    assert done == [Batch("source.auth", BATCH, 0, 0), Batch("source.auth", 3, 0, 0)]
    keys(NEW)
    assert {source.auth for source in Source.objects.all()} == {row.auth for row in rows}
