"""What was heard about an attempt: its status moves forward only, its message mirrors it, and every word of it
is kept.

Whoever writes here holds the locks of the message and the attempt (`lock`), so that a response, a callback, a
poll and an operator never undo one another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog
from django.db import IntegrityError, connection, transaction

from postcall.config import config
from postcall.followups.models import FollowUp, OptOut, Reason
from postcall.followups.optouts import opt_out
from postcall.ids import new_id
from postcall.messages.accounts import account_with, is_proven_alike
from postcall.messages.addresses import status_callback
from postcall.messages.errors import explain
from postcall.messages.models import Account, Attempt, DeliveryEvent, Message
from postcall.messages.pausing import count
from postcall.messages.twilio_client import RemoteMessage
from postcall.pace import paced_delta
from postcall.work import clock
from postcall.work.leases import LostLease
from postcall.work.rows import find, write

log = structlog.get_logger("postcall.messages")

S = Attempt.Status

# Twilio's words in ours. What is not here moves nothing and is kept all the same.
OURS: Final[dict[str, str]] = {
    "scheduled": S.ACCEPTED,
    "accepted": S.ACCEPTED,
    "queued": S.ACCEPTED,
    "sending": S.ACCEPTED,
    "sent": S.SENT,
    "delivered": S.DELIVERED,
    "read": S.DELIVERED,
    "partially_delivered": S.DELIVERED,
    "undelivered": S.UNDELIVERED,
    "failed": S.FAILED,
    "canceled": S.CANCELED,
}
# How far along each is, no two alike: so everybody ends at the same status, whatever the order of what they heard.
# Of last words that contradict each other the one counts that says more of how far the text came.
RANK: Final[dict[str, int]] = {
    S.ACCEPTED: 1,
    S.SENT: 2,
    S.CANCELED: 3,
    S.FAILED: 4,
    S.UNDELIVERED: 5,
    S.DELIVERED: 6,
}
FINAL: Final = frozenset({S.DELIVERED, S.UNDELIVERED, S.FAILED, S.CANCELED})
# Of these Twilio is not known to have the message (any more): whatever is heard counts.
_UNHEARD: Final = frozenset({S.SENDING, S.UNCONFIRMED, S.REFUSED, S.ABSENT})
_NOT_THERE: Final = frozenset({S.UNDELIVERED, S.FAILED, S.CANCELED})
# Of these surely nothing has left.
_NEVER_LEFT: Final = frozenset({S.SENDING, S.REFUSED, S.ABSENT})

POLLS: Final = tuple(paced_delta(minutes=m) for m in (1, 10, 60, 360, 1440))
# Where Twilio cannot call us back, polling is all there is.
POLLS_ALONE: Final = (paced_delta(seconds=5), paced_delta(seconds=20), *POLLS)

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class News:
    """One thing heard about an attempt. `provider_status` is Twilio's own word."""

    sid: str
    provider_status: str
    origin: str
    error_code: int | None = None
    error_message: str = ""
    price: Decimal | None = None
    price_unit: str = ""
    segments: int | None = None
    from_number: str = ""
    detail: str = ""

    @classmethod
    def of(cls, remote: RemoteMessage, origin: str, detail: str = "") -> News:
        return cls(
            sid=remote.sid,
            provider_status=remote.status,
            origin=origin,
            error_code=remote.error_code,
            error_message=remote.error_message,
            price=remote.price,
            price_unit=remote.price_unit,
            segments=remote.segments,
            from_number=remote.from_number,
            detail=detail,
        )


class Contradiction(Exception):
    """Two attempts were each told, not guessed, that the same SID is theirs."""


# How often something is begun again that another transaction got in the way of.
_TRIES: Final = 5


