"""Having Twilio forget the texts of a person who was erased, however long Twilio does not listen."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Final

import structlog
from django.db import transaction

from postcall.agents.models import Agent
from postcall.keeping import erase
from postcall.keeping.models import Erasure, Redaction
from postcall.messages import twilio_client
from postcall.messages.accounts import SANDBOX_URL, proven_alike
from postcall.messages.models import Account, Attempt, Message
from postcall.messages.track import TRIAL_PREFIX
from postcall.messages.twilio_client import Listing, Unread
from postcall.pace import paced, paced_delta
from postcall.work import clock
from postcall.work.leases import MAX_STARTS, LostLease, settle, take

log = structlog.get_logger("postcall.keeping")

LEASE_S: Final = 300.0
# Looking for mentions reads every table.
ERASING_LEASE_S: Final = 3600.0
# After which waits Twilio is asked again; the last one for ever.
AGAIN_S: Final = (10, 60, 300, 1800, 6 * 3600)
# How much earlier than its attempt a text may seem to have been made: Twilio's clock may be behind ours.
SLACK: Final = timedelta(minutes=5)


def forget_what_is_due(budget_s: float) -> int:
    """Goes on with erasures and with what Twilio has to forget until nothing is due or the time is over; returns
    how many steps were done. For the housekeeping, and for whoever asked for an erasure."""
    until = clock.ticks() + budget_s
    done = 0
    while clock.ticks() < until and (_erase_one() or _redact_one()):
        done += 1
    return done


def _erase_one() -> bool:
    rows = take(Erasure, 1, paced_delta(seconds=ERASING_LEASE_S))
    for row in rows:
        try:
            erase.set_aside(row) if row.starts > MAX_STARTS else erase.work(row)
        except LostLease:
            log.info("another worker has it", erasure=str(row.pk))
    return bool(rows)


def _redact_one() -> bool:
    rows = take(Redaction, 1, paced_delta(seconds=LEASE_S))
    for row in rows:
        try:
            redact(row)
        except LostLease:
            log.info("another worker has it", redaction=str(row.pk))
    return bool(rows)


def forget_some(erasure: Erasure) -> bool:
    """Has Twilio forget what is due; False when nothing of this erasure is due now, or somebody else is at it.

    What lies in the sandbox is left to the worker where only that is told where the sandbox is.
    """
    mine = erasure.redactions.filter(due_at__lte=clock.now())
    if not os.environ.get("POSTCALL_SANDBOX_URL"):
        mine = mine.exclude(account__api_url=SANDBOX_URL)
    return mine.exists() and _redact_one()


def redact(row: Redaction) -> bool:
    """Has Twilio forget one text; says whether that is done. Else it is due again, and says why. Raises LostLease.

    Credentials that Twilio does not take any more are passed over for those that were saved for the same account
    since.
    """
    if row.starts > MAX_STARTS:
        _later(row, Unread("asking was begun again and again and never ended"))
        return False
    unread: Unread | None = None
    for account in _accounts(row):
        unread = _forget(row, account)
        if unread is None or not unread.denied:
            break
    if unread is not None:
        _later(row, unread)
        return False
    settle(row, number="", body="", last_error="", done_at=clock.now())
    return True


def _accounts(row: Redaction) -> list[Account]:
    versions = Account.objects.filter(pk__in=proven_alike(row.account)).exclude(pk=row.account_id)
    return [row.account, *versions.order_by("-id")]


def _forget(row: Redaction, account: Account) -> Unread | None:
    return twilio_client.erase(account, row.sid) if row.sid else _find(row, account)


def _find(row: Redaction, account: Account) -> Unread | None:
    """Looks in Twilio's list for what the row describes; what is found becomes rows of their own."""
    ask = twilio_client.list_to if row.body else twilio_client.list_from
    listing = ask(account, row.number)
    if isinstance(listing, Unread):
        return listing
    seen = _sent_perhaps(row, listing) if row.body else _texted_to_us(row, listing)
    owned = Attempt.objects.filter(account_sid=row.account.account_sid, sid__in=seen).values_list("sid", flat=True)
    with transaction.atomic():
        found = [
            Redaction(
                erasure_id=row.erasure_id,
                workspace_id=row.workspace_id,
                account_id=row.account_id,
                sid=sid,
                since=row.since,
                due_at=clock.now(),
            )
            for sid in seen - set(owned)
        ]
        Redaction.objects.bulk_create(found, ignore_conflicts=True)
    return None


def _sent_perhaps(row: Redaction, listing: Listing) -> set[str]:
    return {
        message.sid
        for message in listing.messages
        if message.direction == "outbound-api"
        and message.body.removeprefix(TRIAL_PREFIX).strip() == row.body.strip()
        and (message.created_at is None or message.created_at >= row.since - SLACK)
    }


def _texted_to_us(row: Redaction, listing: Listing) -> set[str]:
    """What came to a number that this workspace sends from; others of the account are somebody else's business."""
    ours = {row.account.from_number}
    for senders in (
        Agent.objects.filter(workspace=row.workspace_id),
        Message.objects.filter(workspace=row.workspace_id),
    ):
        ours.update(senders.values_list("from_number", flat=True).distinct())
    return {message.sid for message in listing.messages if message.direction == "inbound" and message.to in ours}


def _later(row: Redaction, unread: Unread) -> None:
    pause = AGAIN_S[min(row.failures, len(AGAIN_S) - 1)]
    log.warning("Twilio has not forgotten a text yet", redaction=str(row.pk), why=unread.why)
    settle(
        row,
        due_at=clock.now() + timedelta(seconds=paced(pause)),
        failures=row.failures + 1,
        last_error=unread.why[:255],
    )
