"""Sending one text once: claim, send, record."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from postcall.followups.handing import Sender
from postcall.followups.models import FollowUp, Reason
from postcall.messages import twilio_client
from postcall.messages.addresses import status_callback
from postcall.messages.claim import FENCE_S, LEASE_MARGIN_S, claim, hold, put_off
from postcall.messages.errors import explain, stops_sending
from postcall.messages.models import Attempt, DeliveryEvent, Message
from postcall.messages.pausing import Pause, is_the_texts_own, pause_of
from postcall.messages.status import (
    Contradiction,
    News,
    hear,
    heed_error,
    leave_to_operator,
    left_before,
    lock,
    next_poll,
    note,
    unconfirm,
    with_proof,
)
from postcall.messages.twilio_client import Accepted, Ambiguous, NotReached, Outcome, Refused
from postcall.pace import paced
from postcall.work import clock
from postcall.work.clock import ticks
from postcall.work.leases import LostLease, lock_held
from postcall.work.rows import write

log = structlog.get_logger("postcall.messages")

# Pauses before a text that was surely not sent is tried again, in seconds: doubled each time, with jitter.
FIRST_PAUSE_S: Final = paced(0.5)
# Of one that was refused for its sender's sake: that seldom passes in a moment.
FIRST_SENDER_PAUSE_S: Final = paced(5.0)
LONGEST_PAUSE_S: Final = paced(300.0)
# How long an answer is kept in mind while the database is away: the lease outlives every answer by its margin.
INSIST_S: Final = LEASE_MARGIN_S - paced(10.0)


class Fence:
    """A point in time after which a request must not begin, on a clock that nobody sets.

    Measured from before the claim, hence from before its lease.
    """

    def __init__(self, limit_s: float = FENCE_S) -> None:
        self._began = ticks()
        self._limit_s = limit_s

    def is_open(self) -> bool:
        return self.elapsed_s() < self._limit_s

    def elapsed_s(self) -> float:
        return ticks() - self._began


def send(message: Message) -> None:
    """Sends a message that this worker has taken, if it may go out now.

    1. One transaction looks at everything again under the recipient's lock and opens an attempt (`claim`).
    2. The request is made, unless the worker was too slow to begin in time.
    3. What came of it is recorded, if the attempt is still this worker's.

    Killed anywhere: before 1 is committed, the message is taken again; after it, the attempt's lease runs out
    and Twilio's list decides. Raises LostLease when the message is another worker's by now.
    """
    fence = Fence()
    attempt = claim(message)
    if attempt is not None:
        record(attempt, hand_to_twilio(attempt, fence))


def hand_to_twilio(attempt: Attempt, fence: Fence) -> Outcome:
    """Makes the one request of a claimed attempt, if it can still begin in time.

    How long the text is still valid is told without the database, which may be away by now.
    """
    message = attempt.message
    valid_for_s = (message.valid_until - attempt.started_at).total_seconds()

    def may_begin() -> bool:
        return fence.is_open() and fence.elapsed_s() < valid_for_s

    return twilio_client.create(
        attempt.account,
        to=attempt.to,
        sender=Sender(message.from_number, message.messaging_service_sid),
        body=message.body,
        status_callback=status_callback(attempt.account, attempt.token),
        valid_for_s=valid_for_s - fence.elapsed_s(),
        may_begin=may_begin,
    )


def record(attempt: Attempt, outcome: Outcome) -> None:
    """Writes down what came of the request.

    A worker that overslept its lease writes nothing about the attempt, with one exception: a SID that Twilio
    told us is proof of which message is whose, like a callback, however late it comes.
    """
    if isinstance(outcome, Refused):
        _insist(lambda: heed_error(attempt, outcome.code))
    try:
        _insist(lambda: _write_outcome(attempt, outcome))
    except LostLease:
        log.warning("an answer came after the lease", attempt=str(attempt.pk), outcome=type(outcome).__name__)
        if isinstance(outcome, Accepted):
            _accepted(attempt, outcome, generation=None)


def _insist(work: Callable[[], None]) -> None:
    """Runs `work` again while the database is away and the lease allows: an answer forgotten means minutes of
    finding out what it was."""
    until = ticks() + INSIST_S
    pause_s = paced(0.2)
    while True:
        try:
            return work()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or ticks() > until:
                raise
        connection.close()
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, paced(5))


def _write_outcome(attempt: Attempt, outcome: Outcome) -> None:
    match outcome:
        case Accepted():
            _accepted(attempt, outcome, generation=attempt.generation)
        case Refused():
            _refused(attempt, outcome)
        case NotReached():
            _not_sent(attempt, None, outcome.why)
        case Ambiguous():
            _ambiguous(attempt, outcome)


def _accepted(attempt: Attempt, outcome: Accepted, *, generation: int | None) -> None:
    news = News.of(outcome.message, DeliveryEvent.Origin.POSTCALL)

    @transaction.atomic
    def write_down() -> None:
        locked = lock(attempt.pk, generation)
        mine: dict[str, Any] = {}
        if generation is not None:
            mine = {"lease_until": None, "starts": 0, "due_at": next_poll(locked, 0)}
        hear(locked, news, **mine)

    try:
        with_proof(attempt.account, news.sid, write_down)
    except Contradiction:
        log.error("Twilio gave two attempts the same SID", attempt=str(attempt.pk))


def _told_already(attempt: Attempt) -> bool:
    """Whether a callback was faster than the response and proved that Twilio has the message.

    Then it is followed like any other, whatever became of the response.
    """
    if not attempt.sid:
        return False
    write(attempt, lease_until=None, starts=0, due_at=next_poll(attempt, 0))
    return True


@transaction.atomic
def _ambiguous(attempt: Attempt, outcome: Ambiguous) -> None:
    locked = lock(attempt.pk, attempt.generation)
    if not _told_already(locked):
        unconfirm(locked, outcome.why)


def _refused(attempt: Attempt, outcome: Refused) -> None:
    code = outcome.code
    if stops_sending(code) and not is_the_texts_own(attempt, code or 0):
        _wait_for_sender(attempt, outcome)
    elif explain(code).kind == "retry" or outcome.status == 429:
        _not_sent(attempt, code, outcome.message, retry_after_s=outcome.retry_after_s)
    else:
        _failed(attempt, outcome)


@transaction.atomic
def _not_sent(attempt: Attempt, code: int | None, why: str, *, retry_after_s: float | None = None) -> None:
    """Surely nothing was sent, and the same may work later: another attempt, while the text is valid."""
    locked = lock(attempt.pk, attempt.generation)
    if _told_already(locked):
        return
    _close(locked, code, why)
    _try_again(locked, pause_before_next(locked.message.send_tries, retry_after_s))


def _try_again(attempt: Attempt, pause_s: float, **fields: object) -> None:
    message = attempt.message
    put_off(
        message,
        min(clock.now() + timedelta(seconds=pause_s), message.valid_until),
        status=Message.Status.QUEUED,
        send_tries=message.send_tries + 1,
        next_by=attempt.by,
        sent_at=left_before(attempt),
        **fields,
    )


def pause_before_next(tries: int, retry_after_s: float | None, first_s: float = FIRST_PAUSE_S) -> float:
    """Seconds. Twilio's own wish is honoured; jitter keeps many texts from coming back together."""
    pause_s = min(LONGEST_PAUSE_S, first_s * 2.0 ** min(tries, 16))
    return max(pause_s, retry_after_s or 0) * random.uniform(1, 1.25)  # noqa: S311  # jitter


