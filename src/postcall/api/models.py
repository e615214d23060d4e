"""What the API remembers of requests, so that one repeated with its Idempotency-Key is not done twice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from postcall.workspaces.encryption import EncryptedField
from postcall.workspaces.models import Workspace


class IdempotentRequest(models.Model):
    """The answer to a POST that carried an Idempotency-Key; kept for a day."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, help_text="None while the first request is under way.")
    body = EncryptedField(blank=True, help_text="It may hold a secret that is shown this once.")
    content_type = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "idempotent_request"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["workspace", "key"], name="idempotency_key_once")
        ]
