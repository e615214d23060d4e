"""The claim: one transaction that decides whether a text may go out now, and opens its attempt if it may."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from postcall.actions.models import Attachment
from postcall.followups import policy
from postcall.followups.handing import Sender, SendingFacts
from postcall.followups.models import FollowUp, OptOut, Reason
from postcall.followups.optouts import lock_recipient, names_of
from postcall.ids import new_id
from postcall.messages.accounts import account_with
from postcall.messages.models import Account, Attempt, DeliveryEvent, Message, new_token
from postcall.messages.pausing import pause_of
from postcall.messages.status import note
from postcall.messages.twilio_client import ahead_s
from postcall.messages.underway import UNDECIDED_SQL, own_text_is_undecided
from postcall.messages.waiting import WAITING, bring_forward
from postcall.numbers import e164
from postcall.pace import paced
from postcall.work import clock
from postcall.work.leases import LostLease
from postcall.work.rows import find, insert_if_free, write
from postcall.workspaces.models import Workspace

# Seconds. A request may begin this long after the claim began, and is over HTTP_DEADLINE_S later; the lease
# outlives that by LEASE_MARGIN_S.
FENCE_S: Final = paced(10.0)
HTTP_DEADLINE_S: Final = paced(35.0)
LEASE_MARGIN_S: Final = paced(30.0)
LEASE: Final = timedelta(seconds=FENCE_S + HTTP_DEADLINE_S + LEASE_MARGIN_S)
# How long a text waits while an identical one to the same number, or one to a member's own phone with that number,
# is on its way or being found out about.
TWIN_WAIT_S: Final = paced(5.0)
# How soon a text that waits for somebody is looked at again; later as seldom as it has waited, up to the longest.
HOLD_S: Final = paced(60.0)
LONGEST_HOLD_S: Final = paced(900.0)

_OPTED_OUT: Final = {
    OptOut.Origin.STOP: "its owner texted STOP",
    OptOut.Origin.SAID: "its owner said so during a call",
    OptOut.Origin.OPERATOR: "an operator recorded it",
    OptOut.Origin.TWILIO: "Twilio refused a text because its owner had said stop",
    OptOut.Origin.ERASED: "its owner asked to be forgotten",
}


@transaction.atomic
def claim(message: Message) -> Attempt | None:
    """Opens an attempt for a message that this worker holds; None when nothing may go out now, with the message
    and its follow-up saying why and the message due again where it may go out later.

    Under the recipient's lock: an opt-out that was recorded before has been seen, one that comes after comes
    after this attempt. Raises LostLease.
    """
    lock_recipient(message.workspace_id, message.to)
    held = _held(message)
    now = _look(held)
    if now.workspace.max_messages_per_day is not None:
        _lock_budget(held.workspace_id)
        now = _look(held, counted=True)
    if now.restored and _comes_first(held, now.account_id):
        return None
    if _let_go(held, now):
        return None
    assert now.account_id is not None
    account = account_with(now.account_id)
    waits = now.own_text and own_text_is_undecided(account, held.to)
    attempt = None if waits else _open(held, account, now)
    if attempt is None:
        put_off(held, now.time + timedelta(seconds=TWIN_WAIT_S * random.uniform(0.8, 1.2)))  # noqa: S311  # jitter
        return None
    return attempt


def _comes_first(message: Message, account_id: UUID | None) -> bool:
    from postcall.messages import restored  # it stands on this module, and hardly any database was ever restored

    return restored.comes_first(message, account_id)


def _held(message: Message) -> Message:
    """The message as it is now, locked, if this worker still holds it and it still waits."""
    held = find(
        Message,
        "id = %s AND generation = %s AND due_at IS NOT NULL AND status = ANY(%s) FOR NO KEY UPDATE",
        [message.pk, message.generation, list(WAITING)],
    )
    if held is None:
        raise LostLease(f"message {message.pk}")
    return held


@dataclass(frozen=True)
class _Now:
    """What decides, by the database's time. `held`: the follow-up waits for somebody. `last` is when its action's
    `send_within_s` ends; None: nobody decided about it. `switch` is the mode in which the action is attached to the
    agent by now, perhaps anew; `off` where it is not, or either is gone. `workspace` has its sending rules and
    nothing else. `account_id` None: there is none. `some_paused`: some sender of the account is. `service_sid`,
    `from_number` and `called` are of `own_sender`. `own_text`: some text to a member's own phone, this number, is
    undecided."""

    time: datetime
    workspace: Workspace
    facts: SendingFacts
    held: bool
    last: datetime | None
    switch: str
    urgency: str
    timezone: str
    account_id: UUID | None
    some_paused: bool
    service_sid: str
    from_number: str
    called: str
    restored: bool
    own_text: bool

    @property
    def sender(self) -> Sender:
        """Who the text comes from by now."""
        assert self.account_id is not None
        return own_sender(self.service_sid, self.from_number, self.called) or sender_of(
            account_with(self.account_id)
        )


_RULES: Final = (
    "id",
    "window_start",
    "window_end",
    "valid_for_s",
    "max_per_number_per_day",
    "max_messages_per_day",
    "countries",
)


def _look(message: Message, *, counted: bool = False) -> _Now:
    """Everything that decides about a locked message, in one statement written out: it runs for every text.

    The workspace's texts are only counted where `counted`: what others claim meanwhile would make it untrue.
    """
    rules = ", ".join(f"w.{name}" for name in _RULES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {_FACTS}, {rules}, f.outcome = 'held', f.decided_at + make_interval(secs => r.send_within_s),
                   CASE WHEN agent.deleted_at IS NULL AND action.deleted_at IS NULL
                        THEN coalesce(living.mode, 'off') ELSE 'off' END,
                   r.urgency, agent.timezone, s.account_id,
                   EXISTS (SELECT FROM refused_sender p
                           WHERE p.workspace_id = w.id AND p.account_id = s.account_id AND p.paused_at IS NOT NULL),
                   agent.messaging_service_sid, agent.from_number,
                   CASE WHEN agent.follow_agent_number THEN c.agent_number ELSE '' END,
                   EXISTS (SELECT FROM restoration),
                   EXISTS (SELECT FROM own_text o WHERE o."to" = %(number)s AND {UNDECIDED_SQL})
            FROM follow_up f
            JOIN call c ON c.id = f.call_id
            JOIN workspace w ON w.id = f.workspace_id
            JOIN attachment a ON a.id = f.attachment_id
            JOIN agent ON agent.id = a.agent_id
            JOIN action ON action.id = f.action_id
            LEFT JOIN attachment living ON living.agent_id = a.agent_id AND living.action_id = a.action_id
                 AND living.deleted_at IS NULL
            JOIN action_revision r ON r.id = f.revision_id
            LEFT JOIN sending_account s ON s.workspace_id = w.id
            WHERE f.id = %(follow_up)s
            """,  # noqa: S608  # our own columns
            {
                "follow_up": message.follow_up_id,
                "number": message.to,
                "names": names_of(message.workspace_id, message.to),
                "besides": message.pk,
                "counted": counted,
            },
        )
        row = cursor.fetchone()
    told, rest = row[:5], row[5 + len(_RULES) :]
    workspace = Workspace(**dict(zip(_RULES, row[5:], strict=False)))
    return _Now(told[0], workspace, _facts(*told[1:]), *rest)