@transaction.atomic
def _wait_for_sender(attempt: Attempt, outcome: Refused) -> None:
    """Twilio takes nothing of this sender, or of the account. Once or twice may pass by itself; a sender that is
    paused by now holds the text until somebody has mended it."""
    locked = lock(attempt.pk, attempt.generation)
    if _told_already(locked):
        return
    _close(locked, outcome.code, outcome.message)
    told = {"error_code": outcome.code, "error_message": outcome.message}
    if pause := _pause_of(locked):
        write(locked.message, next_by=locked.by, sent_at=left_before(locked), send_tries=0, **told)
        hold(locked.message, Reason.SENDER_PAUSED, pause.detail)
        return
    tries = locked.message.send_tries
    _try_again(locked, pause_before_next(tries, outcome.retry_after_s, FIRST_SENDER_PAUSE_S), **told)


def _pause_of(attempt: Attempt) -> Pause | None:
    """Why the text's next attempt cannot begin; None: it may, perhaps by another account than this one."""
    message = attempt.message
    return pause_of(message.workspace_id, Sender(message.from_number, message.messaging_service_sid))


@transaction.atomic
def _failed(attempt: Attempt, outcome: Refused) -> None:
    """Twilio will never take this text as it is."""
    locked = lock(attempt.pk, attempt.generation)
    if _told_already(locked):
        return
    message, code = locked.message, outcome.code
    _close(locked, code, outcome.message)
    told = {
        "error_code": code,
        "error_message": outcome.message,
        "sent_at": left_before(locked),
        "send_tries": 0,
    }
    text = explain(code, outcome.message)
    put_off(message, None, status=Message.Status.FAILED, **told)
    FollowUp.objects.filter(pk=message.follow_up_id).update(
        reason=_reason(code, text.kind), detail=f"{text.message} {text.fix}", updated_at=clock.now()
    )


