"""Following an attempt: finding out what became of an ambiguous one, and polling the others to their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import IntegrityError, transaction

from postcall.config import config
from postcall.followups.models import FollowUp, Reason
from postcall.messages import twilio_client
from postcall.messages.accounts import account_with, is_proven_alike, proven_alike
from postcall.messages.claim import digest, put_off
from postcall.messages.models import Attempt, DeliveryEvent, Message, OwnText
from postcall.messages.status import (
    FINAL,
    News,
    hear,
    heed_error,
    leave_to_operator,
    left_before,
    lock,
    next_poll,
    note,
    nothing_else_is_planned,
    unconfirm,
)
from postcall.messages.twilio_client import Listing, RemoteMessage, Unread, is_sid
from postcall.messages.underway import never_found_out, own_sids, own_text_is_undecided
from postcall.pace import paced_delta
from postcall.work import clock
from postcall.work.rows import write
from postcall.work.wake import wake
from postcall.workspaces.models import Workspace

log = structlog.get_logger("postcall.messages")

# How much earlier than the attempt its message may seem to have been made. Twilio's times have whole seconds.
SLACK: Final = timedelta(seconds=60)
# Attempts of which the lists proved that nothing was sent, before somebody has to look.
MOST_ABSENT: Final = 3
# What Twilio puts before the texts of a trial account.
TRIAL_PREFIX: Final = "Sent from your Twilio trial account - "
# How long an attempt waits for a text to a member's own phone, the same number, to be found out about first.
OWN_TEXT_WAIT: Final = paced_delta(seconds=5)
# How much earlier than the attempt such a text may have begun whose message still seems to be the attempt's.
OWN_TEXTS_BEFORE: Final = timedelta(hours=1)
# After that an attempt is not asked about any more, whatever stood in the way of an answer.
LONGEST: Final = timedelta(days=2)


def track(attempt: Attempt) -> None:
    """Does what is due about an attempt that this worker has taken. Raises LostLease."""
    if attempt.status == Attempt.Status.SENDING:
        _lapse(attempt)
    elif attempt.status == Attempt.Status.UNCONFIRMED and attempt.open:
        _find_out(attempt)
    else:
        _poll(attempt)


@transaction.atomic
def _lapse(attempt: Attempt) -> None:
    """The worker that was sending is gone, or too late: whether the request went out is unknown."""
    locked = lock(attempt.pk, attempt.generation)
    if locked.status != Attempt.Status.SENDING:
        _follow(locked, 0)
        return
    unconfirm(locked, "The worker that was sending it stopped before it could say what came of it.")


def _follow(attempt: Attempt, polls_done: int, *, due: bool = True) -> None:
    write(
        attempt,
        polls_done=polls_done,
        due_at=next_poll(attempt, polls_done) if due else None,
        lease_until=None,
        starts=0,
    )


# Finding out


@dataclass(frozen=True)
class _Seen:
    """What a list shows that might be this attempt's: `ours` has its body, `others` another one."""

    ours: RemoteMessage | None
    others: frozenset[str]


def _find_out(attempt: Attempt) -> None:
    """Reads Twilio's list of messages to the recipient and concludes what it allows."""
    listing = twilio_client.list_to(attempt.account, attempt.to)
    found: RemoteMessage | None = None
    try:
        with transaction.atomic():
            locked = lock(attempt.pk, attempt.generation)
            if locked.status != Attempt.Status.UNCONFIRMED or not locked.open:
                _follow(locked, 0, due=bool(locked.sid))
            elif isinstance(listing, Unread):
                _ask_again(locked, listing)
            elif own_text_is_undecided(locked.account, locked.to):
                write(locked, due_at=clock.now() + OWN_TEXT_WAIT, lease_until=None, starts=0)
            else:
                seen = _look(locked, listing)
                _conclude(locked, listing, seen)
                found = seen.ours
    except IntegrityError:
        # The SID was given to another attempt this instant; the next look sees that.
        mine = Attempt.objects.filter(pk=attempt.pk, generation=attempt.generation)
        mine.update(lease_until=None, due_at=clock.now() + paced_delta(seconds=1))
        return
    if found is not None:
        _heed(attempt, found)


