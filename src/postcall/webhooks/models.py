"""Whom a workspace tells what happens, what there was to tell, and what came of each try."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from postcall.ids import new_id
from postcall.work.models import Due
from postcall.workspaces.encryption import EncryptedField
from postcall.workspaces.models import Workspace


class EventType(models.TextChoices):
    """What may be told; the words are those by which an owner chooses."""

    FOLLOW_UP_DECIDED = "follow_up.decided", "A follow-up is decided"
    MESSAGE_SENT = "message.sent", "A text is sent"
    MESSAGE_DELIVERED = "message.delivered", "A text is delivered"
    MESSAGE_FAILED = "message.failed", "A text fails"
    MESSAGE_REPLIED = "message.replied", "Somebody texts back"


TEST = "webhook.test"


class WebhookEndpoint(models.Model):
    """An address that is told. `shown` is what everybody may see of it: an address can be a secret by itself.

    `with_text`: the words of texts and replies are told too. Until `previous_until` the secret before the present
    one signs as well. `failing_since`: nothing has arrived since then; `failures` tries failed in a row, and until
    `resting_until` nothing is tried. `slow`: the last answer was long in coming, or did not come. `disabled_at`:
    nothing is told any more, for the reason that it says.
    """

    class Disabled(models.TextChoices):
        OWNER = "owner", "Switched off by an owner."
        GONE = "gone", "Its server answered 410 Gone: it wants no more."
        FAILING = "failing", "Nothing arrived there for days."

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="webhook_endpoints")
    url = EncryptedField()
    shown = models.CharField(max_length=255)
    events = ArrayField(models.CharField(max_length=30))
    with_text = models.BooleanField(default=False)
    secret = EncryptedField()
    previous_secret = EncryptedField(blank=True)
    previous_until = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    resting_until = models.DateTimeField(null=True)
    slow = models.BooleanField(default=False, db_default=False)
    last_arrived_at = models.DateTimeField(null=True)
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=10, choices=Disabled.choices, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "webhook_endpoint"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["workspace"], condition=Q(disabled_at=None), name="webhook_endpoint_told")
        ]

    def __str__(self) -> str:
        return self.shown


class WebhookEvent(models.Model):
    """Something that happened and that somebody wants to be told. Rows are made by triggers of the database
    (`migrations/0002_events.py`), in the transaction of what happened; never without somebody to tell.

    `once` names what must not be told twice (a reply that Twilio reports again).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField()
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    type = models.CharField(max_length=30)
    data = models.JSONField()
    follow_up_id = models.UUIDField(null=True)
    once = models.CharField(max_length=64, blank=True, default="", db_default="")

    class Meta:
        db_table = "webhook_event"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["workspace", "type", "once"], condition=~Q(once=""), name="webhook_event_once"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["workspace", "at"], name="webhook_event_at"),
            models.Index(fields=["follow_up_id"], condition=Q(follow_up_id__isnull=False), name="webhook_event_of"),
        ]


class WebhookDelivery(Due):
    """One event to one endpoint. Due: until it has arrived, or was given up.

    `tries` counts those of the present round, `tried` all of them; a replay begins a new round.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries", db_index=False)
    event = models.ForeignKey(WebhookEvent, models.CASCADE, related_name="deliveries")
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    tried = models.PositiveSmallIntegerField(default=0, db_default=0)
    round_at = models.DateTimeField(help_text="When the present round began.")
    arrived_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)
    given_up_why = models.CharField(max_length=300, blank=True, default="", db_default="")

    class Meta:
        db_table = "webhook_delivery"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="webhook_delivery_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="webhook_delivery_due"),
            models.Index(
                fields=["endpoint", "due_at"], condition=Q(due_at__isnull=False), name="webhook_delivery_next"
            ),
            models.Index(fields=["endpoint", "-id"], name="webhook_delivery_log"),
        ]


class WebhookAttempt(models.Model):
    """One try: whether it went well, what was said in words, the status and the beginning of an answer that was
    no success, and how many milliseconds it took."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    delivery = models.ForeignKey(WebhookDelivery, models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    well = models.BooleanField()
    said = models.CharField(max_length=300)
    status = models.PositiveSmallIntegerField(null=True)
    took_ms = models.PositiveIntegerField(null=True)
    answer = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "webhook_attempt"
