"""What attachments in shadow mode would have sent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Count, Q

from postcall.followups.models import FollowUp, Reason
from postcall.ids import first_id
from postcall.work import clock
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

SINCE: Final = timedelta(days=30)


@dataclass(frozen=True)
class Shadowed:
    """Of the last SINCE: how many calls were decided about, and after how many of them a text was written that was
    not sent because of the shadow."""

    calls: int = 0
    would_have_sent: int = 0


def shadowed(workspace: Workspace, attachments: Collection[UUID]) -> dict[UUID, Shadowed]:
    """By attachment; those after which nothing was decided are left out."""
    if not attachments:
        return {}
    since = clock.now() - SINCE
    decided = within(workspace, FollowUp).filter(
        attachment__in=attachments, pk__gte=first_id(since), created_at__gte=since
    )
    rows = (
        decided.exclude(outcome=FollowUp.Outcome.PENDING)
        .exclude(reason=Reason.ATTACHMENT_OFF)
        .values_list("attachment_id")
        .annotate(calls=Count("pk"), would_have_sent=Count("pk", filter=Q(reason=Reason.SHADOW)))
    )
    return {pk: Shadowed(calls, written) for pk, calls, written in rows}