def _ask_again(attempt: Attempt, unread: Unread) -> None:
    """While a list cannot be read, nothing is known and nothing is sent; patience grows with the attempt's age,
    and ends."""
    age = clock.now() - attempt.started_at
    first = timedelta(seconds=config().reconcile_after[0])
    log.warning("Twilio's list cannot be read", attempt=str(attempt.pk), why=unread.why)
    if unread.denied or age > LONGEST:
        _give_up(
            attempt,
            f"Twilio's list could not be read ({unread.why}), so it is not known whether this text was sent. "
            "Look in Twilio's console before sending it again.",
        )
        return
    pause = max(min(first, paced_delta(seconds=30)), min(age / 4, paced_delta(minutes=30)))
    write(attempt, due_at=clock.now() + pause, lease_until=None, starts=0)


def _look(attempt: Attempt, listing: Listing) -> _Seen:
    """Everything to that number since the attempt that no other attempt owns or is waiting for."""
    since = earliest(attempt, listing)
    recent = sent_since(since, listing)
    owned, claimed = _owned(attempt, [message.sid for message in recent] + attempt.candidates)
    unowned = sorted(
        (message for message in recent if message.sid not in owned),
        key=lambda message: (message.created_at or since, message.sid),
    )
    unknown = never_found_out(attempt.account, attempt.to, attempt.started_at - OWN_TEXTS_BEFORE)
    ours = [
        message
        for message in unowned
        if message.sid not in claimed
        and attempt.body_digest not in unknown
        and same_text(message.body, attempt.message.body)
    ]
    awaited = (_awaited(attempt) | unknown) - {attempt.body_digest}
    others = {
        message.sid for message in unowned if message not in ours and digest(plain(message.body)) not in awaited
    }
    return _Seen(ours[0] if ours else None, frozenset(others | (set(attempt.candidates) - owned)))


def sent_since(since: datetime, listing: Listing) -> list[RemoteMessage]:
    """The messages of the list that somebody sent by Twilio's API since then."""
    return [
        message
        for message in listing.messages
        if is_sid(message.sid)
        and message.direction == "outbound-api"
        and (message.created_at is None or message.created_at >= since)
    ]


def earliest(attempt: Attempt | OwnText, listing: Listing) -> datetime:
    """The earliest time, by Twilio's clock, at which the message of an attempt that has begun may have been made.

    Where our clock and Twilio's have moved against each other since the attempt began, one of them was set:
    whatever was made within that doubt may be this attempt's.
    """
    assert attempt.started_at is not None
    now_s = listing.ahead_s or 0.0
    doubt_s = 0.0 if attempt.twilio_ahead_s is None else abs(now_s - attempt.twilio_ahead_s)
    since = attempt.started_at + timedelta(seconds=now_s - doubt_s) - SLACK
    return since.replace(microsecond=0)


def _owned(attempt: Attempt, sids: list[str]) -> tuple[set[str], set[str]]:
    """Which of the SIDs other attempts own, and which are claimed by somebody who named our account without its
    auth token: those prove nothing, and are for the operator to look at."""
    owners = Attempt.objects.filter(account_sid=attempt.account_sid, sid__in=sids).exclude(pk=attempt.pk)
    owned = own_sids(attempt.account, sids)
    claimed: set[str] = set()
    for sid, account_id in owners.values_list("sid", "account_id"):
        (owned if is_proven_alike(attempt.account, account_with(account_id)) else claimed).add(sid)
    return owned, claimed


def _awaited(attempt: Attempt) -> set[str]:
    """The bodies of other texts to the number of which it is not known yet whether they were sent."""
    others = Attempt.objects.filter(
        account_sid=attempt.account_sid,
        account__in=proven_alike(attempt.account),
        to=attempt.to,
        status__in=(Attempt.Status.SENDING, Attempt.Status.UNCONFIRMED),
        open=True,
    )
    return set(others.exclude(pk=attempt.pk).values_list("body_digest", flat=True))