def _lock_budget(workspace_id: UUID) -> None:
    """With a daily budget, the workspace's claims go one after another: two that both see the last one free
    would both take it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [str(workspace_id)])


# The database's time, how the number opted out, and what left or may have left within a day. The workspace's
# texts are counted only as far as its budget goes, and not at all without one or where nobody asks.
_FACTS: Final = """
    clock_timestamp(),
    (SELECT origin FROM opt_out
     WHERE workspace_id = w.id AND number = ANY(%(names)s::text[]) AND ended_at IS NULL LIMIT 1),
    (SELECT quote FROM opt_out
     WHERE workspace_id = w.id AND number = ANY(%(names)s::text[]) AND ended_at IS NULL LIMIT 1),
    (SELECT count(*) FROM message
     WHERE workspace_id = w.id AND "to" = %(number)s AND id <> %(besides)s
       AND sent_at > clock_timestamp() - interval '1 day'),
    (SELECT count(*) FROM (
        SELECT FROM message
        WHERE workspace_id = w.id AND id <> %(besides)s AND sent_at > clock_timestamp() - interval '1 day'
        LIMIT CASE WHEN %(counted)s THEN coalesce(w.max_messages_per_day, 0) ELSE 0 END) AS left_today)
"""


def facts_about(workspace_id: UUID, number: str, *, besides: UUID | None = None) -> tuple[SendingFacts, datetime]:
    """What sending rules are decided by, and the database's time; `besides` is a message that does not count."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_FACTS} FROM workspace w WHERE w.id = %(workspace)s",  # noqa: S608  # our own words
            {
                "workspace": workspace_id,
                "number": number,
                "names": names_of(workspace_id, number),
                "besides": besides or _NOBODY,
                "counted": True,
            },
        )
        now, *told = cursor.fetchone()
    return _facts(*told), now