def _reason(code: int | None, kind: str) -> str:
    """Why the follow-up sent nothing, of the reasons that everybody knows; empty where none of them is true: then
    the message's error says it."""
    return _REASONS.get(code, _REASONS_BY_KIND.get(kind, ""))


_REASONS: Final[dict[int | None, str]] = {
    21211: Reason.INVALID_RECIPIENT,
    # Where it fails a text and not its sender: the sender does not reach this number.
    21606: Reason.NUMBER_REFUSED,
    21612: Reason.NUMBER_REFUSED,
    30004: Reason.NUMBER_REFUSED,
    30005: Reason.NUMBER_REFUSED,
    30640: Reason.NUMBER_REFUSED,
    63014: Reason.NUMBER_REFUSED,
    21605: Reason.MESSAGE_TOO_LONG,
    21617: Reason.MESSAGE_TOO_LONG,
    21658: Reason.MESSAGE_TOO_LONG,
}
_REASONS_BY_KIND: Final[dict[str, str]] = {
    "landline": Reason.LANDLINE,
    "opt_out": Reason.OPTED_OUT,
    "country": Reason.COUNTRY_NOT_ALLOWED,
}


def _close(attempt: Attempt, code: int | None, why: str) -> None:
    """Ends a locked attempt of which surely nothing was sent."""
    write(
        attempt,
        status=Attempt.Status.REFUSED,
        open=False,
        ended_at=clock.now(),
        error_code=code,
        error_message=why,
        due_at=None,
        lease_until=None,
        starts=0,
    )
    note(
        attempt,
        Attempt.Status.REFUSED,
        DeliveryEvent.Origin.POSTCALL,
        error_code=code,
        detail=why,
    )


@transaction.atomic
def set_aside(message: Message) -> None:
    """Stops a message that kills the worker that takes it; it was taken for this, and nothing of it is on its
    way."""
    lock_held(message)
    fresh = Message.objects.get(pk=message.pk)
    leave_to_operator(fresh, "Sending it was begun again and again and never ended.")
    put_off(fresh, None, status=Message.Status.FAILED)
    note(fresh, Message.Status.FAILED, DeliveryEvent.Origin.POSTCALL, detail="set aside: sending it never ended")