def same_text(theirs: str, ours: str) -> bool:
    return plain(theirs).strip() == ours.strip()


def plain(theirs: str) -> str:
    return theirs.removeprefix(TRIAL_PREFIX)


def _conclude(attempt: Attempt, listing: Listing, seen: _Seen) -> None:
    if seen.ours is not None:
        _adopt(attempt, seen.ours)
        return
    if too_early := _too_early(attempt, listing):
        write(attempt, due_at=clock.now() + too_early, lease_until=None, starts=0)
        return
    checks = attempt.checks_done + 1
    delays = config().reconcile_after
    fields = {
        "checks_done": checks,
        "candidates": sorted(seen.others),
        "first_listed_at": attempt.first_listed_at or listing.twilio_time,
        "lease_until": None,
        "starts": 0,
    }
    if checks < len(delays):
        pause = timedelta(seconds=max(0.0, delays[checks] - delays[checks - 1]))
        write(attempt, due_at=clock.now() + pause, **fields)
        return
    write(attempt, due_at=None, **fields)
    if seen.others:
        _give_up(
            attempt,
            "Twilio lists another text to this number that may be this one: "
            + ", ".join(sorted(seen.others))
            + ". Look there before sending it again.",
        )
    else:
        _absent(attempt)


def _too_early(attempt: Attempt, listing: Listing) -> timedelta | None:
    """How much later a list has to be read to count, by Twilio's own clock: ours may have been set forward, and
    then the lists that are to prove an absence would all be read at once."""
    if attempt.first_listed_at is None or listing.twilio_time is None:
        return None
    delays = config().reconcile_after
    # Twilio's times have whole seconds.
    wanted = timedelta(seconds=delays[attempt.checks_done] - delays[0] - 1)
    missing = wanted - (listing.twilio_time - attempt.first_listed_at)
    # Twilio's clock may have been set as well: no single wait is longer than the whole.
    return min(missing, timedelta(seconds=delays[-1])) if missing > timedelta() else None


def _adopt(attempt: Attempt, found: RemoteMessage) -> None:
    """Presence. Provisional: a response or a callback may yet show that the message is another attempt's."""
    hear(
        attempt,
        News.of(found, DeliveryEvent.Origin.POLL, "Found in Twilio's list: it had been sent."),
        provisional=True,
        lease_until=None,
        starts=0,
    )


def _give_up(attempt: Attempt, detail: str) -> None:
    """Leaves an unconfirmed attempt to the operator; a callback may still prove it."""
    write(attempt, open=False, due_at=None, lease_until=None, starts=0, ended_at=clock.now(), error_message=detail)
    note(attempt, Attempt.Status.UNCONFIRMED, DeliveryEvent.Origin.POSTCALL, detail=detail)
    if nothing_else_is_planned(attempt):
        leave_to_operator(attempt.message, detail)


def _absent(attempt: Attempt) -> None:
    """The lists prove that nothing was sent: the next attempt starts, if it may."""
    now = clock.now()
    write(attempt, status=Attempt.Status.ABSENT, open=False, ended_at=now)
    note(
        attempt,
        Attempt.Status.ABSENT,
        DeliveryEvent.Origin.POSTCALL,
        detail="Twilio's lists show that it was not sent.",
    )
    if not nothing_else_is_planned(attempt):
        return
    message = attempt.message
    if _times_absent(message) >= MOST_ABSENT:
        words = f"It was tried {MOST_ABSENT} times, and Twilio's lists show none of them."
        leave_to_operator(message, words)
        _never_left(attempt, Message.Status.FAILED, words)
    elif attempt.workspace.unconfirmed == Workspace.WhenUnconfirmed.HOLD:
        words = "Twilio's lists show no such text, and this workspace sends nothing again by itself."
        leave_to_operator(message, words)
        _never_left(attempt, Message.Status.UNCONFIRMED, words)
    elif message.valid_until <= now:
        _expire(attempt)
    else:
        put_off(message, now, status=Message.Status.QUEUED, next_by=attempt.by, sent_at=left_before(attempt))
        wake("messages")


