"""What stretches of time brought: today, a fortnight by days, a week by actions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, F, Max, Q, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from postcall.actions.models import Attachment
from postcall.calls.models import Call
from postcall.followups.models import FollowUp
from postcall.ids import first_id
from postcall.messages.models import Message
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

DAYS: Final = 14
WEEK: Final = timedelta(days=7)
FAILED: Final = (Message.Status.FAILED.value, Message.Status.UNDELIVERED.value)
LEFT: Final = (
    Message.Status.ACCEPTED.value,
    Message.Status.SENT.value,
    Message.Status.DELIVERED.value,
    *FAILED,
)


@dataclass(frozen=True)
class Counts:
    """What a stretch of time brought. `sent` counts what Twilio took, also where it failed later."""

    calls: int
    sent: int
    delivered: int
    failed: int

    @property
    def share(self) -> float | None:
        return self.delivered / self.sent if self.sent else None


def count(workspace: Workspace, since: datetime, until: datetime) -> Counts:
    """From `since` to `until`; calls by their arrival, texts by when they were made."""
    first, last = first_id(since), first_id(until + timedelta(minutes=1))
    calls = within(workspace, Call).filter(
        pk__gte=first, pk__lt=last, received_at__gte=since, received_at__lt=until
    )
    made = within(workspace, Message).filter(
        pk__gte=first, pk__lt=last, created_at__gte=since, created_at__lt=until
    )
    texts = made.aggregate(
        sent=Count("pk", filter=Q(status__in=LEFT)),
        delivered=Count("pk", filter=Q(status=Message.Status.DELIVERED)),
        failed=Count("pk", filter=Q(status__in=FAILED)),
    )
    return Counts(calls.count(), **texts)


def a_week_before(now: datetime) -> datetime:
    """A week before by the reader's clock: the same hour, also where the clocks have changed since."""
    return timezone.localtime(now) - WEEK


def midnight(now: datetime) -> datetime:
    """When the reader's day began."""
    return timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass(frozen=True)
class Day:
    """A day's follow-ups, in the reader's zone. `other` are those that wait, or of which no more is known yet."""

    date: date
    delivered: int = 0
    skipped: int = 0
    failed: int = 0
    other: int = 0

    @property
    def bars(self) -> int:
        return self.delivered + self.skipped + self.failed


def days(workspace: Workspace, now: datetime) -> list[Day]:
    """The last DAYS days, today last."""
    since = midnight(now) - timedelta(days=DAYS - 1)
    delivered = Q(outcome=FollowUp.Outcome.MESSAGE, message__status=Message.Status.DELIVERED)
    failed = Q(outcome=FollowUp.Outcome.MESSAGE, message__status__in=FAILED)
    skipped = Q(outcome=FollowUp.Outcome.SKIPPED)
    rows: Any = (
        within(workspace, FollowUp)
        .filter(pk__gte=first_id(since), created_at__gte=since)
        .annotate(day=TruncDate("created_at", tzinfo=timezone.get_current_timezone()))
        .values("day")
        .annotate(
            delivered=Count("pk", filter=delivered),
            skipped=Count("pk", filter=skipped),
            failed=Count("pk", filter=failed),
            all=Count("pk"),
        )
        .order_by("day")
    )
    found = {
        row["day"]: Day(
            row["day"],
            row["delivered"],
            row["skipped"],
            row["failed"],
            row["all"] - row["delivered"] - row["skipped"] - row["failed"],
        )
        for row in rows
    }
    dates = [since.date() + timedelta(days=number) for number in range(DAYS)]
    return [found.get(each, Day(each)) for each in dates]


@dataclass(frozen=True)
class ActionRow:
    """What an action did in the last WEEK. `costs` are the final prices by currency."""

    id: UUID
    name: str
    agents: int
    judged: int
    met: int
    sent: int
    delivered: int
    failed: int
    costs: dict[str, Decimal]

    @property
    def cost(self) -> str:
        """Such as `$5.61`, or `$5.61 + 0.20 EUR`; empty: nothing was priced."""
        return " + ".join(
            f"${amount:,.2f}" if unit == "USD" else f"{amount:,.2f} {unit}"
            for unit, amount in sorted(self.costs.items())
        )


def by_action(workspace: Workspace, now: datetime, most: int) -> list[ActionRow]:
    """The busiest first."""
    recent = within(workspace, FollowUp).filter(pk__gte=first_id(now - WEEK), created_at__gte=now - WEEK)
    rows: Any = (
        recent.values("action_id")
        .annotate(
            name=Max("action__name"),
            all=Count("pk"),
            judged=Count("pk", filter=~Q(result="")),
            met=Count("pk", filter=Q(result="met")),
            sent=Count("pk", filter=Q(message__status__in=LEFT)),
            delivered=Count("pk", filter=Q(message__status=Message.Status.DELIVERED)),
            failed=Count("pk", filter=Q(message__status__in=FAILED)),
        )
        .order_by("-sent", "-judged", "-all", "name")[:most]
    )
    found = list(rows)
    agents = _agents_by_action(workspace)
    costs = _costs_by_action(workspace, now)
    return [
        ActionRow(
            row["action_id"],
            row["name"],
            agents.get(row["action_id"], 0),
            row["judged"],
            row["met"],
            row["sent"],
            row["delivered"],
            row["failed"],
            costs.get(row["action_id"], {}),
        )
        for row in found
    ]


def _agents_by_action(workspace: Workspace) -> dict[UUID, int]:
    attached = within(workspace, Attachment).filter(deleted_at=None, agent__deleted_at=None)
    return dict(attached.values_list("action_id").annotate(agents=Count("pk")))


def _costs_by_action(workspace: Workspace, now: datetime) -> dict[UUID, dict[str, Decimal]]:
    priced = within(workspace, Message).filter(
        pk__gte=first_id(now - WEEK), created_at__gte=now - WEEK, price__isnull=False
    )
    rows: Any = priced.values_list(F("follow_up__action_id"), "price_unit").annotate(sum=Sum("price"))
    costs: dict[UUID, dict[str, Decimal]] = defaultdict(dict)
    for action_id, unit, total in rows:
        costs[action_id][unit or "USD"] = costs[action_id].get(unit or "USD", Decimal()) + abs(total)
    return costs
