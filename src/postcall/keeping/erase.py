"""Forgetting a person: their words, texts and number, wherever they stand; what happened stays, without them.

What is on its way to Twilio at that moment is let end first, since only its recipient and body can tell whether it
was sent; the erasure is a due row that comes back for it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from postcall.actions.models import Attachment
from postcall.agents.models import Agent
from postcall.api.models import IdempotentRequest
from postcall.calls.models import Call, LaterEvent, RawPayload
from postcall.followups.models import FollowUp, OptOut, Reason
from postcall.followups.optouts import hashed, lock_recipient
from postcall.ids import new_id
from postcall.keeping.mentions import hash_external_ids, take_out_mentions
from postcall.keeping.models import Erasure, Redaction
from postcall.keeping.own_texts import forget_own_texts, forget_phones, of_person
from postcall.keeping.spellings import ERASED, Spellings
from postcall.logs import masked
from postcall.messages.claim import drop
from postcall.messages.models import (
    Account,
    Attempt,
    DeliveryEvent,
    Message,
    OwnText,
    SendingAccount,
    StrayCallback,
    new_token,
)
from postcall.pace import paced_delta
from postcall.testbench.forgetting import forget_person as forget_cases_of
from postcall.testbench.forgetting import forget_words_of
from postcall.webhooks.forgetting import forget_person
from postcall.work import clock
from postcall.work.leases import settle
from postcall.workspaces.audit import Actor, Thing, record
from postcall.workspaces.encryption import CannotDecrypt
from postcall.workspaces.models import Workspace

# After which waits an erasure looks again at what was on its way.
AGAIN_S: Final = (5, 15, 30, 60, 300, 1800)
# After which waits it looks again for mentions, which reads every table.
LOOK_AGAIN_S: Final = (300, 1800, 2 * 3600, 6 * 3600)
# A text that Twilio has taken and not passed on by then is not waited for any more, nor is one to somebody else
# that is still unsent so long after the wish.
PATIENCE_S: Final = 2 * 86_400
# How many of the rows that it waits for an erasure names.
NAMED: Final = 20

_WORDS: Final = "Its caller asked to be forgotten."
_TAKEN_OUT: Final = "A number was taken out of this text, because its owner asked to be forgotten."
_UNSETTLED: Final = (Attempt.Status.SENDING, Attempt.Status.UNCONFIRMED)
_GONE: Final = {
    "type": "about:blank",
    "title": "Gone",
    "status": 410,
    "detail": "this was done; its answer is gone, because the person whom it was about was erased",
}


class OwnNumber(Exception):
    """The number is one that this Postcall sends from or that calls come in on, not a person's."""


@dataclass(frozen=True)
class Found:
    """What is known of a number, by kind, before it is erased."""

    calls: int
    follow_ups: int
    messages: int
    opt_outs: int
    at_twilio: int
    on_their_way: int


def look_for(number: str, workspace: Workspace | None) -> Found:
    """What `begin` would take out of the rows that are the person's own."""
    person = _Person(number, None, _this_moment())
    scope = {} if workspace is None else {"workspace": workspace}
    messages = person.messages().filter(**scope)
    attempts = Attempt.objects.filter(message__in=messages)
    return Found(
        calls=person.calls().filter(**scope).count(),
        follow_ups=person.follow_ups().filter(**scope).count(),
        messages=messages.count(),
        opt_outs=OptOut.objects.filter(number=number, **scope).count(),
        at_twilio=attempts.exclude(sid="").count(),
        on_their_way=_unsettled(attempts, clock.now()).count(),
    )


@transaction.atomic
def begin(number: str, workspace: Workspace | None, by: Actor, *, lease_s: float = 3600) -> Erasure:
    """Records the wish to forget `number` (E.164), in one workspace or in all, and that `by` told of it, in the
    audit log of each; `work` does it.

    The caller has `lease_s` to do so; then a worker takes it. Raises OwnNumber.
    """
    if _is_ours(number, workspace):
        raise OwnNumber(f"{number} is a number that texts are sent from or calls come in on, not a person's")
    now = _this_moment()
    until = now + paced_delta(seconds=lease_s)
    erasure = Erasure.objects.create(
        workspace=workspace,
        number=number,
        requested_at=now,
        due_at=now,
        lease_until=until,
        generation=1,
        starts=1,
    )
    for place in {erasure.workspace_id, *_homes(erasure)}:
        record(place, by, "erase", Thing("person", erasure.pk))
    return erasure