def _times_absent(message: Message) -> int:
    return message.attempts.filter(status=Attempt.Status.ABSENT).count()


def _never_left(attempt: Attempt, status: str, words: str) -> None:
    put_off(attempt.message, None, status=status, error_message=words, sent_at=left_before(attempt))
    note(attempt.message, status, DeliveryEvent.Origin.POSTCALL, detail=words)


def _expire(attempt: Attempt) -> None:
    words = "It was not sent, and its time to be sent was over."
    FollowUp.objects.filter(pk=attempt.message.follow_up_id).update(
        outcome=FollowUp.Outcome.SKIPPED, reason=Reason.EXPIRED, detail=words, updated_at=clock.now()
    )
    _never_left(attempt, Message.Status.CANCELED, words)


@transaction.atomic
def set_aside(attempt: Attempt) -> None:
    """Stops following an attempt that kills whoever takes it; what is known of it stands."""
    locked = lock(attempt.pk, attempt.generation)
    if locked.status in (Attempt.Status.SENDING, Attempt.Status.UNCONFIRMED) and locked.open:
        write(locked, status=Attempt.Status.UNCONFIRMED)
        if nothing_else_is_planned(locked):
            write(locked.message, status=Message.Status.UNCONFIRMED)
        _give_up(locked, "Finding out what became of it was begun again and again and never ended.")
        return
    write(locked, due_at=None, lease_until=None, starts=0)
    note(
        locked,
        locked.status,
        DeliveryEvent.Origin.POSTCALL,
        detail="It is not asked about any more: asking never ended.",
    )


# Polling


def _poll(attempt: Attempt) -> None:
    """Asks Twilio how a message does: callbacks are sent by best effort and may be lost."""
    if not attempt.sid:
        with transaction.atomic():
            locked = lock(attempt.pk, attempt.generation)
            _follow(locked, locked.polls_done, due=bool(locked.sid))
        return
    found = twilio_client.fetch(attempt.account, attempt.sid)
    if not isinstance(found, Unread):
        _heed(attempt, found)
    with transaction.atomic():
        locked = lock(attempt.pk, attempt.generation)
        if isinstance(found, Unread):
            _poll_failed(locked, found)
        elif locked.sid == found.sid:
            _polled(locked, found)
        else:
            _follow(locked, locked.polls_done)


def _heed(attempt: Attempt, found: RemoteMessage) -> None:
    if found.status in ("failed", "undelivered") and attempt.status not in FINAL:
        heed_error(attempt, found.error_code)


def _poll_failed(attempt: Attempt, unread: Unread) -> None:
    age = clock.now() - attempt.started_at
    if unread.gone or unread.denied or age > LONGEST:
        ended_at = attempt.ended_at or clock.now()
        write(attempt, open=False, ended_at=ended_at, due_at=None, lease_until=None, starts=0)
        detail = f"It is not asked about any more: {unread.why}"
        note(attempt, attempt.status, DeliveryEvent.Origin.POSTCALL, detail=detail)
        return
    pause = max(paced_delta(seconds=30), min(age / 4, paced_delta(hours=1)))
    write(attempt, due_at=clock.now() + pause, lease_until=None, starts=0)


def _polled(attempt: Attempt, found: RemoteMessage) -> None:
    polls = attempt.polls_done + 1
    hear(
        attempt,
        News.of(found, DeliveryEvent.Origin.POLL),
        provisional=attempt.provisional,
        keep=False,
        due_at=attempt.due_at,
    )
    complete = attempt.status in FINAL and (
        attempt.price is not None or attempt.status in (Attempt.Status.FAILED, Attempt.Status.CANCELED)
    )
    _follow(attempt, polls, due=not complete)
    if attempt.due_at is None and attempt.open:
        # `sent` may be the last that is ever heard: not every carrier gives a receipt.
        write(attempt, open=False, ended_at=clock.now())
