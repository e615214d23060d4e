"""The rows that the pages about actions show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Prefetch, Q
from django.utils import timezone

from postcall.actions.models import Action, Attachment
from postcall.dashboard.access import Visit
from postcall.followups.models import FollowUp
from postcall.ids import first_id
from postcall.messages.models import Message

WEEK: Final = timedelta(days=7)
ATTACHED: Final = Prefetch(
    "attachments",
    Attachment.objects.filter(deleted_at=None, agent__deleted_at=None)
    .select_related("agent", "action__revision")
    .order_by("agent__name"),
    to_attr="attached",
)


def found(visit: Visit, action_id: UUID) -> Action:
    """An action with its present words and who uses it, also where it is archived: its log still points at it."""
    return visit.one(visit.rows(Action).select_related("revision").prefetch_related(ATTACHED), action_id)


def attached(action: Action) -> list[Attachment]:
    return action.attached  # type: ignore[attr-defined,no-any-return]  # ATTACHED sets it


def last_week(visit: Visit, actions: Sequence[Action]) -> dict[UUID, Mapping[str, Any]]:
    """By action, what it did in the last seven days."""
    since = timezone.now() - WEEK
    counted = (
        visit.rows(FollowUp)
        .filter(action__in=actions, pk__gte=first_id(since))
        .values("action_id")
        .annotate(
            judged=Count("pk", filter=~Q(result="")),
            met=Count("pk", filter=Q(result="met")),
            texts=Count("pk", filter=Q(outcome=FollowUp.Outcome.MESSAGE)),
            delivered=Count("pk", filter=Q(message__status=Message.Status.DELIVERED)),
            failed=Count("pk", filter=Q(message__status__in=(Message.Status.FAILED, Message.Status.UNDELIVERED))),
        )
    )
    return {row["action_id"]: row for row in counted}
