"""A text to a member's own phone: handed to Twilio once at most, followed to its end, and told as it is.

It goes by the rules of its workspace (opt-outs, countries, kinds of numbers, pauses) and counts nowhere. It never
waits: what cannot go now is refused with its reason, and what was refused or got no answer is not sent again by
itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import IntegrityError, connection, transaction

from postcall.actions.message import MAX_LENGTH
from postcall.actions.models import Action
from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.config import config
from postcall.followups import policy
from postcall.followups.compose import length_of
from postcall.followups.handing import Sender, SendingFacts
from postcall.followups.models import OptOut
from postcall.followups.optouts import lock_recipient, opt_out
from postcall.messages import segments, twilio_client
from postcall.messages.accounts import account_of, account_with
from postcall.messages.addresses import status_callback
from postcall.messages.claim import LEASE, digest, facts_about, own_sender, sender_of
from postcall.messages.errors import explain
from postcall.messages.models import Account, Attempt, DeliveryEvent, OwnPhone, OwnText, SendingAccount
from postcall.messages.pausing import pause_of
from postcall.messages.send import Fence
from postcall.messages.status import FINAL, OURS, RANK, Contradiction, News, evict
from postcall.messages.track import earliest, plain, sent_since
from postcall.messages.twilio_client import (
    Accepted,
    Ambiguous,
    Listing,
    NotReached,
    Outcome,
    Refused,
    Unread,
    ahead_s,
)
from postcall.messages.underway import UNDECIDED, own_text_is_undecided, real_text_is_undecided
from postcall.pace import paced_delta
from postcall.work import clock
from postcall.work.leases import LostLease, lock_held, settle
from postcall.work.rows import find, write
from postcall.work.wake import wake
from postcall.workspaces.models import User, Workspace

log = structlog.get_logger("postcall.messages")

LANE: Final = "own_texts"
# A text that has not begun by then is not sent any more: nobody sits before it.
VALID: Final = timedelta(minutes=5)
# Somebody watches, so Twilio is asked soon and often at first, also where it calls us back.
POLLS: Final = tuple(paced_delta(seconds=s) for s in (2, 5, 10, 20, 60, 600, 3600, 21_600, 86_400))
# How long after the last reading of Twilio's list should have been it may still fail, before it is given up.
PATIENCE: Final = paced_delta(minutes=5)
# How long its words are kept.
KEPT: Final = timedelta(days=1)

S = OwnText.Status
_OVER: Final = frozenset({S.REFUSED, S.ABSENT, *FINAL})


class NotPossible(Exception):
    """The text cannot be sent now; the message is for the member: what stands in the way and, where there is one,
    the mend."""


@dataclass(frozen=True)
class Words:
    """What is to be sent, to whom, and by what. `call` is the one whose values stand in it."""

    kind: str
    to: str
    body: str
    agent: Agent | None = None
    action: Action | None = None
    call: Call | None = None


@dataclass(frozen=True)
class Limit:
    """So many texts of a kind within a time."""

    most: int
    within: timedelta
    words: str


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# Per kind: by a person, to a number whoever asks, and by a workspace.
_BY_PERSON: Final = {
    "code": (Limit(5, HOUR, "an hour"), Limit(10, DAY, "a day")),
    "test": (Limit(20, HOUR, "an hour"), Limit(60, DAY, "a day")),
}
_TO_NUMBER: Final = {
    "code": (Limit(3, HOUR, "an hour"), Limit(6, DAY, "a day")),
    "test": (Limit(20, HOUR, "an hour"), Limit(60, DAY, "a day")),
}
_BY_WORKSPACE: Final = {
    "code": (Limit(10, HOUR, "an hour"), Limit(30, DAY, "a day")),
    "test": (Limit(40, HOUR, "an hour"), Limit(120, DAY, "a day")),
}


# Asking for one.


@transaction.atomic
def order(person: User, workspace_id: UUID, words: Words, once: UUID) -> tuple[OwnText, bool]:
    """Has the workers send the text; returns it and whether it is new: of one `once` there is one text, however
    often it is asked for. Raises NotPossible."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('postcall own texts'))")
    if known := OwnText.objects.filter(person=person, once=once).first():
        return known, False
    body = words.body.strip()
    if not body:
        raise NotPossible("There are no words to send.")
    if length_of(body) > MAX_LENGTH:
        raise NotPossible(f"The text has {length_of(body):,} characters; Twilio takes {MAX_LENGTH:,} at most.")
    _mind_limits(person, workspace_id, words)
    account = account_of(workspace_id)
    if why := _hindrance(workspace_id, account, words.to, words.agent):
        raise NotPossible(why)
    counted, now = segments.count(body), clock.now()
    text = OwnText.objects.create(
        workspace_id=workspace_id,
        person=person,
        kind=words.kind,
        once=once,
        action=words.action,
        agent=words.agent,
        call=words.call,
        to=words.to,
        body=body,
        body_digest=digest(body),
        encoding=counted.encoding,
        segments=counted.count,
        created_at=now,
        due_at=now,
    )
    wake(LANE)
    return text, True


