"""What the operator wrote: texts, when they go out, and which agents use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Prefetch, Q
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from postcall.actions.hints import warnings_about
from postcall.actions.models import Action, Attachment
from postcall.dashboard.access import Visit, member
from postcall.dashboard.attached import mapped
from postcall.followups.models import FollowUp
from postcall.ids import first_id
from postcall.messages.models import Message

_WEEK = timedelta(days=7)
_ATTACHED = Prefetch(
    "attachments",
    Attachment.objects.filter(deleted_at=None, agent__deleted_at=None)
    .select_related("agent", "action__revision")
    .order_by("agent__name"),
    to_attr="attached",
)


@require_GET
@member
def every(visit: Visit) -> HttpResponse:
    actions = visit.rows(Action).filter(deleted_at=None).select_related("revision")
    rows = list(actions.prefetch_related(_ATTACHED).order_by("name"))
    week = _last_week(visit, rows)
    return visit.page(
        "actions/list.html", {"rows": [(action, week.get(action.pk, {})) for action in rows]}, place="actions"
    )


def _last_week(visit: Visit, actions: Sequence[Action]) -> dict[UUID, Mapping[str, Any]]:
    since = timezone.now() - _WEEK
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


@require_GET
@member
def one(visit: Visit, action_id: UUID) -> HttpResponse:
    """An action, also where it is deleted: its log still points at it."""
    action = visit.one(visit.rows(Action).select_related("revision").prefetch_related(_ATTACHED), action_id)
    revision = action.revision
    assert revision is not None
    return visit.page(
        "actions/action.html",
        {
            "action": action,
            "revision": revision,
            "revisions": action.revisions.order_by("-number")[:20],
            "attachments": [mapped(each, revision.inputs) for each in action.attached],  # type: ignore[attr-defined]  # _ATTACHED sets it
            "warnings": warnings_about(revision.message, revision.condition),
        },
        place="actions",
    )
