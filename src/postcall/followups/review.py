"""What an operator does about a follow-up: approve, reject, say whether the verdict was right, judge again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Case, DateTimeField, DurationField, ExpressionWrapper, F, QuerySet, Value, When
from django.db.models.expressions import Combinable

from postcall.actions.message import MAX_LENGTH
from postcall.calls.models import Call
from postcall.followups import policy
from postcall.followups.compose import Composed, length_of
from postcall.followups.deciding import MESSAGE, Matter, sendable
from postcall.followups.handing import Messaging
from postcall.followups.models import FollowUp, Reason
from postcall.followups.policy import Refused
from postcall.followups.snapshot import Snapshot
from postcall.followups.values import UNFILLED
from postcall.words import visible
from postcall.work import clock
from postcall.work.wake import wake
from postcall.workspaces.audit import Actor

# What another judgement may change. A text that left, or that somebody decided about, stays as it is.
REJUDGEABLE: Final = (
    Reason.JUDGE_FAILED, Reason.CONDITION_UNCLEAR, Reason.CONDITION_NOT_MET, Reason.MISSING_INPUT, Reason.SET_ASIDE,
)  # fmt: skip

# Held for want of a decision: it can still be judged, so it does not go stale.
UNDECIDED: Final = (Reason.JUDGE_FAILED, Reason.SET_ASIDE)


_DID: Final = {
    FollowUp.Review.APPROVED: "approved it",
    FollowUp.Review.EDITED: "approved it in other words",
    FollowUp.Review.REJECTED: "rejected it",
}


class NotPossible(Exception):
    """It cannot be done, and nothing was changed. `code` is for programs (a reason of CONTRACT, or one of
    `not_held`, `already_reviewed`, `no_text`, `too_long`, `placeholder`, `no_verdict`, `in_progress`,
    `nothing_to_judge`, `forgotten`), the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@transaction.atomic
def approve(follow_up: FollowUp, messaging: Messaging, by: Actor, body: str | None = None) -> FollowUp:
    """Sends a held follow-up's text, or `body` in its stead, if the sending rules allow it now.

    Of two who decide at the same instant one does; the other gets NotPossible, which says who was first.
    """
    row = _held(follow_up)
    if row.call.forgotten_at and not row.body:
        raise NotPossible("forgotten", "What this text was about is forgotten: the call is past its retention.")
    text = _sendable_text(row.body if body is None else body)
    now = clock.now()
    _refuse_stale(row, now)
    snapshot = Snapshot.model_validate(row.snapshot)
    agent, workspace = row.attachment.agent, row.workspace
    if not row.recipient:
        raise NotPossible(Reason.NO_RECIPIENT.value, "This follow-up has no number to text.")
    allowed = policy.check(
        workspace,
        messaging.facts_about(workspace.pk, row.recipient),
        to=row.recipient,
        urgency=row.revision.urgency,
        now=now,
        fallback_timezone=snapshot.agent.timezone,
    )
    if isinstance(allowed, Refused):
        raise NotPossible(allowed.reason, allowed.detail)
    sender = messaging.sender_for(workspace, snapshot.agent.onto(agent), row.call)
    matter = Matter(snapshot, row.revision, row.recipient, None, Composed(text), None, workspace, now)
    decision = sendable(matter, allowed, text, sender, since=_counted_from(row))
    if decision.outcome != MESSAGE:
        assert decision.reason is not None
        raise NotPossible(decision.reason.value, decision.detail)
    assert decision.draft is not None
    _note_review(row, FollowUp.Review.APPROVED if text == visible(row.body) else FollowUp.Review.EDITED, by, now)
    row.outcome, row.reason, row.detail, row.body = MESSAGE, "", "", text
    row.save(update_fields=["outcome", "reason", "detail", "body", *_REVIEW])
    messaging.hand_over(row, replace(decision.draft, by="operator"))
    return row