def lock(attempt_id: UUID, generation: int | None = None) -> Attempt:
    """The attempt as it is now, locked together with its message until the transaction ends.

    Raises LostLease when `generation` is given and another worker has the attempt by now.
    """
    message = find(Message, "id = (SELECT message_id FROM attempt WHERE id = %s) FOR NO KEY UPDATE", [attempt_id])
    attempt = find(Attempt, "id = %s FOR NO KEY UPDATE", [attempt_id])
    if message is None or attempt is None:
        raise LostLease(f"attempt {attempt_id} is gone")
    attempt.message = message
    attempt.account = account_with(attempt.account_id)
    if generation is not None and attempt.generation != generation:
        raise LostLease(f"attempt {attempt_id}")
    return attempt


def is_latest(attempt: Attempt) -> bool:
    """Whether the message speaks of this attempt."""
    return attempt.number == attempt.message.attempts_made


def nothing_else_is_planned(attempt: Attempt) -> bool:
    """Whether what becomes of the message is this locked attempt's to say: it is the latest, and nobody has asked
    for another since."""
    return is_latest(attempt) and attempt.message.due_at is None


def left_before(attempt: Attempt) -> datetime | None:
    """When an earlier attempt of the message left, or may have left; None: none did."""
    if attempt.number == 1:
        return None
    earlier = Attempt.objects.filter(message=attempt.message_id, number__lt=attempt.number)
    return earlier.exclude(status__in=_NEVER_LEFT).order_by("-number").values_list("started_at", flat=True).first()


def note(
    about: Message | Attempt,
    status: str,
    origin: str,
    *,
    provider_status: str = "",
    error_code: int | None = None,
    detail: str = "",
    at: datetime | None = None,
) -> None:
    """Keeps one delivery event of a message, or of one of its attempts."""
    message_id, number = (about.message_id, about.number) if isinstance(about, Attempt) else (about.pk, None)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO delivery_event (id, at, workspace_id, message_id, attempt_number, status, provider_status,"
            " origin, error_code, detail) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                new_id(),
                at or clock.now(),
                about.workspace_id,
                message_id,
                number,
                str(status),
                provider_status[:30],
                str(origin),
                error_code,
                detail,
            ],
        )


def hear(attempt: Attempt, news: News, *, provisional: bool = False, keep: bool = True, **also: Any) -> None:
    """Takes in what was heard about a locked attempt, and keeps it (with `keep` False: only when it moves
    something).

    `news.sid` becomes the attempt's; `provisional` when it was found and not told. `also` is written to the
    attempt besides. A status lower than the present one moves nothing.
    """
    told = OURS.get(news.provider_status)
    replaced = bool(attempt.sid) and attempt.sid != news.sid
    unheard = attempt.status in _UNHEARD or replaced
    moves = unheard or (told is not None and RANK[told] > RANK.get(attempt.status, 0))
    fields: dict[str, Any] = dict(also)
    if attempt.sid != news.sid:
        fields |= {"sid": news.sid, "provisional": provisional}
    elif attempt.provisional and not provisional:
        fields["provisional"] = False
    if moves:
        fields |= _moved(attempt, told or S.ACCEPTED, news)
        if unheard and attempt.status != S.SENDING and "due_at" not in also:
            fields |= {"polls_done": 0, "due_at": next_poll(attempt, 0)}
    priced = news.price is not None and (news.price, news.price_unit) != (attempt.price, attempt.price_unit)
    if priced:
        fields |= {"price": news.price, "price_unit": news.price_unit}
    risen = unheard and attempt.status in (S.REFUSED, S.ABSENT, S.UNCONFIRMED)
    if fields:
        write(attempt, **fields)
    if priced:
        _add_up(attempt.message)
    if is_latest(attempt):
        _mirror(attempt, news, moves)
        if risen:
            _it_did_go_out(attempt.message)
    if not keep and not moves:
        return
    note(
        attempt,
        told or attempt.status,
        news.origin,
        provider_status=news.provider_status,
        error_code=news.error_code,
        detail=news.detail or (_DOUBLED if _doubles(attempt, risen=risen, moves=moves) else ""),
    )


_DOUBLED: Final = "This earlier attempt reached Twilio after all: the recipient may get the text twice."


def _doubles(attempt: Attempt, *, risen: bool, moves: bool) -> bool:
    """Whether this news says that a text which was sent again had been sent, or had arrived, all the same."""
    return not is_latest(attempt) and (risen or (moves and attempt.status == S.DELIVERED))