def _is_ours(number: str, workspace: Workspace | None) -> bool:
    """Whether texts are or were sent from it, or an agent of this workspace (of any) was the call's other side."""
    sent_from = Q(from_number=number)
    calls = Call.objects.filter(agent_number__regex=Spellings(number).pattern)
    if workspace is not None:
        calls = calls.filter(workspace=workspace)
    senders = (Account.objects.all(), Agent.objects.filter(deleted_at=None), Message.objects.all())
    return any(rows.filter(sent_from).exists() for rows in senders) or calls.exists()


def _homes(erasure: Erasure) -> list[UUID]:
    """The workspaces in which the person is to be forgotten."""
    if erasure.workspace_id is not None:
        return [erasure.workspace_id]
    return list(Workspace.objects.order_by("pk").values_list("pk", flat=True))


def _this_moment() -> datetime:
    """Asked of the database itself: carried-on readings of its clock are never ahead of it, so that whatever came
    before has an earlier time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]  # type: ignore[no-any-return]  # timestamptz


def work(erasure: Erasure) -> int:
    """Erases what can be erased now and returns how many texts (theirs that are on their way, others' with their
    number in them) have to be over first: then it is due again.

    Each workspace is one transaction, and all may be done again. Raises LostLease.
    """
    counts: Counter[str] = Counter(erasure.counts)
    waiting: list[str] = []
    forget_phones(erasure.number, erasure.workspace_id)
    concerned, homes = _concerned(erasure), _homes(erasure)
    for workspace_id in homes:
        person = _Person(erasure.number, workspace_id, erasure.requested_at)
        if workspace_id in concerned:
            waiting += _erase_in(person, erasure, counts)
        else:
            _opt_out_in(person)
    counts["opted_out_in"] = len(homes)
    if waiting:
        _wait(erasure, counts, AGAIN_S, "passes", waiting)
        return len(waiting)
    left = _erase_mentions(erasure, counts)
    if left:
        _wait(erasure, counts, LOOK_AGAIN_S, "looks", left)
        return len(left)
    settle(erasure, number="", counts=dict(counts), waits_for=[], done_at=clock.now())
    return 0


def _wait(
    erasure: Erasure, counts: Counter[str], pauses: tuple[int, ...], times: str, waits_for: list[str]
) -> None:
    pause = paced_delta(seconds=pauses[min(counts[times], len(pauses) - 1)])
    counts[times] += 1
    now, end = clock.now(), erasure.requested_at + paced_delta(seconds=PATIENCE_S)
    due_at = min(now + pause, end) if now < end else now + pause
    settle(erasure, due_at=due_at, counts=dict(counts), waits_for=waits_for[:NAMED])


def _erase_mentions(erasure: Erasure, counts: Counter[str]) -> list[str]:
    """Takes the number out of everybody else's rows; returns those that have to wait, by name."""
    spellings, workspace_id, until = Spellings(erasure.number), erasure.workspace_id, erasure.requested_at
    patient = clock.now() < until + paced_delta(seconds=PATIENCE_S)
    if not patient:
        for home in _homes(erasure):
            _stop_others(spellings, home, until)
    found, left = take_out_mentions(spellings, workspace_id, until, patient=patient)
    counts["mentions"] += found
    return left


@transaction.atomic
def _stop_others(spellings: Spellings, workspace_id: UUID, until: datetime) -> None:
    """Texts to others, with the number in them, that still have not gone out: they never will with a gap."""
    here = {"workspace_id": workspace_id, "created_at__lte": until, "body__regex": spellings.pattern}
    for message in Message.objects.filter(due_at__isnull=False, **here).select_for_update(no_key=True):
        drop(message, Reason.REDACTED, _TAKEN_OUT)
        Message.objects.filter(pk=message.pk).update(body="")
    FollowUp.objects.filter(outcome=FollowUp.Outcome.HELD, message=None, **here).update(
        body="",
        reason=Reason.REDACTED,
        detail=f"{_TAKEN_OUT} Write another, or reject it.",
        updated_at=clock.now(),
    )