@transaction.atomic
def reject(follow_up: FollowUp, by: Actor) -> FollowUp:
    """Ends a held follow-up without a text."""
    row = _held(follow_up)
    _note_review(row, FollowUp.Review.REJECTED, by, clock.now())
    row.outcome, row.reason = FollowUp.Outcome.SKIPPED, Reason.REJECTED
    row.detail = f"{row.reviewer} looked at it and decided against sending."
    row.save(update_fields=["outcome", "reason", "detail", *_REVIEW])
    return row


_REVIEW: Final = ("review", "reviewed_at", "reviewer_kind", "reviewer", "updated_at")


def _note_review(row: FollowUp, review: FollowUp.Review, by: Actor, at: datetime) -> None:
    row.review, row.reviewed_at, row.reviewer_kind, row.reviewer = review, at, by.kind, by.name[:254]


@transaction.atomic
def give_feedback(follow_up: FollowUp, right: bool) -> FollowUp:
    """Notes whether the verdict was right; asking again overwrites it."""
    row = FollowUp.objects.select_for_update().get(pk=follow_up.pk)
    if not row.result:
        raise NotPossible("no_verdict", "Nothing was judged here, so there is no verdict to be right or wrong.")
    row.feedback_right = right
    row.save(update_fields=["feedback_right", "updated_at"])
    return row