def _moved(attempt: Attempt, status: str, news: News) -> dict[str, Any]:
    final = status in FINAL
    return {
        "status": status,
        "open": not final and is_latest(attempt),
        "ended_at": clock.now() if final else None,
        "error_code": news.error_code,
        "error_message": news.error_message,
    }


def _mirror(attempt: Attempt, news: News, moves: bool) -> None:
    """The message says what its latest attempt says."""
    message = attempt.message
    fields: dict[str, Any] = {}
    asked_for = _is_asked_for(attempt)
    if asked_for and attempt.status in _NOT_THERE:
        # An operator has asked for another attempt since, and this one did not arrive: that one goes ahead.
        moves = False
    if moves:
        fields = {
            "status": attempt.status,
            "sid": attempt.sid,
            "error_code": attempt.error_code,
            "error_message": attempt.error_message,
            "send_tries": 0,
            "sent_at": message.sent_at or attempt.started_at,
        }
    if moves and message.due_at is not None:
        # Another attempt was about to start, and this one turns out to have been sent: nobody may begin it,
        # nor a worker that has taken the message already.
        fields |= {"due_at": None, "lease_until": None, "generation": message.generation + 1}
    if news.segments:
        fields |= {"segments": news.segments} if news.segments != message.segments else {}
    if news.from_number and not message.from_number:
        fields["from_number"] = news.from_number
    if fields:
        write(message, **fields)
    if moves and asked_for:
        note(message, attempt.status, DeliveryEvent.Origin.POSTCALL, detail=_WITHDRAWN)


def _add_up(message: Message) -> None:
    """The message's price is what all its attempts cost, in the currency of the latest one that has a price."""
    priced = Attempt.objects.filter(message=message, price__isnull=False).order_by("-number")
    prices = list(priced.values_list("price", "price_unit"))
    unit = prices[0][1] if prices else ""
    paid = [price for price, each in prices if each == unit]
    write(message, price=sum(paid) if paid else None, price_unit=unit)


def _is_asked_for(attempt: Attempt) -> bool:
    """Whether an operator has asked for another attempt since this one, which has not begun yet."""
    message = attempt.message
    if message.due_at is None or message.next_by != DeliveryEvent.Origin.OPERATOR:
        return False
    # An attempt that follows by itself is the operator's too where they had approved the text.
    by_hand = DeliveryEvent.objects.filter(message=message, origin=DeliveryEvent.Origin.OPERATOR)
    return by_hand.filter(at__gt=attempt.started_at).exists()


_WITHDRAWN: Final = "Sending it again was withdrawn: the attempt before reached Twilio after all."


def has_nothing_new(attempt: Attempt, news: News) -> bool:
    """Whether this status is one that the attempt has passed already, as most callbacks' are: such a one only
    needs keeping."""
    told = OURS.get(news.provider_status)
    if attempt.status in _UNHEARD:
        return False
    return told is None or RANK[told] <= RANK[attempt.status]


def leave_to_operator(message: Message, detail: str) -> None:
    """Nothing more is done about a text by itself: its follow-up waits for somebody to send it again or to leave
    it (`operator.resend`, `operator.cancel`)."""
    FollowUp.objects.filter(pk=message.follow_up_id).update(
        outcome=FollowUp.Outcome.HELD, reason=Reason.SET_ASIDE, detail=detail, updated_at=clock.now()
    )


def _it_did_go_out(message: Message) -> None:
    """Takes back what was said while nothing seemed to have been sent, such as `expired`."""
    FollowUp.objects.filter(pk=message.follow_up_id).exclude(outcome=FollowUp.Outcome.MESSAGE, reason="").update(
        outcome=FollowUp.Outcome.MESSAGE, reason="", detail="", updated_at=clock.now()
    )


def next_poll(attempt: Attempt, polls_done: int) -> datetime | None:
    """When Twilio is asked next how the attempt does; None: no more."""
    polls = POLLS if status_callback(attempt.account, attempt.token) else POLLS_ALONE
    if polls_done >= len(polls):
        return None
    return max(attempt.started_at + polls[polls_done], clock.now() + paced_delta(seconds=1))