def _mind_limits(person: User, workspace_id: UUID, words: Words) -> None:
    """Against whoever would have strangers texted, or an account emptied."""
    rows = OwnText.objects.filter(kind=words.kind)
    now = clock.now()
    noun = "codes" if words.kind == OwnText.Kind.CODE else "test texts"
    for limits, whose, by in (
        (_BY_PERSON, rows.filter(person=person), "you may ask for"),
        (_TO_NUMBER, rows.filter(to=words.to), "this number may get"),
        (_BY_WORKSPACE, rows.filter(workspace_id=workspace_id), "this workspace may send"),
    ):
        for limit in limits[words.kind]:
            if whose.filter(created_at__gt=now - limit.within).count() >= limit.most:
                raise NotPossible(f"That is enough for now: {by} {limit.most} {noun} {limit.words}. Try later.")


def _hindrance(workspace_id: UUID, account: Account | None, to: str, agent: Agent | None) -> str | None:
    """Why a text to `to` may not go now, in words; None: it may. The caps are for customers and do not count."""
    if _is_just_restored():
        return "This database was restored from a backup, and sending has not been resumed yet."
    if account is None:
        return "This workspace has no Twilio account: choose one under Settings, Twilio."
    facts, now = facts_about(workspace_id, to)
    decision = policy.check(
        Workspace.objects.get(pk=workspace_id),
        SendingFacts(facts.opted_out, 0, 0),
        to=to,
        urgency="now",
        now=now,
        fallback_timezone="UTC",
    )
    if isinstance(decision, policy.Refused):
        return decision.detail
    if pause := pause_of(workspace_id, sender_for(account, agent)):
        return pause.detail
    if real_text_is_undecided(account, to):
        return (
            "A real text to this number is on its way, and a test must not be taken for it: try again in a minute, "
            "or once its call says what became of it."
        )
    if own_text_is_undecided(account, to):
        return "Another text to this phone is on its way: wait until it is known what became of it."
    return None


def _is_just_restored() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM restoration WHERE resumed_at IS NULL)")
        return bool(cursor.fetchone()[0])


def sender_for(account: Account, agent: Agent | None) -> Sender:
    """The agent's own sender where it has one that is known before a call, else the account's."""
    own = own_sender(agent.messaging_service_sid, agent.from_number, "") if agent else None
    return own or sender_of(account)


# Sending.


def work(text: OwnText) -> None:
    """Does what is due about a text that this worker has taken. Raises LostLease."""
    if text.status == S.QUEUED:
        _send(text)
    elif text.status == S.SENDING:
        _unclear(text, "Whoever was sending it stopped before they could say what came of it.")
    elif text.status == S.UNCONFIRMED and not text.sid:
        _find_out(text)
    else:
        _poll(text)


