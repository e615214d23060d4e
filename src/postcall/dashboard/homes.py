"""The workspaces of a person, and what needs attention in each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Count, QuerySet

from postcall.followups.models import FollowUp
from postcall.ids import first_id
from postcall.messages.models import Message, RefusedSender, SendingAccount
from postcall.messages.pausing import pauses
from postcall.work import clock
from postcall.workspaces.models import Membership, User, Workspace

FAILED_SINCE: Final = timedelta(days=1)
_FAILED: Final = (Message.Status.FAILED, Message.Status.UNDELIVERED)


@dataclass(frozen=True)
class Home:
    """A workspace as its member sees it from outside."""

    membership: Membership
    sending: SendingAccount | None
    held: int
    paused: int
    failed: int
    lacks_account: bool = False

    @property
    def workspace(self) -> Workspace:
        return self.membership.workspace

    @property
    def attention(self) -> int:
        return self.held + self.paused + self.failed + self.lacks_account


def homes_of(person: User, *, but: UUID | None = None) -> list[Home]:
    """By name. Of `but`, which the page itself tells of, nothing is counted."""
    rows = Membership.objects.filter(user=person).select_related("workspace").order_by("workspace__name")
    memberships = list(rows)
    asked = [each.workspace_id for each in memberships if each.workspace_id != but]
    if not asked:
        return [Home(each, None, 0, 0, 0) for each in memberships]
    since = clock.now() - FAILED_SINCE
    held = _counted(FollowUp.objects.filter(workspace__in=asked, outcome=FollowUp.Outcome.HELD))
    failed = _counted(Message.objects.filter(pk__gte=first_id(since), workspace__in=asked, status__in=_FAILED))
    paused = _paused(asked)
    accounts = SendingAccount.objects.filter(workspace__in=asked).select_related("account")
    sending = {row.workspace_id: row for row in accounts}
    return [
        Home(
            each,
            sending.get(home),
            held.get(home, 0),
            paused.get(home, 0),
            failed.get(home, 0),
            home != but and home not in sending,
        )
        for each in memberships
        for home in [each.workspace_id]
    ]


def _counted(rows: QuerySet[FollowUp] | QuerySet[Message]) -> dict[UUID, int]:
    return dict(rows.order_by().values_list("workspace_id").annotate(Count("pk")))


def _paused(workspaces: Collection[UUID]) -> dict[UUID, int]:
    """What its own pages call paused; asked one by one, since few are at any time."""
    some = RefusedSender.objects.filter(workspace__in=workspaces, paused_at__isnull=False)
    return {home: len(pauses(home)) for home in some.values_list("workspace_id", flat=True).distinct()}