def unconfirm(attempt: Attempt, detail: str, *, error_code: int | None = None) -> None:
    """A locked attempt may or may not have been sent: Twilio's list is to say so.

    Where an identical text to the same number is being found out about already, the list could not tell the
    two apart: this one is left to the operator. Raises IntegrityError when such a text begins this instant.
    """
    rival = (
        Attempt.objects.filter(
            account_sid=attempt.account_sid,
            to=attempt.to,
            body_digest=attempt.body_digest,
            status__in=(S.SENDING, S.UNCONFIRMED),
            open=True,
        )
        .exclude(pk=attempt.pk)
        .exists()
    )
    opens = not rival and is_latest(attempt)
    priced = attempt.price is not None
    write(
        attempt,
        status=S.UNCONFIRMED,
        sid="",
        price=None,
        price_unit="",
        provisional=False,
        open=opens,
        ended_at=None,
        checks_done=0,
        first_listed_at=None,
        candidates=[],
        lease_until=None,
        starts=0,
        due_at=clock.now() + timedelta(seconds=config().reconcile_after[0]) if opens else None,
    )
    if priced:
        _add_up(attempt.message)
    note(
        attempt,
        S.UNCONFIRMED,
        DeliveryEvent.Origin.POSTCALL,
        error_code=error_code,
        detail=detail,
    )
    if not is_latest(attempt):
        return
    fields: dict[str, Any] = {"sid": "", "sent_at": attempt.message.sent_at or attempt.started_at}
    if attempt.message.due_at is None:
        fields |= {"status": Message.Status.UNCONFIRMED, "error_code": None, "error_message": ""}
    write(attempt.message, **fields)
    if rival and nothing_else_is_planned(attempt):
        leave_to_operator(attempt.message, _TWIN)


_TWIN: Final = (
    "It is not known whether this text was sent, and an identical one to the same number is being asked about: "
    "Twilio's list cannot tell the two apart. Look in Twilio's console before sending it again."
)


def with_proof(account: Account, sid: str, work: Callable[[], _Result]) -> _Result:
    """Runs `work`, a transaction that gives a proven SID to its attempt.

    An attempt that holds the SID provisionally is evicted first. Raises Contradiction when the other one was
    told the SID too.
    """
    for _ in range(_TRIES - 1):
        try:
            return work()
        except IntegrityError:
            # The SID is another attempt's. Between any two of these steps yet another one may find it in a list.
            _make_way(account, sid)
    return work()


def _make_way(account: Account, sid: str) -> None:
    for _ in range(_TRIES - 1):
        try:
            evict(account, sid)
        except IntegrityError:
            # An identical text began this instant, which the evicted attempt must not be found out about beside.
            continue
        return
    evict(account, sid)


@transaction.atomic
def evict(account: Account, sid: str) -> None:
    """Takes a SID from the attempt that holds it provisionally, on the word of `account`.

    Raises Contradiction when it holds it for good: it was told the SID itself, or it is somebody's who has not the
    same auth token, and what was verified by a token proves nothing about an account of another one. Raises
    IntegrityError as `unconfirm` does.
    """
    owner = Attempt.objects.filter(account_sid=account.account_sid, sid=sid).first()
    if owner is None:
        return
    attempt = lock(owner.pk)
    if attempt.sid != sid:
        return
    if not attempt.provisional or not is_proven_alike(account, attempt.account):
        raise Contradiction(sid)
    unconfirm(attempt, "The message found in Twilio's list turned out to be another one's.")


def heed_error(attempt: Attempt, code: int | None) -> None:
    """What an error of Twilio's means beyond this message: an opt-out, or a sender that cannot send.

    Takes the recipient's lock, so never call it while holding a row's.
    """
    if code is None:
        return
    if explain(code).kind == "opt_out":
        opt_out(attempt.workspace_id, attempt.to, OptOut.Origin.TWILIO, quote=f"Twilio refused the text ({code}).")
    else:
        count(attempt, code)
