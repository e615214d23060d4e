"""What the operator wrote once: the text, when it goes out, and which agents use it."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from postcall.agents.models import Agent
from postcall.ids import new_id
from postcall.workspaces.models import Workspace


class Action(models.Model):
    """A reusable definition; its words stand in its revisions."""

    class Type(models.TextChoices):
        POST_CALL_SMS = "post_call_sms"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="actions")
    type = models.CharField(max_length=20, choices=Type.choices, default=Type.POST_CALL_SMS.value)
    name = models.CharField(max_length=100)
    revision = models.ForeignKey(
        "Revision",
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="The present one; null only while it is made.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "action"

    def __str__(self) -> str:
        return self.name


class Revision(models.Model):
    """An immutable version of an action."""

    class Urgency(models.TextChoices):
        NOW = "now"
        WINDOW = "window"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    action = models.ForeignKey(Action, models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    message = models.TextField()
    condition = models.TextField(blank=True, help_text="Empty only with `always`.")
    always = models.BooleanField(default=False)
    urgency = models.CharField(max_length=10, choices=Urgency.choices, default=Urgency.NOW.value)
    send_within_s = models.PositiveIntegerField(default=86_400)
    inputs = ArrayField(models.CharField(max_length=64), default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "action_revision"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["action", "number"], name="revision_number_once"),
            models.CheckConstraint(
                condition=Q(always=True) | ~Q(condition=""), name="revision_condition_or_always"
            ),
        ]


class Attachment(models.Model):
    """An action attached to an agent: where each input comes from, plain rules, and whether it sends.

    `inputs` maps an input's name to a binding, `only_if` is a list of rules, both in the shapes of
    `postcall.actions.bindings`.
    """

    class Mode(models.TextChoices):
        OFF = "off"
        SHADOW = "shadow"
        APPROVE = "approve"
        LIVE = "live"

    class OnUnclear(models.TextChoices):
        HOLD = "hold"
        SKIP = "skip"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="attachments")
    action = models.ForeignKey(Action, models.CASCADE, related_name="attachments")
    mode = models.CharField(max_length=10, choices=Mode.choices)
    on_unclear = models.CharField(max_length=10, choices=OnUnclear.choices, default=OnUnclear.HOLD.value)
    recipient_override = models.CharField(max_length=20, blank=True)
    only_if = models.JSONField(default=list)
    inputs = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "attachment"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["agent", "action"], condition=Q(deleted_at=None), name="attachment_once"
            )
        ]
