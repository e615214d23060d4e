"""Forgetting what was said, once the days that a workspace keeps it are over. What happened stays."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction

from postcall.calls.models import Call, RawPayload
from postcall.followups.models import FollowUp
from postcall.messages.models import Message
from postcall.workspaces.models import Workspace

BATCH = 500


def forget(now: datetime) -> int:
    """Empties transcripts, variables, raw payloads, filled texts and quotes of calls older than their workspace's
    retention, and returns how many calls. Numbers, outcomes, reasons, statuses and times stay."""
    forgotten = 0
    for workspace in Workspace.objects.exclude(retention_days=None):
        until = now - timedelta(days=workspace.retention_days or 0)
        while batch := _forget_some(workspace, until, now):
            forgotten += batch
    drop_empty_partitions(now)
    return forgotten


@transaction.atomic
def _forget_some(workspace: Workspace, until: datetime, now: datetime) -> int:
    # Only calls that are over: what still waits for a text keeps what the text needs.
    old = Call.objects.filter(workspace=workspace, received_at__lt=until, due_at=None, forgotten_at=None).exclude(
        follow_ups__message__due_at__isnull=False
    )
    ids = list(old.values_list("pk", flat=True)[:BATCH])
    if not ids:
        return 0
    RawPayload.objects.filter(call_id__in=ids).delete()
    Message.objects.filter(follow_up__call_id__in=ids).update(body="")
    for follow_up in FollowUp.objects.filter(call_id__in=ids):
        verdict = follow_up.verdict
        if verdict is not None:
            verdict |= {"evidence": [], "reason": ""}
        FollowUp.objects.filter(pk=follow_up.pk).update(body="", inputs={}, detail="", verdict=verdict)
    Call.objects.filter(pk__in=ids).update(transcript=[], variables={}, forgotten_at=now)
    return len(ids)


def drop_empty_partitions(now: datetime) -> None:
    """Whole months of raw payloads that nobody keeps any more go at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'raw_payload'::regclass ORDER BY 1"
        )
        this_month = f"raw_payload_{now:%Y_%m}"
        for (name,) in cursor.fetchall():
            if name.endswith("_other") or name >= this_month:
                continue
            cursor.execute(f"SELECT 1 FROM {name} LIMIT 1")  # noqa: S608  # PostgreSQL's own name of our table
            if not cursor.fetchone():
                cursor.execute(f"DROP TABLE {name}")
