"""What an operator does about a text by hand: send it again, or stop it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from postcall.followups import policy
from postcall.followups.models import FollowUp, Reason
from postcall.followups.optouts import lock_recipient
from postcall.keeping.spellings import ERASED
from postcall.messages.claim import drop, facts_about, put_off
from postcall.messages.models import DeliveryEvent, Message
from postcall.messages.status import note
from postcall.work import clock
from postcall.work.wake import wake

_OVER: Final = frozenset(
    {Message.Status.FAILED, Message.Status.UNDELIVERED, Message.Status.UNCONFIRMED, Message.Status.CANCELED}
)
_WAITING: Final = frozenset({Message.Status.SCHEDULED, Message.Status.QUEUED})


class NotPossible(Exception):
    """The operator's wish cannot be done; the message is one sentence for them."""


class Changed(NotPossible):
    """Somebody, or something, has moved the message since the operator looked at it."""


@transaction.atomic
def resend(message: Message, reason: str, by: str) -> Message:
    """Has a text that is over sent once more, in an attempt of its own; `by` is who asks, in words.

    `message` is as the operator saw it: its number of attempts is compared, so that of two clicks one counts.
    The sending rules are looked at now, to answer at once, and again in the claim; outside the send window it
    waits for the next one, and its time to be sent counts from there. Raises Changed or NotPossible.
    """
    lock_recipient(message.workspace_id, message.to)
    fresh = _locked(message)
    if fresh.attempts_made != message.attempts_made:
        raise Changed("This text is being sent again already.")
    if fresh.status not in _OVER:
        raise NotPossible(f"This text is {fresh.status}; only one that is over can be sent again.")
    if fresh.attempts.filter(open=True).exists():
        raise NotPossible("It is not known yet whether this text was sent: Twilio is being asked.")
    if not fresh.body:
        raise NotPossible("The words of this text were forgotten, as the workspace's retention says.")
    if ERASED in fresh.body:
        raise NotPossible("A number was taken out of this text, because its owner asked to be forgotten.")
    now = clock.now()
    until = _first_allowed(fresh)
    workspace = fresh.follow_up.workspace
    status = Message.Status.SCHEDULED if until else Message.Status.QUEUED
    FollowUp.objects.filter(pk=fresh.follow_up_id).update(
        outcome=FollowUp.Outcome.MESSAGE, reason="", detail="", updated_at=now
    )
    put_off(
        fresh,
        until or now,
        status=status,
        next_by=DeliveryEvent.Origin.OPERATOR,
        send_tries=0,
        valid_until=(until or now) + timedelta(seconds=workspace.valid_for_s),
    )
    note(fresh, status, DeliveryEvent.Origin.OPERATOR, detail=f"{by}: {reason}".strip(": "))
    wake("messages")
    return fresh


def _first_allowed(message: Message) -> datetime | None:
    """When texts to the number may be sent again; None: now. Raises NotPossible when they may not at all."""
    facts, now = facts_about(message.workspace_id, message.to, besides=message.pk)
    follow_up = message.follow_up
    decision = policy.check(
        follow_up.workspace,
        facts,
        to=message.to,
        urgency=follow_up.revision.urgency,
        now=now,
        fallback_timezone=follow_up.attachment.agent.timezone,
    )
    if isinstance(decision, policy.Refused):
        raise NotPossible(decision.detail)
    return decision.until if isinstance(decision, policy.Wait) else None


@transaction.atomic
def cancel(message: Message, by: str = "") -> Message:
    """Stops a text that has not gone out yet, or leaves one be that was left to the operator. Raises NotPossible
    when it is on its way, or may be."""
    fresh = _locked(message)
    if fresh.attempts.filter(open=True).exists():
        raise NotPossible("It is not known yet whether this text was sent: Twilio is being asked.")
    who = by or "an operator"
    if fresh.status in _OVER and fresh.follow_up.outcome == FollowUp.Outcome.HELD:
        _leave_be(fresh, f"Left as it is by {who}.")
        return fresh
    if fresh.status not in _WAITING:
        raise NotPossible(f"This text is {fresh.status}; only one that waits can be canceled.")
    detail = f"Canceled by {who}."
    drop(fresh, Reason.REJECTED, detail, DeliveryEvent.Origin.OPERATOR)
    return fresh


def _leave_be(message: Message, detail: str) -> None:
    """Its status stays: what is not known, or failed, is so whatever somebody decides."""
    FollowUp.objects.filter(pk=message.follow_up_id).update(
        outcome=FollowUp.Outcome.SKIPPED, reason=Reason.REJECTED, detail=detail, updated_at=clock.now()
    )
    note(message, message.status, DeliveryEvent.Origin.OPERATOR, detail=detail)


def _locked(message: Message) -> Message:
    rows = Message.objects.select_for_update(of=("self",), no_key=True).select_related(
        "follow_up__workspace", "follow_up__revision", "follow_up__attachment__agent"
    )
    return rows.get(pk=message.pk, workspace_id=message.workspace_id)
