"""A follow-up's card by itself, and its buttons."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages as flashes
from django.db.models import QuerySet
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRefresh

from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.cards import cards
from postcall.dashboard.verbs import follow_ups as verbs
from postcall.dashboard.verbs.follow_ups import REFUSALS, tried
from postcall.dashboard.words import Numbered
from postcall.followups.models import FollowUp
from postcall.shapes import storable


def _follow_ups(visit: Visit) -> QuerySet[FollowUp]:
    return visit.rows(FollowUp).select_related("action", "revision", "message", "call", "call__agent")


@require_GET
@member
def card(visit: Visit, follow_up_id: UUID) -> HttpResponse:
    """The card as it stands now, under the number that its page gave it. 204: as the page has it, for now."""
    follow_up = visit.one(_follow_ups(visit), follow_up_id)
    asked = visit.request.GET
    number = asked.get("n", "")
    shown = cards([Numbered(int(number) if number.isdecimal() and len(number) < 4 else 1, follow_up)])[0]
    # What has become settled by the clock alone is sent once more, so that its page stops asking.
    if asked.get("seen") == shown.seen and not shown.state.settled:
        return HttpResponse(status=204)
    # A verdict marks its quotes in the transcript too: the whole page is read again.
    if asked.get("pending") and follow_up.outcome != FollowUp.Outcome.PENDING:
        return HttpResponseClientRefresh()
    return visit.part("follow_ups/card_moved.html", {"card": shown, "call": follow_up.call})


@require_POST
@actor
def approve(visit: Visit, follow_up_id: UUID) -> HttpResponse:
    """Sends it, in the operator's words where they changed them. What was typed is never lost."""
    follow_up = visit.one(_follow_ups(visit), follow_up_id)
    typed = storable(visit.request.POST.get("body", "")).replace("\r\n", "\n").strip()
    try:
        verbs.approve(visit, follow_up, None if typed == follow_up.body else typed or None)
    except REFUSALS as refusal:
        shown = cards([Numbered(1, follow_up)])[0]
        return visit.page(
            "follow_ups/not_approved.html", {"card": shown, "typed": typed, "refusal": str(refusal)}, place="review"
        )
    flashes.success(visit.request, "Approved. The text is on its way.")
    return visit.back(visit.to("call", follow_up.call_id))


@require_POST
@actor
def reject(visit: Visit, follow_up_id: UUID) -> HttpResponse:
    follow_up = visit.one(_follow_ups(visit), follow_up_id)
    if tried(visit, lambda: verbs.reject(visit, follow_up)):
        flashes.success(visit.request, "Rejected. Nothing is sent.")
    return visit.back(visit.to("call", follow_up.call_id))


@require_POST
@actor
def feedback(visit: Visit, follow_up_id: UUID) -> HttpResponse:
    """Whether the judge was right about it."""
    follow_up = visit.one(_follow_ups(visit), follow_up_id)
    right = visit.request.POST.get("right") == "1"
    if tried(visit, lambda: verbs.give_feedback(visit, follow_up, right)):
        flashes.success(visit.request, f"Noted: the verdict is {'right' if right else 'wrong'}.")
    return visit.back(visit.to("call", follow_up.call_id))
