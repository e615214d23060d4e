"""After the database was restored from a backup: what was sent since the backup is unknown to its rows, so nothing
that might have been sent is sent before Twilio was asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection

from postcall.config import config
from postcall.followups.models import FollowUp, Reason
from postcall.messages.accounts import account_with
from postcall.messages.claim import HOLD_S, TWIN_WAIT_S, next_attempt, put_off
from postcall.messages.models import Attempt, DeliveryEvent, Message
from postcall.messages.status import note
from postcall.work import clock
from postcall.work.rows import insert_if_free, write

_PAUSED: Final = (
    "This database was restored from a backup. Make sure that no other Postcall works on the same calls; then "
    "`postcall restore --resume` lets texts go out again."
)
_ASKING: Final = "This database was restored from a backup: Twilio is asked whether this text was sent since."


@dataclass(frozen=True)
class _Restored:
    """`latest` is the latest restoration that concerns a message, `since` the oldest backup's moment of those for
    which it was not looked for yet (None: it was for all), `until` when it was restored."""

    paused: bool
    latest: int | None
    since: datetime | None
    until: datetime | None


def comes_first(message: Message, account_id: UUID | None) -> bool:
    """Whether a locked message is not to be sent now because of a restoration; then it is seen to.

    While sending is paused it waits. Otherwise the first text of a call from before the restoration is first looked
    for in Twilio's list, like one of which it is not known whether it was sent.
    """
    restored = _read(message)
    if restored.paused:
        _wait(message)
        return True
    if restored.since is None or account_id is None:
        return False
    _look_for_it(message, account_id, restored)
    return True


def _read(message: Message) -> _Restored:
    """By the call's own times too: a report that comes again after the restoration is a new row of an old call."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT EXISTS (SELECT FROM restoration WHERE resumed_at IS NULL),
                   max(r.id), min(r.taken_at), max(r.restored_at)
            FROM follow_up f
            JOIN call c ON c.id = f.call_id
            LEFT JOIN restoration r
              ON least(c.received_at, c.ended_at, c.started_at) < r.restored_at
             AND NOT EXISTS (SELECT FROM restoration_sought s WHERE s.message_id = %s AND s.restoration_id >= r.id)
            WHERE f.id = %s
            """,
            [message.pk, message.follow_up_id],
        )
        return _Restored(*cursor.fetchone())


def _wait(message: Message) -> None:
    waits = FollowUp.objects.filter(pk=message.follow_up_id).exclude(outcome=FollowUp.Outcome.HELD, detail=_PAUSED)
    news = waits.update(
        outcome=FollowUp.Outcome.HELD, reason=Reason.SENDER_PAUSED, detail=_PAUSED, updated_at=clock.now()
    )
    # Past its validity too: whether it was sent since is still to be asked.
    put_off(message, clock.now() + timedelta(seconds=HOLD_S))
    if news:
        note(message, message.status, DeliveryEvent.Origin.POSTCALL, detail=_PAUSED)


def _look_for_it(message: Message, account_id: UUID, restored: _Restored) -> None:
    """Opens an attempt that began at the backup's moment and of which nothing is known; tracking does the rest.

    One reading of the list is enough: what was sent was sent before the restoration.
    """
    assert restored.since is not None
    assert restored.until is not None
    now, account, delays = clock.now(), account_with(account_id), config().reconcile_after
    attempt = next_attempt(
        message,
        account,
        status=Attempt.Status.UNCONFIRMED,
        started_at=restored.since,
        checks_done=len(delays) - 1,
        due_at=max(now, restored.until + timedelta(seconds=delays[0])),
    )
    if not insert_if_free(attempt):
        put_off(message, now + timedelta(seconds=TWIN_WAIT_S))
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO restoration_sought (message_id, restoration_id) VALUES (%s, %s)"
            " ON CONFLICT (message_id) DO UPDATE SET restoration_id = excluded.restoration_id",
            [message.pk, restored.latest],
        )
    FollowUp.objects.filter(pk=message.follow_up_id, detail=_PAUSED).update(
        outcome=FollowUp.Outcome.MESSAGE, reason="", detail="", updated_at=now
    )
    write(
        message,
        status=Message.Status.UNCONFIRMED,
        attempts_made=attempt.number,
        sid="",
        due_at=None,
        lease_until=None,
        starts=0,
        generation=message.generation + 1,
    )
    note(attempt, Attempt.Status.UNCONFIRMED, DeliveryEvent.Origin.POSTCALL, detail=_ASKING)
