"""Events name people, so they are kept for a while only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q

from postcall.webhooks.models import WebhookEvent
from postcall.workspaces.models import Workspace

KEPT: Final = timedelta(days=30)
BATCH: Final = 5_000


def forget_events(now: datetime) -> int:
    """Forgets events with their deliveries and attempts after KEPT, or after their workspace's retention where that
    is shorter; what is still to be delivered by then is not delivered."""
    gone = _forget(Q(at__lt=now - KEPT))
    for workspace in Workspace.objects.filter(retention_days__lt=KEPT.days):
        gone += _forget(Q(workspace=workspace, at__lt=now - timedelta(days=workspace.retention_days or 0)))
    return gone


def _forget(which: Q) -> int:
    gone = 0
    while pks := list(WebhookEvent.objects.filter(which).values_list("pk", flat=True)[:BATCH]):
        WebhookEvent.objects.filter(pk__in=pks).delete()
        gone += len(pks)
    return gone


def forget_person(workspace_id: UUID, number: str, follow_ups: list[UUID]) -> int:
    """Forgets what was told, or was still to be told, of somebody who asked to be forgotten. Called in the same
    transaction after their follow-ups are emptied: that is nobody's business either."""
    theirs = Q(follow_up_id__in=follow_ups) | Q(data__to=number) | Q(data__from=number)
    return WebhookEvent.objects.filter(theirs, workspace_id=workspace_id).delete()[0]
