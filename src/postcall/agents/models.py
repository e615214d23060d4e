"""A voice agent as the operator knows it, and the names that voice platforms have for it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from postcall.ids import new_id
from postcall.workspaces.models import Workspace


class Agent(models.Model):
    """A voice agent. The sender is a number, a messaging service, the number the call was on, or (none of
    these) the workspace's."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="agents")
    name = models.CharField(max_length=100)
    timezone = models.CharField(max_length=64, default="UTC")
    locale = models.CharField(max_length=20, default="en-US")
    business_name = models.CharField(max_length=100, blank=True)
    from_number = models.CharField(max_length=20, blank=True)
    messaging_service_sid = models.CharField(max_length=34, blank=True)
    follow_agent_number = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "agent"

    def __str__(self) -> str:
        return self.name


class ExternalId(models.Model):
    """One platform's id of an agent; unique in the workspace while the agent lives."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="external_ids")
    source_kind = models.CharField(max_length=20)
    external_id = models.CharField(max_length=255)
    live = models.BooleanField(default=True)

    class Meta:
        db_table = "agent_external_id"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["workspace", "source_kind", "external_id"],
                condition=Q(live=True),
                name="external_id_once",
            )
        ]