@transaction.atomic
def rejudge(call: Call) -> int:
    """Has judged again whatever was judged, or could not be, and sent nothing. Returns how many follow-ups."""
    locked = Call.objects.select_for_update().get(pk=call.pk)
    if locked.status in (Call.Status.RECEIVED, Call.Status.PROCESSING):
        raise NotPossible("in_progress", "This call is being decided just now.")
    if locked.forgotten_at:
        raise NotPossible("forgotten", "What was said in this call is forgotten: it is past its retention.")
    now = clock.now()
    # One that somebody approves this instant is waited for, and then looked at as it is: an update would find the
    # rows as they were before, since whether they have a message stands in another table.
    unsent = FollowUp.objects.filter(
        call=locked, reason__in=REJUDGEABLE, outcome__in=("held", "skipped"), message__isnull=True
    )
    pks = list(unsent.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    again = FollowUp.objects.filter(pk__in=pks).update(
        outcome=FollowUp.Outcome.PENDING, reason="", detail="", result="", confidence=None, verdict=None, judge="",
        prompt="", inputs={}, body="", decided_at=None, feedback_right=None, updated_at=now,
        review="", reviewed_at=None, reviewer_kind="", reviewer="",
    )  # fmt: skip
    if not again:
        raise NotPossible(
            "nothing_to_judge", "Nothing about this call was left to the judge, or its texts have left."
        )
    Call.objects.filter(pk=locked.pk).update(status=Call.Status.PROCESSING, due_at=now, judge_failures=0)
    wake("calls")
    return again


def _within() -> Combinable:
    return ExpressionWrapper(F("revision__send_within_s") * timedelta(seconds=1), output_field=DurationField())


def with_expiry(held: QuerySet[FollowUp]) -> QuerySet[FollowUp]:
    """Held follow-ups, each with `lapses_at`: what `expires_at` says of it, to sort by."""
    never = Value(None, output_field=DateTimeField(null=True))
    counted = ExpressionWrapper(F("decided_at") + _within(), output_field=DateTimeField(null=True))
    return held.annotate(
        lapses_at=Case(
            When(reason__in=UNDECIDED, then=never),
            When(message__isnull=False, then=F("message__valid_until")),
            default=counted,
        )
    )


def expire_held() -> int:
    """Ends held follow-ups that nobody decided about within their action's `send_within_s`; returns how many.

    What the judge failed on, or was set aside, stays: it can be judged again.
    """
    now = clock.now()
    undecided = FollowUp.objects.filter(outcome=FollowUp.Outcome.HELD, review="").exclude(reason__in=UNDECIDED)
    stale = undecided.filter(message__isnull=True, decided_at__lt=now - _within())
    return undecided.filter(pk__in=list(stale.values_list("pk", flat=True)[:1000])).update(
        outcome=FollowUp.Outcome.SKIPPED,
        reason=Reason.EXPIRED,
        detail="Nobody decided about it while the text still made sense.",
        updated_at=now,
    )


def _held(follow_up: FollowUp) -> FollowUp:
    """The row, locked, if it still waits for a decision."""
    rows = FollowUp.objects.select_for_update(of=("self",)).select_related(
        "revision", "workspace", "attachment__agent", "call"
    )
    row = rows.filter(pk=follow_up.pk, outcome=FollowUp.Outcome.HELD, message__isnull=True).first()
    if row is None:
        raise _decided_already(FollowUp.objects.get(pk=follow_up.pk))
    return row


def _decided_already(row: FollowUp) -> NotPossible:
    """Why nobody can decide about it (any more); where somebody did, who it was, what they did and when."""
    if row.review and row.reviewed_at:
        did = f"{row.reviewer} {_DID[FollowUp.Review(row.review)]} {_ago(row.reviewed_at)}"
        return NotPossible("already_reviewed", f"{did}, so there is nothing left to decide.")
    if row.reason == Reason.EXPIRED:
        return NotPossible(Reason.EXPIRED.value, "It expired before anybody decided.")
    if row.outcome == FollowUp.Outcome.HELD and row.reason == Reason.SET_ASIDE:
        return NotPossible("not_held", "Its text is made already: send its message again, or leave it as it is.")
    if row.outcome == FollowUp.Outcome.HELD:
        return NotPossible(
            "not_held",
            "Its text is made and waits for what its reason says: then it goes by itself, unless its message is "
            "canceled.",
        )
    return NotPossible("not_held", "This follow-up is not held (any more).")


def _ago(at: datetime) -> str:
    """When that was, for somebody who pressed a button a moment later, or had a page open for long."""
    seconds = max(0, int((clock.now() - at).total_seconds()))
    if seconds < 60:
        return f"{seconds} second{'' if seconds == 1 else 's'} ago"
    if seconds < 3600:
        return f"{seconds // 60} minute{'' if seconds < 120 else 's'} ago"
    return f"on {at:%Y-%m-%d at %H:%M} UTC"


def expires_at(follow_up: FollowUp) -> datetime | None:
    """When a held follow-up lapses unless somebody decides, or what it waits for is mended; None: not by itself."""
    if follow_up.outcome != FollowUp.Outcome.HELD or follow_up.reason in UNDECIDED:
        return None
    message: Any = getattr(follow_up, "message", None)
    if message is not None:
        return message.valid_until  # type: ignore[no-any-return]  # of messages nothing is imported here
    since = _counted_from(follow_up)
    return since and since + timedelta(seconds=follow_up.revision.send_within_s)


def _sendable_text(body: str) -> str:
    text = visible(body)
    if not text:
        raise NotPossible("no_text", "There is no text to send; write one.")
    if (length := length_of(text)) > MAX_LENGTH:
        raise NotPossible("too_long", f"The text is {length} characters long; {MAX_LENGTH} is the limit.")
    if left := UNFILLED.search(text):
        raise NotPossible("placeholder", f"{left[0]} would go out as it stands; replace it first.")
    return text


def _counted_from(row: FollowUp) -> datetime | None:
    """From when the action's `send_within_s` is counted; None: from now, as nothing was decided about it yet."""
    return None if row.reason in UNDECIDED else row.decided_at


def _refuse_stale(row: FollowUp, now: datetime) -> None:
    since = _counted_from(row)
    if since is not None and since + timedelta(seconds=row.revision.send_within_s) < now:
        raise NotPossible(
            Reason.EXPIRED.value,
            f"This text had to leave within {row.revision.send_within_s} seconds of being decided about.",
        )