def _send(text: OwnText) -> None:
    fence = Fence()
    account = _claim(text)
    if account is None:
        return
    outcome = twilio_client.create(
        account,
        to=text.to,
        sender=Sender(text.from_number, text.messaging_service_sid),
        body=text.body,
        status_callback=status_callback(account, text.token),
        valid_for_s=VALID.total_seconds(),
        may_begin=fence.is_open,
    )
    _record(text, account, outcome)


@transaction.atomic
def _claim(text: OwnText) -> Account | None:
    """Looks at everything again and begins; None: it may not go, and says why. From here on it is never sent again.

    The lock of its recipient is taken in every workspace that sends by the account: so a real text that begins
    beside it has either been seen here, or sees this one.
    """
    account = account_of(text.workspace_id)
    for workspace_id in _sharing(text.workspace_id, account):
        lock_recipient(workspace_id, text.to)
    lock_held(text)
    now = clock.now()
    if account_of(text.workspace_id) != account:
        settle(text, due_at=now)
        return None
    if text.created_at + VALID <= now:
        why: str | None = "It could not be sent in time. Send another."
    else:
        why = _hindrance(text.workspace_id, account, text.to, text.agent) or _not_theirs(text, account)
    if why or account is None:
        _end(text, S.REFUSED, error_message=why or "")
        return None
    sender = sender_for(account, text.agent)
    write(
        text,
        status=S.SENDING,
        account_id=account.pk,
        account_sid=account.account_sid,
        from_number=sender.from_number,
        messaging_service_sid=sender.messaging_service_sid,
        started_at=now,
        twilio_ahead_s=ahead_s(account),
        due_at=now + LEASE,
        lease_until=now + LEASE,
        starts=1,
    )
    return account


def _sharing(workspace_id: UUID, account: Account | None) -> list[UUID]:
    sending = SendingAccount.objects.filter(account__account_sid=account.account_sid) if account else ()
    return sorted({workspace_id, *(row.workspace_id for row in sending)})


def _not_theirs(text: OwnText, account: Account | None) -> str | None:
    """A test goes to a number that its member has verified, by a real phone where it goes to one."""
    if text.kind == OwnText.Kind.CODE or account is None:
        return None
    phone = OwnPhone.objects.filter(person=text.person_id, number=text.to).first()
    if phone is None:
        return "The phone was removed, or replaced by another, before the test went out."
    if phone.by_sandbox and account.kind != Account.Kind.SANDBOX:
        return "This number was only verified in the sandbox, where no phone rings: verify it by a real text first."
    return None


def _end(text: OwnText, status: str, **fields: Any) -> None:
    settle(text, status=status, ended_at=clock.now(), **_forgotten(text), **fields)


def _forgotten(text: OwnText) -> dict[str, Any]:
    """A code stands nowhere once it is clear what became of its text."""
    return {"body": "", "body_digest": ""} if text.kind == OwnText.Kind.CODE else {}


def _record(text: OwnText, account: Account, outcome: Outcome) -> None:
    try:
        match outcome:
            case Accepted():
                told(text, News.of(outcome.message, DeliveryEvent.Origin.POSTCALL))
            case Refused():
                _heed(text, outcome.code)
                _refused(text, outcome)
            case NotReached():
                _unless_told(
                    text, S.REFUSED, error_message=f"Twilio was not reached ({outcome.why}). Send another."
                )
            case Ambiguous():
                _unclear(text, outcome.why)
    except LostLease:
        log.warning("an answer came after the lease", own_text=str(text.pk), outcome=type(outcome).__name__)
    log.info("text to a member's own phone", kind=text.kind, sandbox=account.kind == Account.Kind.SANDBOX)


def _refused(text: OwnText, outcome: Refused) -> None:
    """Twilio's own words stand where we have none; `explain` says the rest by the code."""
    _unless_told(text, S.REFUSED, error_code=outcome.code, error_message=outcome.message)