def _facts(origin: str | None, quote: str | None, to_number: int, by_workspace: int) -> SendingFacts:
    return SendingFacts(_in_words(origin, quote or "") if origin else None, to_number, by_workspace)


_NOBODY: Final = UUID(int=0)


def _in_words(origin: str, quote: str) -> str:
    words = _OPTED_OUT.get(OptOut.Origin(origin), origin)
    return f"{words}: “{quote}”" if quote and origin != OptOut.Origin.TWILIO else words


def _let_go(message: Message, now: _Now) -> bool:
    """Whether the text must not go out now; then the message and its follow-up say so."""
    if message.valid_until <= now.time:
        drop(message, Reason.EXPIRED, "Its time to be sent was over.")
        return True
    # What an operator asks for by hand goes out whatever the switch says.
    if message.next_by == DeliveryEvent.Origin.POSTCALL and now.switch in _OFF:
        drop(message, *_OFF[now.switch])
        return True
    decision = policy.check(
        now.workspace,
        now.facts,
        to=message.to,
        urgency=now.urgency,
        now=now.time,
        fallback_timezone=now.timezone,
    )
    if isinstance(decision, policy.Refused):
        # A budget frees itself, and a limit may be raised; what else refuses a text does so for good.
        (hold if decision.reason == Reason.BUDGET_EXCEEDED else drop)(message, decision.reason, decision.detail)
        return True
    if now.account_id is None:
        hold(message, Reason.MESSAGING_NOT_CONFIGURED, "No Twilio account is set up.")
        return True
    if now.some_paused and (pause := pause_of(message.workspace_id, now.sender)):
        _keep_sender(message, now.sender)
        hold(message, Reason.SENDER_PAUSED, pause.detail)
        return True
    if now.held:
        _release(message, now)
    if isinstance(decision, policy.Wait):
        _wait(message, decision.until, now)
        return True
    return False


_OFF: Final[dict[str, tuple[str, str]]] = {
    Attachment.Mode.OFF: (
        Reason.ATTACHMENT_OFF,
        "The action was switched off for this agent, or taken off it, before the text went out.",
    ),
    # A message is no draft that could be approved, so it is stopped; an operator who wants it sends it again.
    Attachment.Mode.APPROVE: (
        Reason.AWAITING_APPROVAL,
        "The attachment was set to ask for approval before the text went out, and nobody had approved it. "
        "Send it again to approve it.",
    ),
    Attachment.Mode.SHADOW: (Reason.SHADOW, "The attachment was set to shadow before the text went out."),
}


def drop(message: Message, reason: str, detail: str, origin: str = DeliveryEvent.Origin.POSTCALL) -> None:
    """A locked message will not be sent; its follow-up says why."""
    FollowUp.objects.filter(pk=message.follow_up_id).update(
        outcome=FollowUp.Outcome.SKIPPED, reason=reason, detail=detail, updated_at=clock.now()
    )
    _stop(message, Message.Status.CANCELED, None, f"{reason}: {detail}", origin)


def hold(message: Message, reason: str, detail: str) -> None:
    """A locked message waits for somebody to mend what stops it, or until its time is over.

    It is looked at again besides, soon and then ever more seldom: what stopped it may have been mended while this
    was being written, and whoever mended it did not see this message held.
    """
    now = clock.now()
    held = FollowUp.objects.filter(pk=message.follow_up_id).exclude(outcome=FollowUp.Outcome.HELD, reason=reason)
    news = held.update(outcome=FollowUp.Outcome.HELD, reason=reason, detail=detail, updated_at=now)
    since = now if news else FollowUp.objects.values_list("updated_at", flat=True).get(pk=message.follow_up_id)
    put_off(message, _next_look(message.valid_until, now, since), status=Message.Status.QUEUED)
    if news:
        note(message, Message.Status.QUEUED, DeliveryEvent.Origin.POSTCALL, detail=f"{reason}: {detail}")


def _next_look(valid_until: datetime, now: datetime, since: datetime) -> datetime:
    """When a text that is held since `since` is looked at again; for the last time shortly before it expires."""
    first = timedelta(seconds=HOLD_S)
    wait = min(max(now - since, first), timedelta(seconds=LONGEST_HOLD_S))
    last = valid_until - first
    return min(now + wait, last if last > now else valid_until)


def _keep_sender(message: Message, sender: Sender) -> None:
    """Says of a text that cannot leave who it would come from."""
    if sender != Sender(message.from_number, message.messaging_service_sid):
        write(message, from_number=sender.from_number, messaging_service_sid=sender.messaging_service_sid)