def set_aside(erasure: Erasure) -> None:
    """An erasure is never given up: it is tried again, seldom."""
    settle(erasure, due_at=clock.now() + paced_delta(hours=1))


def _concerned(erasure: Erasure) -> list[UUID]:
    """The workspaces that know anything of the number as somebody's; the one that was named in any case."""
    if erasure.workspace_id is not None:
        return [erasure.workspace_id]
    person = _Person(erasure.number, None, erasure.requested_at)
    known: set[UUID] = set()
    for rows in (
        person.calls(),
        person.follow_ups(),
        person.messages(),
        OptOut.objects.filter(number=erasure.number),
        Attachment.objects.filter(recipient_override=erasure.number),
        OwnText.objects.filter(to=erasure.number),
    ):
        known.update(rows.values_list("workspace_id", flat=True).distinct())
    return sorted(known)


class _Person:
    """What is a person's own: their calls, what followed from them, and what was sent to them; in one workspace,
    or in all (`workspace_id` None), from before `until`."""

    def __init__(self, number: str, workspace_id: UUID | None, until: datetime) -> None:
        self.number = number
        self.workspace_id = workspace_id
        self.until = until
        self.spellings = Spellings(number)

    def calls(self) -> QuerySet[Call]:
        unread = Q(customer_number="", customer_number_raw__regex=self.spellings.pattern)
        return self._here(Call.objects.filter(Q(customer_number=self.number) | unread, received_at__lte=self.until))

    def follow_ups(self) -> QuerySet[FollowUp]:
        theirs = Q(call__in=self.calls()) | Q(recipient=self.number)
        return self._here(FollowUp.objects.filter(theirs, created_at__lte=self.until))

    def messages(self) -> QuerySet[Message]:
        theirs = Q(follow_up__call__in=self.calls()) | Q(to=self.number)
        return self._here(Message.objects.filter(theirs, created_at__lte=self.until))

    @property
    def home(self) -> UUID:
        """The one workspace, where there is one."""
        assert self.workspace_id is not None
        return self.workspace_id

    def _here(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Named one by one where it is all of them: the indexes begin with the workspace."""
        if self.workspace_id is not None:
            return rows.filter(workspace_id=self.workspace_id)
        return rows.filter(workspace_id__in=list(Workspace.objects.values_list("pk", flat=True)))


def _unsettled(attempts: QuerySet[Attempt], now: datetime) -> QuerySet[Attempt]:
    """Attempts whose text is on its way: nobody knows yet whether it left, or Twilio has not passed it on."""
    underway = Q(status=Attempt.Status.ACCEPTED, started_at__gt=now - paced_delta(seconds=PATIENCE_S))
    return attempts.filter(Q(status__in=_UNSETTLED) | underway, open=True)


@transaction.atomic
def _erase_in(person: _Person, erasure: Erasure, counts: Counter[str]) -> list[str]:
    """One workspace's part; returns by name the texts that are on their way."""
    # In the order in which everybody takes them: calls, the recipient, messages, attempts.
    calls = [call.pk for call in person.calls().order_by("pk").select_for_update()]
    lock_recipient(person.home, person.number)
    follow_ups = list(person.follow_ups().values_list("pk", flat=True))
    locked = Message.objects.filter(pk__in=list(person.messages().values_list("pk", flat=True)))
    messages = [row.pk for row in locked.order_by("pk").select_for_update(no_key=True)]
    attempts = Attempt.objects.filter(message__in=messages)
    now = clock.now()
    waiting = set(_unsettled(attempts, now).values_list("message_id", flat=True))
    over = [pk for pk in messages if pk not in waiting]

    _have_twilio_forget(attempts.filter(message__in=over), erasure, now)
    _have_replies_forgotten(person, attempts, erasure, now)
    _stop_following(attempts.filter(message__in=over), person.number, now)
    counts["messages"] += _empty_messages(over, person.number, now)
    DeliveryEvent.objects.filter(message_id__in=messages).update(detail="")
    counts["follow_ups"] += _empty_follow_ups(follow_ups, waiting, person.number, now)
    counts["webhook_events"] += forget_person(person.home, person.number, follow_ups)
    counts["calls"] += _empty_calls(calls, waiting, person, now)
    forget_words_of(calls)
    forget_cases_of(person.home, person.spellings.pattern)
    _empty_overrides(person, now)
    _hash_opt_outs(person, calls)
    _forget_answers(person, {str(pk) for pk in (*calls, *follow_ups, *messages)})
    _clear_audit_log(person)
    own = of_person(person.number, calls, person.home, person.until)
    emptied, undecided = forget_own_texts(own, person.number, erasure, now)
    counts["own_texts"] += emptied
    return [*(f"message {pk}" for pk in sorted(waiting)), *(f"own_text {pk}" for pk in undecided)]


@transaction.atomic
def _opt_out_in(person: _Person) -> None:
    """A workspace that knows nothing of the number is not to text it either."""
    lock_recipient(person.home, person.number)
    _hash_opt_outs(person, [])


def _have_twilio_forget(attempts: QuerySet[Attempt], erasure: Erasure, now: datetime) -> None:
    """Notes what Twilio has of these attempts, or may have."""
    known = attempts.exclude(sid="")
    doubtful = attempts.filter(sid="", status=Attempt.Status.UNCONFIRMED).exclude(to="")
    rows = [
        Redaction(
            erasure=erasure,
            workspace_id=attempt.workspace_id,
            account_id=attempt.account_id,
            sid=attempt.sid,
            number="" if attempt.sid else attempt.to,
            body="" if attempt.sid else attempt.message.body,
            since=attempt.started_at,
            due_at=now,
        )
        for attempt in (*known, *doubtful.select_related("message"))
    ]
    Redaction.objects.bulk_create(rows, ignore_conflicts=True)


def _have_replies_forgotten(person: _Person, attempts: QuerySet[Attempt], erasure: Erasure, now: datetime) -> None:
    """Notes, once an erasure, in which accounts the person's own texts to us may lie."""
    here = {"erasure": erasure, "workspace_id": person.home}
    if Redaction.objects.filter(sid="", **here).exists():
        return
    used = Account.objects.filter(pk__in=attempts.values("account")).order_by("pk")
    sending = Account.objects.filter(pk__in=SendingAccount.objects.filter(workspace=person.home).values("account"))
    latest = {account.account_sid: account for account in (*used, *sending)}
    Redaction.objects.bulk_create(
        Redaction(account=account, number=person.number, since=now, due_at=now, **here)
        for account in latest.values()
    )


def _stop_following(attempts: QuerySet[Attempt], number: str, now: datetime) -> None:
    """Whatever may still be heard of them could bring the number back: their addresses cease to exist."""
    for pk in list(attempts.values_list("pk", flat=True)):
        Attempt.objects.filter(pk=pk).update(
            token=new_token(),
            body_digest="",
            error_message="",
            open=False,
            due_at=None,
            lease_until=None,
            generation=F("generation") + 1,
            ended_at=Coalesce("ended_at", now),
        )
    attempts.filter(to=number).update(to="")
    StrayCallback.objects.filter(attempt__in=attempts).delete()


def _empty_messages(messages: list[UUID], number: str, now: datetime) -> int:
    rows = Message.objects.filter(pk__in=messages)
    waiting = (Message.Status.QUEUED, Message.Status.SCHEDULED)
    rows.filter(status__in=waiting).update(status=Message.Status.CANCELED)
    emptied = rows.update(
        body="", error_message="", due_at=None, lease_until=None, generation=F("generation") + 1, updated_at=now
    )
    rows.filter(to=number).update(to="")
    return emptied


def _empty_follow_ups(follow_ups: list[UUID], waiting: set[UUID], number: str, now: datetime) -> int:
    rows = FollowUp.objects.filter(pk__in=follow_ups)
    undecided = Q(outcome__in=(FollowUp.Outcome.PENDING, FollowUp.Outcome.HELD))
    unsent = Q(outcome=FollowUp.Outcome.MESSAGE, message__status=Message.Status.CANCELED, message__attempts_made=0)
    stopped = rows.filter(undecided | unsent).exclude(message__in=waiting).values("pk")
    FollowUp.objects.filter(pk__in=list(stopped.values_list("pk", flat=True))).update(
        outcome=FollowUp.Outcome.SKIPPED, reason=Reason.REDACTED, decided_at=Coalesce("decided_at", now)
    )
    for row in rows:
        if row.verdict is not None:
            FollowUp.objects.filter(pk=row.pk).update(verdict=row.verdict | {"evidence": [], "reason": ""})
    emptied = rows.update(body="", inputs={}, detail="", updated_at=now)
    rows.filter(reason=Reason.REDACTED).update(detail=_WORDS)
    rows.filter(recipient=number).exclude(message__in=waiting).update(recipient="")
    return emptied


def _empty_calls(calls: list[UUID], waiting: set[UUID], person: _Person, now: datetime) -> int:
    """The external id stays: by it a report that comes again is known, and brings nothing back."""
    RawPayload.objects.filter(call_id__in=calls).delete()
    LaterEvent.objects.filter(call_id__in=calls).delete()
    rows = Call.objects.filter(pk__in=calls)
    rows.update(
        transcript=[],
        variables={},
        hints={},
        also_known_as=[],
        end_reason="",
        status=Call.Status.DONE,
        final=True,
        forgotten_at=Coalesce("forgotten_at", now),
        processed_at=Coalesce("processed_at", now),
        due_at=None,
        lease_until=None,
        generation=F("generation") + 1,
    )
    hash_external_ids(rows.filter(external_id__regex=person.spellings.pattern))
    # By its number a call of which something is on its way is found again.
    over = rows.exclude(follow_ups__message__in=waiting)
    return over.filter(pk__in=list(over.values_list("pk", flat=True))).update(
        customer_number="", customer_number_raw=""
    )


def _empty_overrides(person: _Person, now: datetime) -> None:
    """An attachment that texted this number is switched off: without an override it would text the callers."""
    Attachment.objects.filter(workspace_id=person.home, recipient_override=person.number).update(
        recipient_override="", mode=Attachment.Mode.OFF, updated_at=now
    )


def _hash_opt_outs(person: _Person, calls: list[UUID]) -> None:
    """The number must not be texted again, and nobody can read any more which one it was. Where it was opted in
    after the wish, that counts."""
    name = hashed(person.home, person.number)
    theirs = OptOut.objects.filter(workspace_id=person.home, number=person.number)
    known = OptOut.objects.filter(workspace_id=person.home, number=name)
    active = known.filter(ended_at=None)
    if active.exists():
        theirs.filter(ended_at=None).update(ended_at=clock.now())
    theirs.update(number=name, quote="")
    OptOut.objects.filter(call__in=calls).update(quote="")
    if not known.filter(Q(ended_at=None) | Q(ended_at__gt=person.until)).exists():
        OptOut.objects.create(id=new_id(), workspace_id=person.home, number=name, origin=OptOut.Origin.ERASED)


def _forget_answers(person: _Person, ids: Iterable[str]) -> None:
    """What the API would repeat to a repeated request. The request stays known: it must not be done again."""
    rows = IdempotentRequest.objects.filter(workspace_id=person.home).exclude(status=410)
    for key in list(rows.values_list("pk", flat=True)):
        try:
            row = rows.get(pk=key)
        except CannotDecrypt:
            continue
        if person.spellings.stands_in(row.body) or any(pk in row.body for pk in ids):
            row.status, row.content_type = 410, "application/problem+json"
            row.body = json.dumps({"headers": {}, "body": json.dumps(_GONE)})
            row.save(update_fields=["status", "content_type", "body"])


def _clear_audit_log(person: _Person) -> None:
    """Of a number its entries show only the end (`workspaces.audit.record`): that goes, also if it is another's."""
    end = masked(person.number)
    with connection.cursor() as cursor:
        # The audit log lets nobody else change it.
        cursor.execute("SELECT set_config('postcall.erasing', 'on', true)")
        cursor.execute(
            """
            UPDATE audit_entry SET object_name = replace(object_name, %(end)s, %(erased)s),
                   changes = replace(changes::text, %(end)s, %(erased)s)::jsonb
            WHERE workspace_id = %(home)s AND at <= %(until)s
              AND (position(%(end)s IN object_name) > 0 OR position(%(end)s IN changes::text) > 0)
            """,
            {"end": end, "erased": ERASED, "home": person.home, "until": person.until},
        )
        cursor.execute("SELECT set_config('postcall.erasing', '', true)")