@transaction.atomic
def _unless_told(text: OwnText, status: str, **fields: object) -> None:
    """Ends the text, unless a callback was faster than the answer and proved that Twilio has it."""
    locked = _locked(text.pk, text.generation)
    if not locked.sid:
        _end(locked, status, **fields)


@transaction.atomic
def _unclear(text: OwnText, why: str) -> None:
    """It may have been sent or not: Twilio's list is to say so, and nothing is sent again whatever it says."""
    locked = _locked(text.pk, text.generation)
    if locked.sid:
        settle(locked, due_at=_next_poll(locked))
        return
    due_at = clock.now() + timedelta(seconds=config().reconcile_after[0])
    settle(locked, due_at=due_at, status=S.UNCONFIRMED, error_message=why)


def _locked(pk: UUID, generation: int | None = None) -> OwnText:
    text = find(OwnText, "id = %s FOR NO KEY UPDATE", [pk])
    if text is None or (generation is not None and text.generation != generation):
        raise LostLease(f"own text {pk}")
    return text


# Hearing of it.


def told(text: OwnText, news: News) -> bool:
    """Takes in what Twilio says about the text by itself: its answer, or a callback at the text's own address. That
    is proof of which message it is; False: it is about another one. Raises LostLease where the text is gone."""
    account = account_with(text.account_id) if text.account_id else None
    if account is None:
        return False
    try:
        evict(account, news.sid)
        with transaction.atomic():
            locked = _locked(text.pk)
            if locked.sid and locked.sid != news.sid and not locked.provisional:
                return False
            _hear(locked, news, provisional=False)
    except (Contradiction, IntegrityError):
        log.exception("Twilio gave a text to a member's own phone another one's SID", own_text=str(text.pk))
        return False
    _heed(text, news.error_code if news.provider_status in ("failed", "undelivered") else None)
    return True


def _hear(text: OwnText, news: News, *, provisional: bool, **also: Any) -> None:
    """Writes what was heard about a locked text; its status only moves forward."""
    status = OURS.get(news.provider_status, S.ACCEPTED)
    unheard = text.status not in RANK or text.sid != news.sid
    fields: dict[str, Any] = {"sid": news.sid, "provisional": provisional, **also}
    if unheard or RANK[status] > RANK[text.status]:
        over = status in FINAL
        fields |= {"status": status, "error_code": news.error_code, "error_message": news.error_message}
        fields |= {"ended_at": clock.now() if over else None}
    if unheard:
        # Whoever was sending it, or finding out about it, is told by the generation that it is over.
        fields |= {"generation": text.generation + 1, "lease_until": None, "starts": 0, "polls_done": 0}
        fields |= {"due_at": clock.now() + POLLS[0], **_forgotten(text)}
    if news.price is not None:
        fields |= {"price": news.price, "price_unit": news.price_unit}
    if news.segments:
        fields["segments"] = news.segments
    if news.from_number and not text.from_number:
        fields["from_number"] = news.from_number
    write(text, **fields)


def _heed(text: OwnText, code: int | None) -> None:
    """The number's owner has said STOP to the sender: that counts as ever. Takes the recipient's lock."""
    if code is not None and explain(code).kind == "opt_out":
        opt_out(text.workspace_id, text.to, OptOut.Origin.TWILIO, quote=f"Twilio refused the text ({code}).")


def _next_poll(text: OwnText) -> datetime | None:
    if text.polls_done >= len(POLLS) or text.started_at is None:
        return None
    return max(text.started_at + POLLS[text.polls_done], clock.now() + paced_delta(seconds=1))


