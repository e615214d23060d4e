"""A connection to a voice platform: where its webhooks come in and how they are verified."""

from __future__ import annotations

import secrets
from typing import ClassVar

from django.db import models

from postcall.ids import new_id
from postcall.workspaces.encryption import EncryptedField
from postcall.workspaces.models import Workspace


def new_token() -> str:
    return secrets.token_urlsafe(24)


class Source(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="sources")
    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=100)
    token = models.CharField(max_length=64, unique=True, default=new_token)
    auth = EncryptedField(blank=True, help_text="JSON, in the shape of the kind; empty: not verified.")
    auth_stored_at = models.DateTimeField(null=True, help_text="Null: with the source itself.")
    last_received_at = models.DateTimeField(null=True)
    rejected_count = models.PositiveIntegerField(default=0)
    last_rejected_reason = models.CharField(max_length=255, blank=True)
    last_rejected_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "source"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["workspace", "kind"], name="source_kind")]

    def __str__(self) -> str:
        return self.name


class RefusedDelivery(models.Model):
    """A delivery that a source was refused, or several with the same reason within one minute. No body is kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    source = models.ForeignKey(Source, models.CASCADE, related_name="refused")
    reason = models.CharField(max_length=255)
    minute = models.DateTimeField(help_text="In which the first of them came.")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)

    class Meta:
        db_table = "refused_delivery"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["source", "reason", "minute"], name="refused_delivery_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["source", "-id"], name="refused_delivery_source"),
            models.Index(fields=["workspace", "-id"], name="refused_delivery_log"),
        ]
