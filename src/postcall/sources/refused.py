"""Deliveries that were refused: when, from which source and why. What they said is not kept."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db.models import F

from postcall.shapes import storable
from postcall.sources.models import RefusedDelivery, Source
from postcall.work import clock

log = structlog.get_logger("postcall.sources")

KEPT_FOR: Final = timedelta(days=30)
# Whoever knows an address may send to it as often, and with as many faults, as they like.
KEPT_A_SOURCE: Final = 200
_MINUTE: Final = timedelta(minutes=1)
# A field's name may be anything that a sender wrote, a phone number too.
_DIGITS: Final = re.compile(r"\+?\d[\d\s().-]{5,}\d")


def refuse(source: Source, reason: str) -> None:
    """Notes that, and why, a delivery was refused: the same again within a minute is counted, not listed."""
    log.warning("delivery refused", source=str(source.pk), kind=source.kind, reason=reason)
    now, said = clock.now(), _DIGITS.sub("…", storable(reason))[:255]
    Source.objects.filter(pk=source.pk, workspace_id=source.workspace_id).update(
        rejected_count=F("rejected_count") + 1, last_rejected_reason=said, last_rejected_at=now
    )
    same = {"source_id": source.pk, "reason": said, "minute": now.replace(second=0, microsecond=0)}
    if _again(same, now):
        return
    _, first = RefusedDelivery.objects.get_or_create(
        **same, defaults={"workspace_id": source.workspace_id, "first_at": now, "last_at": now}
    )
    if first:
        _forget_the_oldest(source.pk)
    else:
        _again(same, now)


def _again(same: dict[str, object], now: datetime) -> bool:
    return bool(RefusedDelivery.objects.filter(**same).update(count=F("count") + 1, last_at=now))


def _forget_the_oldest(source_id: UUID) -> None:
    rows = RefusedDelivery.objects.filter(source_id=source_id).order_by("-pk")
    last = rows.values_list("pk", flat=True)[KEPT_A_SOURCE - 1 : KEPT_A_SOURCE].first()
    if last is not None:
        rows.filter(pk__lt=last).delete()


def refused_lately(source: Source, limit: int = 10) -> list[RefusedDelivery]:
    """A source's latest refused deliveries, newest first, as far as they are kept."""
    rows = RefusedDelivery.objects.filter(source=source, workspace_id=source.workspace_id)
    return list(rows.order_by("-pk")[:limit])


def refused_in(workspace_id: UUID, since: datetime, until: datetime, limit: int) -> list[RefusedDelivery]:
    """What a workspace's sources were refused between two moments, newest first, with its source."""
    rows = RefusedDelivery.objects.filter(
        workspace_id=workspace_id, last_at__gte=since, first_at__lte=until
    ).select_related("source")
    return list(rows.order_by("-pk")[:limit])


def forget_refused(now: datetime) -> int:
    """Deletes what is kept no longer; returns how many rows. For the housekeeping."""
    return RefusedDelivery.objects.filter(last_at__lt=now - KEPT_FOR).delete()[0]