def _poll(text: OwnText) -> None:
    if not text.sid or text.account_id is None:
        settle(text)
        return
    found = twilio_client.fetch(account_with(text.account_id), text.sid)
    polls_done = text.polls_done + 1
    if isinstance(found, Unread):
        text.polls_done = polls_done
        settle(text, polls_done=polls_done, due_at=None if found.gone or found.denied else _next_poll(text))
        return
    _heed(text, found.error_code if found.status in ("failed", "undelivered") else None)
    with transaction.atomic():
        locked = _locked(text.pk, text.generation)
        if locked.sid == found.sid:
            news = News.of(found, DeliveryEvent.Origin.POLL)
            _hear(locked, news, provisional=locked.provisional, polls_done=polls_done)
        complete = locked.status in (S.FAILED, S.CANCELED) or (locked.status in FINAL and locked.price is not None)
        settle(locked, due_at=None if complete else _next_poll(locked))


# Finding out.


def _find_out(text: OwnText) -> None:
    """Reads Twilio's list of messages to the phone. Nothing is sent again, whatever it shows."""
    assert text.account_id is not None
    account = account_with(text.account_id)
    listing = twilio_client.list_to(account, text.to)
    with transaction.atomic():
        locked = _locked(text.pk, text.generation)
        if locked.sid:
            settle(locked, due_at=_next_poll(locked))
        elif isinstance(listing, Unread):
            _ask_again(locked, listing)
        else:
            _conclude(locked, account, listing)


def _ask_again(text: OwnText, unread: Unread) -> None:
    assert text.started_at is not None
    patience = timedelta(seconds=config().reconcile_after[-1]) + PATIENCE
    if unread.denied or clock.now() > text.started_at + patience:
        settle(text, error_message=f"Twilio's list could not be read ({unread.why}).")
        return
    settle(text, due_at=clock.now() + paced_delta(seconds=30))


def _conclude(text: OwnText, account: Account, listing: Listing) -> None:
    recent = sent_since(earliest(text, listing), listing)
    sids = [message.sid for message in recent]
    owned = set(
        Attempt.objects.filter(account_sid=account.account_sid, sid__in=sids).values_list("sid", flat=True)
    ) | set(OwnText.objects.filter(account_sid=account.account_sid, sid__in=sids).values_list("sid", flat=True))
    unowned = [message for message in recent if message.sid not in owned]
    ours = [message for message in unowned if digest(plain(message.body).strip()) == text.body_digest]
    doubtful = _somebody_elses_perhaps(text, account)
    if ours and not doubtful:
        _hear(text, News.of(ours[0], DeliveryEvent.Origin.POLL), provisional=True)
        return
    checks, delays = text.checks_done + 1, config().reconcile_after
    if checks < len(delays):
        pause = timedelta(seconds=max(0.0, delays[checks] - delays[checks - 1]))
        settle(text, due_at=clock.now() + pause, checks_done=checks)
    elif unowned:
        settle(text, checks_done=checks, error_message="Twilio lists a text to this number that may be this one.")
    else:
        _end(text, S.ABSENT, checks_done=checks, error_message="Twilio's lists show no such text.")


def _somebody_elses_perhaps(text: OwnText, account: Account) -> bool:
    """Whether of a real text with these words, too, it is not known whether it was sent."""
    alike = Attempt.objects.filter(account_sid=account.account_sid, to=text.to, body_digest=text.body_digest)
    return alike.filter(status__in=(Attempt.Status.SENDING, Attempt.Status.UNCONFIRMED)).exists()


# Tidying up.


def set_aside(text: OwnText) -> None:
    """Stops a text that kills whoever takes it. Where it had begun it stays unknown."""
    if text.status == S.QUEUED:
        _end(text, S.REFUSED, error_message="Sending it was begun again and again and never ended.")
        return
    settle(text, status=S.UNCONFIRMED if text.status == S.SENDING else text.status)


def forget_words(now: datetime) -> int:
    """Takes the words out of texts that were sent long ago; returns of how many."""
    rows = OwnText.objects.filter(created_at__lt=now - KEPT).exclude(UNDECIDED).exclude(body_digest="")
    return rows.update(body="", body_digest="")


def is_over(text: OwnText) -> bool:
    """Whether no more is heard of it, or need be."""
    return text.status in _OVER or (text.status != S.QUEUED and text.due_at is None)
