"""Who is told that something needs a person, of what, and what came of telling them."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from postcall.ids import new_id
from postcall.work.models import Due
from postcall.workspaces.encryption import EncryptedField
from postcall.workspaces.models import Workspace

HELD_OVER = 10


class AlertWatch(Due):
    """What a workspace wants to be told, and when it was looked at last. Due: every minute, while it has a channel.

    `muted` are kinds (`matters.Kind`) of which nobody is told: a new kind is told. Of held follow-ups one is told
    from more than `held_over` on.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.OneToOneField(Workspace, models.CASCADE, related_name="alert_watch")
    muted = ArrayField(models.CharField(max_length=20), default=list)
    held_over = models.PositiveIntegerField(default=HELD_OVER)
    looked_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "alert_watch"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="alert_watch_due")
        ]


class AlertChannel(models.Model):
    """Where alerts go. `shown` is what everybody may see of the address: a webhook's can be a secret by itself."""

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="alert_channels")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    address = EncryptedField()
    shown = models.CharField(max_length=255)
    secret = EncryptedField(blank=True, help_text="By which a webhook is signed.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "alert_channel"

    def __str__(self) -> str:
        return self.shown


class AlertState(models.Model):
    """A matter that was seen: since when, whether it was told, and since when it is not there any more.

    `times` counts how often it was told to begin, lately: what comes and goes is called over later each time.
    `over_at` set: it is over, and remembered for that count alone.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    key = models.CharField(max_length=120)
    kind = models.CharField(max_length=20)
    tone = models.CharField(max_length=4)
    title = models.CharField(max_length=300)
    mend = models.TextField()
    since = models.DateTimeField()
    told_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)
    over_at = models.DateTimeField(null=True)
    times = models.PositiveSmallIntegerField(default=0)

    class Meta:
        db_table = "alert_state"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["workspace", "key"], name="alert_state_once")
        ]


class AlertDelivery(Due):
    """One alert to one channel. Due: until it has arrived, or was given up.

    `content` holds what it tells, {"raised": […], "settled": […]}; `tries` how each try went, the last ones:
    [{"at", "well", "said"}].
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    channel = models.ForeignKey(AlertChannel, models.CASCADE, related_name="deliveries")
    content = models.JSONField()
    test = models.BooleanField(default=False)
    made_at = models.DateTimeField()
    tried = models.PositiveSmallIntegerField(default=0)
    tries = models.JSONField(default=list)
    arrived_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "alert_delivery"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="alert_delivery_due"),
            models.Index(fields=["workspace", "-id"], name="alert_delivery_log"),
        ]
