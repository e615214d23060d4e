"""One ended phone call, normalised, and the bytes it came as."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from postcall.agents.models import Agent
from postcall.ids import new_id
from postcall.sources.models import Source
from postcall.work.models import Due
from postcall.workspaces.models import Workspace


class Call(Due):
    """One ended call. Due: until all its follow-ups are decided.

    `source` None is the source `api` (POST /calls). `transcript` is a list of {"role", "text", "at", "tool"},
    `variables` has the four namespaces of `EndedCall`; `hints` are shown, never judged by. Numbers are E.164 or
    empty; what the platform wrote stands in `customer_number_raw`.
    """

    class Status(models.TextChoices):
        RECEIVED = "received"
        UNASSIGNED = "unassigned"
        PROCESSING = "processing"
        DONE = "done"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="calls")
    source = models.ForeignKey(Source, models.PROTECT, null=True, related_name="calls")
    source_kind = models.CharField(max_length=20)
    external_id = models.CharField(max_length=255)
    agent = models.ForeignKey(Agent, models.PROTECT, null=True, related_name="calls")
    agent_ref = models.CharField(max_length=255, blank=True, help_text="The agent as the platform named it.")
    direction = models.CharField(max_length=10, blank=True)
    customer_number = models.CharField(max_length=20, blank=True)
    customer_number_raw = models.CharField(max_length=64, blank=True)
    agent_number = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=255, blank=True)
    ending = models.CharField(max_length=20, blank=True, db_default="", help_text="`EndedCall.ending`.")
    connected = models.BooleanField(null=True)
    final = models.BooleanField(default=True)
    judge_after = models.DateTimeField(null=True)
    transcript = models.JSONField(default=list)
    variables = models.JSONField(default=dict)
    redacted = ArrayField(models.CharField(max_length=20), default=list, db_default=[])
    hints = models.JSONField(default=dict, db_default={}, help_text="What the platform makes of the call.")
    also_known_as = ArrayField(models.CharField(max_length=255), default=list, db_default=[])
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.RECEIVED.value)
    judge_failures = models.PositiveSmallIntegerField(default=0)
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True)
    forgotten_at = models.DateTimeField(null=True, help_text="When retention emptied what was said.")

    class Meta:
        db_table = "call"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["workspace", "source", "external_id"], name="call_once", nulls_distinct=False
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="call_due"),
            models.Index(fields=["workspace", "-id"], name="call_log"),
            models.Index(fields=["workspace", "customer_number"], name="call_number"),
            models.Index(fields=["agent", "-id"], name="call_agent"),
            # Looked into as often as written to: nothing is left in a list that every look would have to read.
            GinIndex(
                fields=["also_known_as"],
                condition=~Q(also_known_as=[]),
                fastupdate=False,
                name="call_also_known_as",
            ),
        ]


class RawPayload(models.Model):
    """The bytes of one delivery. Append-only, partitioned by month (the table is made in the migration)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    received_at = models.DateTimeField()
    workspace = models.ForeignKey(Workspace, models.DO_NOTHING, related_name="+", db_constraint=False)
    call = models.ForeignKey(Call, models.DO_NOTHING, related_name="payloads", db_constraint=False, db_index=False)
    body = models.BinaryField()

    class Meta:
        db_table = "raw_payload"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["call"], name="raw_payload_call")]


class LaterEvent(models.Model):
    """What an event told of a call that another event reports (`sources.kind.Addition`). Kept for a day: by its
    `digest` it is known when it comes again, and `call` None, with its bytes, it waits for that call."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    source = models.ForeignKey(Source, models.CASCADE, related_name="+")
    call = models.ForeignKey(Call, models.CASCADE, null=True, related_name="+")
    keys = ArrayField(models.CharField(max_length=255), help_text="How it names its call, the surest first.")
    content = models.JSONField(default=dict, help_text="What it tells.")
    digest = models.CharField(max_length=64)
    raw = models.BinaryField(default=bytes)
    received_at = models.DateTimeField()

    class Meta:
        db_table = "later_event"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["source", "digest"], name="later_event_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            GinIndex(fields=["keys"], condition=Q(call__isnull=True), fastupdate=False, name="later_event_waiting"),
            models.Index(fields=["received_at"], name="later_event_age"),
        ]
