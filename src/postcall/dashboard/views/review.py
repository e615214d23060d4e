"""Everything that waits for a person, one after another or many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.cards import cards
from postcall.dashboard.paging import oldest_first, uuid_or_none
from postcall.dashboard.verbs.follow_ups import REFUSALS, approve, reject
from postcall.dashboard.words import Numbered
from postcall.followups.models import FollowUp

PAGE_SIZE: Final = 20


@require_GET
@member
def review(visit: Visit) -> HttpResponse:
    """The oldest first: it is the first to lapse."""
    held = visit.rows(FollowUp).filter(outcome=FollowUp.Outcome.HELD)
    rows = held.select_related("action", "revision", "message", "call", "call__agent").defer("call__transcript")
    page = oldest_first(visit.request, rows, PAGE_SIZE)
    shown = cards([Numbered(1, follow_up) for follow_up in page.rows])
    return visit.page("review/review.html", {"page": page, "cards": shown}, place="review")


@require_POST
@actor
def decide(visit: Visit) -> HttpResponse:
    """Approves or rejects all that were ticked; each that cannot be says why."""
    verbs: dict[str, tuple[Callable[[Visit, FollowUp], object], str]] = {
        "approve": (approve, "approved"),
        "reject": (reject, "rejected"),
    }
    chosen = verbs.get(visit.request.POST.get("do", ""))
    picked = [found for each in visit.request.POST.getlist("pick") if (found := uuid_or_none(each))]
    if chosen is None or not picked:
        flashes.warning(visit.request, "Tick what is meant first.")
        return visit.back(visit.to("review"))
    verb, past = chosen
    done = 0
    for follow_up in visit.rows(FollowUp).filter(pk__in=picked).select_related("action"):
        try:
            verb(visit, follow_up)
            done += 1
        except REFUSALS as refusal:
            flashes.error(visit.request, f"{follow_up.action.name}: {refusal}")
    if done:
        flashes.success(visit.request, f"{done} {past}.")
    return visit.back(visit.to("review"))