def _release(message: Message, now: _Now) -> None:
    """Nobody has to mend anything for this message any more. Where it could not be sent since it was decided about,
    its time to be sent begins now."""
    valid_until = min(message.valid_until, now.time + timedelta(seconds=now.workspace.valid_for_s))
    if valid_until != message.valid_until:
        write(message, valid_until=valid_until)
    FollowUp.objects.filter(pk=message.follow_up_id).update(
        outcome=FollowUp.Outcome.MESSAGE, reason="", detail="", updated_at=clock.now()
    )


def _wait(message: Message, until: datetime, now: _Now) -> None:
    """Where the window closed before the text could go, it is due at the next opening and valid from there, as if
    it had come at this hour; all its waiting stays within what its action allows."""
    last = max(message.valid_until, now.last or message.valid_until)
    if until >= last:
        drop(message, Reason.EXPIRED, "Its time to be sent ends before texts may be sent again.")
        return
    _stop(message, Message.Status.SCHEDULED, until, "Texts may not be sent at this hour; it waits.")
    write(message, valid_until=min(until + timedelta(seconds=now.workspace.valid_for_s), last))


def look_again(workspace_id: UUID) -> None:
    """Has the workspace's texts that wait for a rule looked at under the rules of now."""
    for_a_rule = Q(status=Message.Status.SCHEDULED) | Q(
        follow_up__outcome=FollowUp.Outcome.HELD, follow_up__reason=Reason.BUDGET_EXCEEDED
    )
    bring_forward(Message.objects.filter(for_a_rule, workspace_id=workspace_id))


def _stop(
    message: Message,
    status: str,
    due_at: datetime | None,
    detail: str,
    origin: str = DeliveryEvent.Origin.POSTCALL,
) -> None:
    put_off(message, due_at, status=status)
    note(message, status, origin, detail=detail)


def put_off(message: Message, due_at: datetime | None, **fields: object) -> None:
    """Lets go of a locked message, due again at `due_at` (None: never). The generation moves on, so that a
    worker that has taken it meanwhile begins nothing."""
    write(message, due_at=due_at, lease_until=None, starts=0, generation=message.generation + 1, **fields)


def digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def next_attempt(message: Message, account: Account, **fields: Any) -> Attempt:
    """The message's next attempt, not stored yet."""
    return Attempt(
        id=new_id(),
        workspace_id=message.workspace_id,
        message=message,
        number=message.attempts_made + 1,
        token=new_token(),
        account=account,
        account_sid=account.account_sid,
        to=message.to,
        body_digest=digest(message.body),
        by=message.next_by,
        **fields,
    )


def _open(message: Message, account: Account, now: _Now) -> Attempt | None:
    """The attempt, `sending`, leased to this worker; None while an identical text to the number is on its way."""
    attempt = next_attempt(
        message,
        account,
        started_at=now.time,
        twilio_ahead_s=ahead_s(account),
        due_at=now.time + LEASE,
        lease_until=now.time + LEASE,
        generation=1,
        starts=1,
    )
    if not insert_if_free(attempt):
        return None
    sender = now.sender
    write(
        message,
        status=Message.Status.SENDING,
        from_number=sender.from_number,
        messaging_service_sid=sender.messaging_service_sid,
        attempts_made=attempt.number,
        next_by=DeliveryEvent.Origin.POSTCALL,
        sid="",
        error_code=None,
        error_message="",
        sent_at=now.time,
        due_at=None,
        lease_until=None,
        starts=0,
        # What this worker remembers of the message is no hold on it any more: the attempt is.
        generation=message.generation + 1,
    )
    note(attempt, Message.Status.SENDING, DeliveryEvent.Origin.POSTCALL, at=now.time)
    return attempt


def own_sender(service_sid: str, from_number: str, called: str) -> Sender | None:
    """Who an agent's texts come from: its messaging service, its number, or the number `called` where it asks for
    that; None: the account's sender.

    It is found when a text is sent and not when it is decided about, so that what waits leaves by the sender that
    somebody has mended meanwhile.
    """
    if service_sid:
        return Sender(messaging_service_sid=service_sid)
    number = from_number or e164(called)
    return Sender(from_number=number) if number else None


def sender_of(account: Account) -> Sender:
    """A messaging service picks its numbers itself, so it goes before a number."""
    if account.messaging_service_sid:
        return Sender(messaging_service_sid=account.messaging_service_sid)
    return Sender(from_number=account.from_number)
