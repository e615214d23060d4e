"""A later event that tells more about a call: added to it once, whichever of the two comes first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from django.db import transaction

from postcall.calls.known import calls_known_as, lock_names
from postcall.calls.later import VOICEMAIL, belong_to, event_of, told
from postcall.calls.models import Call, LaterEvent
from postcall.calls.receive import take_back
from postcall.followups.models import FollowUp, Reason
from postcall.sources.ended_call import DO_NOT_TEXT
from postcall.sources.kind import Addition
from postcall.sources.models import Source
from postcall.work import clock
from postcall.work.rows import insert_if_free
from postcall.work.wake import wake

# What values, or a number, that come later may put right: such events bring no words.
_PUT_RIGHT: Final = (Reason.MISSING_INPUT, Reason.NO_RECIPIENT)
_WHO_CALLED: Final = ("direction", "customer_number", "customer_number_raw", "agent_number")
_TOLD: Final = ("variables", "hints", "end_reason", "ending", *_WHO_CALLED)
_WORK: Final = ("status", "due_at", "lease_until", "generation", "starts", "judge_failures", "judge_after")


@transaction.atomic
def add(source: Source, addition: Addition, raw: bytes) -> Literal["accepted", "duplicate", "ignored"]:
    """Adds what a later event tells to its call; where that is not here yet, `receive` does so when it comes.

    The same event again is a duplicate and changes nothing. A call whose words were forgotten is left alone. What a
    text is still missing is looked for again, while no text of it was made; nothing that was decided otherwise, or
    sent, is touched.
    """
    lock_names(source.workspace_id, source.kind, addition.keys)
    call = _find(source, addition.keys)
    if call is not None and call.forgotten_at is not None:
        return "ignored"
    event = event_of(source, addition, raw)
    if not insert_if_free(event):
        return "duplicate"
    if call is not None:
        _add(call, event)
    return "accepted"


def _find(source: Source, keys: tuple[str, ...]) -> Call | None:
    """The call that the platform knows by one of these names, locked: by the first of them that is one's, and of
    several calls the latest."""
    found = calls_known_as(source.workspace_id, source.kind, keys)
    for key in keys:
        called = [call.pk for call in found if key == call.external_id or key in call.also_known_as]
        if called:
            return Call.objects.select_for_update(of=("self",)).select_related("agent").get(pk=called[-1])
    return None


def _add(call: Call, event: LaterEvent) -> None:
    belong_to(call, [event])
    before = {name: getattr(call, name) for name in (*_TOLD, "agent")}
    after = told(before, event.content)
    if not _is_undecided(call) and call.customer_number_raw:
        # A text may be on its way to the number that is known.
        after |= {name: before[name] for name in _WHO_CALLED}
    for name in _TOLD:
        setattr(call, name, after[name])
    if _is_news(before, after):
        _look_again(call, clock.now())
    call.save(update_fields=[*_TOLD, *_WORK])


def _is_news(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether it is anything that a decision about the call goes by."""
    if after["ending"] == VOICEMAIL != before["ending"]:
        return True
    if after["hints"].get(DO_NOT_TEXT) is True is not before["hints"].get(DO_NOT_TEXT):
        return True
    return any(after[name] != before[name] for name in ("variables", *_WHO_CALLED))


def _is_undecided(call: Call) -> bool:
    return call.status in (Call.Status.RECEIVED, Call.Status.UNASSIGNED) and call.processed_at is None


def _look_again(call: Call, now: datetime) -> None:
    """Makes a call due whose follow-ups lack what was told; a worker that holds it begins anew."""
    reopened = _reopen(call, now)
    if call.lease_until is not None:
        take_back(call)
    if reopened and call.status == Call.Status.DONE:
        call.status, call.due_at, call.judge_failures = Call.Status.PROCESSING, now, 0
    if call.status == Call.Status.RECEIVED and call.final and call.variables["extracted"]:
        # It waited for nothing else (`later.values_by`).
        call.judge_after, call.due_at = None, min(call.due_at or now, now)
    if call.due_at is not None and call.due_at <= now:
        wake("calls")


def _reopen(call: Call, now: datetime) -> int:
    """As `review.rejudge`: whoever writes a text of one this instant is waited for, and it is then left alone."""
    skipped = FollowUp.objects.filter(
        call=call, outcome=FollowUp.Outcome.SKIPPED, reason__in=_PUT_RIGHT, message__isnull=True
    )
    pks = list(skipped.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    return FollowUp.objects.filter(pk__in=pks).update(
        outcome=FollowUp.Outcome.PENDING, reason="", detail="", updated_at=now
    )
