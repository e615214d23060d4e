"""What stretches of time brought: today, a fortnight by days, a week by actions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q
from django.utils import timezone

from postcall.actions.models import Action, Attachment
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


_LATELY: Final = """
SELECT (f.created_at AT TIME ZONE %(zone)s)::date, f.created_at >= %(week)s, f.action_id, f.outcome, f.result,
       f.reason = 'shadow', m.status, upper(coalesce(nullif(m.price_unit, ''), 'USD')), count(*), sum(abs(m.price))
FROM follow_up f LEFT JOIN message m
     ON m.follow_up_id = f.id AND m.workspace_id = f.workspace_id AND m.id >= %(first_text)s
WHERE f.workspace_id = %(workspace)s AND f.id >= %(first)s AND f.created_at >= %(since)s
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""


@dataclass(frozen=True)
class Group:
    """Follow-ups that are alike: of one day, action and fate. `in_shadow`: they were written and not sent. `status`
    None: there is no text. `paid`: by Twilio's word, in `currency`."""

    day: date
    within_week: bool
    action_id: UUID
    outcome: str
    result: str
    in_shadow: bool
    status: str | None
    currency: str
    number: int
    paid: Decimal | None


def lately(workspace: Workspace, now: datetime) -> list[Group]:
    """The follow-ups of the last DAYS days, in one query for all that is told of them."""
    since = _first_day(now)
    asked: dict[str, Any] = {
        "zone": timezone.get_current_timezone_name(),
        "week": now - WEEK,
        "workspace": workspace.pk,
        "since": since,
        "first": first_id(since),
        # A text is made after its follow-up; ids are made by the clocks of several machines.
        "first_text": first_id(since - timedelta(hours=1)),
    }
    with connection.cursor() as cursor:
        cursor.execute(_LATELY, asked)
        return [Group(*row) for row in cursor.fetchall()]


def _first_day(now: datetime) -> datetime:
    return midnight(now) - timedelta(days=DAYS - 1)


def days(groups: Iterable[Group], now: datetime) -> list[Day]:
    """The last DAYS days, today last."""
    found: dict[date, Counter[str]] = defaultdict(Counter)
    for group in groups:
        found[group.day][_bar(group)] += group.number
    first = _first_day(now).date()
    dates = [first + timedelta(days=number) for number in range(DAYS)]
    return [Day(each, **found[each]) for each in dates]


def _bar(group: Group) -> str:
    if group.outcome == FollowUp.Outcome.SKIPPED:
        return "skipped"
    if group.outcome == FollowUp.Outcome.MESSAGE and group.status == Message.Status.DELIVERED:
        return "delivered"
    return "failed" if group.outcome == FollowUp.Outcome.MESSAGE and group.status in FAILED else "other"


def would_have_sent(groups: Iterable[Group], day: date) -> int:
    """The texts that were written in shadow mode on a day, and not sent."""
    return sum(group.number for group in groups if group.in_shadow and group.day == day)


@dataclass
class ActionRow:
    """What an action did in the last WEEK. `costs` are the final prices by currency."""

    id: UUID
    name: str = ""
    agents: int = 0
    begun: int = 0
    judged: int = 0
    met: int = 0
    sent: int = 0
    delivered: int = 0
    failed: int = 0
    would_have_sent: int = 0
    costs: dict[str, Decimal] = field(default_factory=dict)

    def add(self, group: Group) -> None:
        self.begun += group.number
        self.judged += group.number if group.result else 0
        self.met += group.number if group.result == "met" else 0
        self.sent += group.number if group.status in LEFT else 0
        self.delivered += group.number if group.status == Message.Status.DELIVERED else 0
        self.failed += group.number if group.status in FAILED else 0
        self.would_have_sent += group.number if group.in_shadow else 0
        if group.paid is not None:
            self.costs[group.currency] = self.costs.get(group.currency, Decimal()) + group.paid

    @property
    def cost(self) -> str:
        """Such as `$5.61`, or `$5.61 + 0.20 EUR`; empty: nothing was priced."""
        return " + ".join(
            f"${amount:,.2f}" if unit == "USD" else f"{amount:,.2f} {unit}"
            for unit, amount in sorted(self.costs.items())
        )


def by_action(workspace: Workspace, groups: Iterable[Group], most: int) -> list[ActionRow]:
    """The busiest first."""
    rows: dict[UUID, ActionRow] = {}
    for group in groups:
        if group.within_week:
            rows.setdefault(group.action_id, ActionRow(group.action_id)).add(group)
    names = dict(within(workspace, Action).filter(pk__in=rows).values_list("pk", "name"))
    agents = _agents_by_action(workspace)
    for row in rows.values():
        row.name, row.agents = names[row.id], agents.get(row.id, 0)
    return sorted(
        rows.values(), key=lambda row: (-row.sent, -row.would_have_sent, -row.judged, -row.begun, row.name)
    )[:most]


def _agents_by_action(workspace: Workspace) -> dict[UUID, int]:
    attached = within(workspace, Attachment).filter(deleted_at=None, agent__deleted_at=None)
    return dict(attached.values_list("action_id").annotate(agents=Count("pk")))
