"""Forgetting what was said, once the days that a workspace keeps it are over. What happened stays."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from pydantic import Field, StrictInt

from postcall.calls.models import Call, LaterEvent, RawPayload
from postcall.followups.models import FollowUp, OptOut
from postcall.messages.models import Message
from postcall.shapes import Strict
from postcall.testbench.forgetting import forget_words_of
from postcall.work.partitions import PARTITIONED, months_of
from postcall.workspaces.models import Workspace

log = structlog.get_logger("postcall.keeping")

BATCH = 500
MOST_COUNTED = 10_000


class RetentionContent(Strict):
    """For how long a workspace keeps what was said."""

    days: StrictInt | None = Field(ge=1, le=36_500, description="Null: kept for ever.")


def set_retention(workspace: Workspace, content: RetentionContent) -> None:
    workspace.retention_days = content.days
    workspace.save(update_fields=["retention_days"])


def forget(now: datetime) -> int:
    """Empties transcripts, variables, raw payloads, filled texts and quotes of calls older than their workspace's
    retention, and returns how many calls. Numbers, outcomes, reasons, statuses and times stay."""
    drop_months(now)
    forgotten = 0
    for workspace in Workspace.objects.exclude(retention_days=None):
        until = now - timedelta(days=workspace.retention_days or 0)
        while batch := _forget_some(workspace, until, now):
            forgotten += batch
    return forgotten


def would_go(workspace: Workspace, days: int | None, now: datetime) -> int:
    """How many calls would lose their words with the next run, were `days` the retention; at most MOST_COUNTED."""
    if days is None:
        return 0
    return _over(workspace, now - timedelta(days=days))[:MOST_COUNTED].count()


def _over(workspace: Workspace, until: datetime) -> QuerySet[Call]:
    """Calls from before `until` whose words are still kept and needed no more: what still waits for a text, or to
    hear whether one was sent, keeps what it needs."""
    return (
        Call.objects.filter(workspace=workspace, received_at__lt=until, due_at=None, forgotten_at=None)
        .exclude(follow_ups__message__due_at__isnull=False)
        .exclude(follow_ups__message__attempts__due_at__isnull=False)
    )


@transaction.atomic
def _forget_some(workspace: Workspace, until: datetime, now: datetime) -> int:
    ids = list(_over(workspace, until).values_list("pk", flat=True)[:BATCH])
    if not ids:
        return 0
    RawPayload.objects.filter(call_id__in=ids).delete()
    LaterEvent.objects.filter(call_id__in=ids).delete()
    follow_ups = list(FollowUp.objects.filter(call_id__in=ids))
    # Conditions on its own row alone are looked at again after waiting for an operator who sends it anew.
    texts = Message.objects.filter(follow_up_id__in=[follow_up.pk for follow_up in follow_ups], due_at=None)
    texts.update(body="")
    OptOut.objects.filter(call_id__in=ids).update(quote="")
    for follow_up in follow_ups:
        verdict = follow_up.verdict
        if verdict is not None:
            verdict |= {"evidence": [], "reason": ""}
        FollowUp.objects.filter(pk=follow_up.pk).update(body="", inputs={}, detail="", verdict=verdict)
    Call.objects.filter(pk__in=ids).update(transcript=[], variables={}, hints={}, forgotten_at=now)
    forget_words_of(ids)
    return len(ids)


# Of these something is still to come. `p` is a row of the partition.
_NEEDED = {
    "raw_payload": """
        SELECT FROM call c WHERE c.id = p.call_id AND c.forgotten_at IS NULL AND (
            c.due_at IS NOT NULL
            OR EXISTS (SELECT FROM follow_up f JOIN message m ON m.follow_up_id = f.id
                       LEFT JOIN attempt a ON a.message_id = m.id
                       WHERE f.call_id = c.id AND (m.due_at IS NOT NULL OR a.due_at IS NOT NULL)))
        """,
    "delivery_event": """
        SELECT FROM message m LEFT JOIN attempt a ON a.message_id = m.id
        WHERE m.id = p.message_id AND (m.due_at IS NOT NULL OR a.due_at IS NOT NULL)
        """,
}


def drop_months(now: datetime) -> list[str]:
    """Drops whole months of raw payloads and delivery events that nobody keeps any more: those that ended longer
    ago than the longest retention of any workspace, and past ones that are empty. Returns their names."""
    until = _kept_by_nobody(now)
    dropped = []
    for table in PARTITIONED:
        for name, end in months_of(table):
            if end > now.date():
                continue
            old = until is not None and end <= until.date()
            # An empty month needs nobody's leave.
            needed = _NEEDED[table] if old else "SELECT"
            if _drop(table, name, needed):
                dropped.append(name)
        if until is not None:
            _delete_strays(table, until)
    return dropped


def _kept_by_nobody(now: datetime) -> datetime | None:
    """Before this moment everything may go; None: somebody keeps everything."""
    kept = list(Workspace.objects.values_list("retention_days", flat=True))
    if not kept or None in kept:
        return None
    return now - timedelta(days=max(days for days in kept if days is not None))


def _drop(table: str, name: str, needed: str) -> bool:
    """Drops one month unless a row of it is needed; says whether it did. It does not wait for long: there is a next
    hour."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '3s'")
            cursor.execute(f"SELECT 1 FROM {name} p WHERE EXISTS ({needed}) LIMIT 1")  # noqa: S608  # our own names
            if cursor.fetchone():
                return False
            cursor.execute(f"DROP TABLE {name}")
    except OperationalError:
        log.warning("a month is in use, it goes later", month=name)
        return False
    log.info("dropped a month that nobody keeps", table=table, month=name)
    return True


def _delete_strays(table: str, until: datetime) -> None:
    """Rows that came when their month had no partition."""
    column = PARTITIONED[table]
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table}_other p WHERE {column} < %s AND NOT EXISTS ({_NEEDED[table]})",  # noqa: S608
            [until],
        )
