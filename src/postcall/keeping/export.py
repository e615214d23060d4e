"""A workspace as JSON lines: everything that it owns, one object a line, and no secret."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.db import connection, models, transaction

from postcall.work import clock
from postcall.workspaces.encryption import EncryptedField
from postcall.workspaces.models import Workspace

VERSION: Final = 1
BATCH: Final = 500


@dataclass(frozen=True)
class Kind:
    """One kind of line. `path` leads from the model to its workspace; `without` are columns that are left out:
    addresses that are secrets by themselves, and digests of secrets."""

    name: str
    label: str
    path: str = "workspace"
    without: frozenset[str] = frozenset()

    @property
    def model(self) -> type[models.Model]:
        return apps.get_model(self.label)

    @property
    def columns(self) -> list[str]:
        return [
            field.attname
            for field in self.model._meta.concrete_fields
            if not isinstance(field, EncryptedField) and field.attname not in self.without | _WORK
        ]

    def rows(self, workspace: Workspace) -> models.QuerySet[models.Model]:
        return self.model._default_manager.filter(**{self.path: workspace.pk})


# How far the work on a row is says nothing about the workspace.
_WORK: Final = frozenset({"lease_until", "generation", "starts"})

# In this order: what a line refers to stands before it.
KINDS: Final = (
    Kind("workspace", "workspaces.Workspace", "pk"),
    Kind("person", "workspaces.User", "memberships__workspace", frozenset({"password"})),
    Kind("membership", "workspaces.Membership"),
    Kind("invitation", "workspaces.Invitation", without=frozenset({"digest"})),
    Kind("api_key", "workspaces.ApiKey", without=frozenset({"digest"})),
    Kind("twilio_account", "postcall_messages.Account", without=frozenset({"inbound_token"})),
    Kind("sending_account", "postcall_messages.SendingAccount"),
    Kind("refused_sender", "postcall_messages.RefusedSender"),
    Kind("agent", "agents.Agent"),
    Kind("agent_external_id", "agents.ExternalId"),
    Kind("action", "actions.Action"),
    Kind("revision", "actions.Revision", "action__workspace"),
    Kind("attachment", "actions.Attachment"),
    Kind("imported_action", "synthflow.ImportedAction", without=frozenset({"digest"})),
    Kind("source", "sources.Source", without=frozenset({"token"})),
    Kind("refused_delivery", "sources.RefusedDelivery"),
    Kind("call", "calls.Call"),
    Kind("raw_payload", "calls.RawPayload"),
    Kind("follow_up", "followups.FollowUp"),
    Kind("opt_out", "followups.OptOut"),
    Kind("message", "postcall_messages.Message"),
    Kind("attempt", "postcall_messages.Attempt", without=frozenset({"token"})),
    Kind("delivery_event", "postcall_messages.DeliveryEvent"),
    # A member's own number is theirs, and the digest of a code's six digits is soon guessed.
    Kind("own_text", "postcall_messages.OwnText", without=frozenset({"token", "to", "body_digest"})),
    Kind("stray_callback", "postcall_messages.StrayCallback", "attempt__workspace"),
    Kind("alert_watch", "alerts.AlertWatch"),
    Kind("alert_channel", "alerts.AlertChannel"),
    Kind("alert_delivery", "alerts.AlertDelivery"),
    Kind("case", "testbench.ActionCase"),
    Kind("bench_run", "testbench.BenchRun"),
    Kind("bench_item", "testbench.BenchItem"),
    Kind("webhook_endpoint", "webhooks.WebhookEndpoint"),
    Kind("webhook_event", "webhooks.WebhookEvent"),
    Kind("webhook_delivery", "webhooks.WebhookDelivery"),
    Kind("webhook_attempt", "webhooks.WebhookAttempt"),
    Kind("audit_entry", "workspaces.AuditEntry"),
)

# What belongs to a workspace and is not exported, by its label, and why.
NOT_EXPORTED: Final = {
    "alerts.AlertState": "how far the watching is; what it told stands in the alerts",
    "calls.LaterEvent": "what it told stands in its call, whose payloads are told; kept for a day",
    "api.IdempotentRequest": "answers that are repeated for a day; what they say stands in other lines",
    "postcall_messages.OwnPhone": "a member's own number: theirs, not the workspace's",
    "postcall_messages.PhoneCode": "a hash that is good for ten minutes",
    "keeping.Erasure": "whose it was is what it makes forgotten",
    "keeping.Redaction": "work that is left to do at Twilio, not a record",
    "keeping.Sought": "work that was done after a restoration, not a record",
}


def count(workspace: Workspace) -> int:
    """How many lines `lines` yields, about: the workspace may grow meanwhile."""
    return sum(kind.rows(workspace).count() for kind in KINDS) + 2


def lines(workspace: Workspace) -> Iterator[str]:
    """The lines, each with its line break, as of one moment, in memory for one batch at a time.

    The first says what this is and the last how many lines there are before it: a file without it was cut short.
    """
    with transaction.atomic():
        if not connection.savepoint_ids:  # only the outermost transaction can be told
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield _line(
            {
                "kind": "export",
                "version": VERSION,
                "postcall": version("postcall"),
                "workspace": workspace.name,
                "exported_at": clock.now(),
            }
        )
        total = 1
        for kind in KINDS:
            for row in _rows(kind, workspace):
                yield _line({"kind": kind.name} | {_told(kind, name): value for name, value in row.items()})
                total += 1
        yield _line({"kind": "end", "lines": total})


def _told(kind: Kind, column: str) -> str:
    """A row's own `kind` must not stand in the place of the line's."""
    return f"{kind.name}_kind" if column == "kind" else column


def _rows(kind: Kind, workspace: Workspace) -> Iterator[dict[str, Any]]:
    """By primary key, which sorts by the moment a row was made where it is an id of ours."""
    columns, last = kind.columns, None
    key = kind.model._meta.pk.attname if kind.model._meta.pk else "pk"
    while True:
        rows = kind.rows(workspace).order_by("pk")
        batch = list((rows if last is None else rows.filter(pk__gt=last)).values(*columns)[:BATCH])
        yield from batch
        if len(batch) < BATCH:
            return
        last = batch[-1][key]


def _line(content: dict[str, Any]) -> str:
    plain: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, bytes | memoryview):
            plain |= _bytes(name, bytes(value))
        else:
            plain[name] = value
    return json.dumps(plain, ensure_ascii=False, default=_plain, separators=(",", ":")) + "\n"


def _bytes(name: str, value: bytes) -> dict[str, str]:
    """As text where it is text, else in base64 under a name that says so."""
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
