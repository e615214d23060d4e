"""A follow-up's card by itself, and its buttons."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages as flashes
from django.db.models import QuerySet
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRefresh

from postcall.actions.message import MAX_LENGTH
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.cards import Card, cards, counted
from postcall.dashboard.verbs import cases
from postcall.dashboard.verbs import follow_ups as verbs
from postcall.dashboard.verbs.follow_ups import REFUSALS, tried
from postcall.dashboard.words import Numbered
from postcall.followups.models import FollowUp
from postcall.shapes import storable
from postcall.testbench.cases import EXPECTED, of_follow_ups

APPROVED = "Approved. The text is on its way."
REJECTED = "Rejected. Nothing is sent."


def _follow_ups(visit: Visit) -> QuerySet[FollowUp]:
    return visit.rows(FollowUp).select_related(
        "action", "revision", "message", "call", "call__agent", "attachment", "workspace"
    )


def _card(visit: Visit, follow_up: FollowUp, number: str) -> Card:
    """Under the number that its page gave it."""
    n = int(number) if number.isascii() and number.isdecimal() and len(number) < 4 else 1
    return cards([Numbered(n, follow_up)], visit.workspace)[0]


@require_GET
@member
def card(visit: Visit, follow_up_id: UUID) -> HttpResponse:
    """The card as it stands now, under the number that its page gave it. 204: as the page has it, for now."""
    follow_up = visit.one(_follow_ups(visit), follow_up_id)
    asked = visit.request.GET
    shown = _card(visit, follow_up, asked.get("n", ""))
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
    typed = _typed(visit, follow_up)
    try:
        verbs.approve(visit, follow_up, None if typed == follow_up.body.strip() else typed)
    except REFUSALS as refusal:
        return _refused(visit, follow_up_id, str(refusal), typed)
    return _done(visit, follow_up_id, APPROVED)


@require_POST
@actor
def reject(visit: Visit, follow_up_id: UUID) -> HttpResponse:
    follow_up = visit.one(_follow_ups(visit), follow_up_id)
    try:
        verbs.reject(visit, follow_up)
    except REFUSALS as refusal:
        return _refused(visit, follow_up_id, str(refusal), _typed(visit, follow_up))
    return _done(visit, follow_up_id, REJECTED)


def _typed(visit: Visit, follow_up: FollowUp) -> str:
    """The words of the form; without any, as many at once are decided about, those that are held."""
    return storable(visit.request.POST.get("body", follow_up.body)).replace("\r\n", "\n").strip()


def _done(visit: Visit, follow_up_id: UUID, said: str) -> HttpResponse:
    """Back where one was. A page with script is given the card alone, and loses nothing typed elsewhere."""
    follow_up = visit.one(_follow_ups(visit), follow_up_id)
    if visit.request.headers.get("HX-Request"):
        return _part(visit, follow_up, {"said": said})
    flashes.success(visit.request, said)
    return visit.back(visit.to("call", follow_up.call_id))


def _refused(visit: Visit, follow_up_id: UUID, refusal: str, typed: str) -> HttpResponse:
    follow_up = visit.one(_follow_ups(visit), follow_up_id)
    context = {
        "refusal": refusal,
        "typed": typed,
        "counted": counted(visit.workspace, follow_up.recipient, typed),
        "next": visit.request.POST.get("next", ""),
    }
    if visit.request.headers.get("HX-Request"):
        return _part(visit, follow_up, {**context, "said": refusal, "partly": True}, status=422)
    shown = _card(visit, follow_up, "")
    return visit.page("follow_ups/not_approved.html", {"card": shown, **context}, place="review", status=422)


def _part(visit: Visit, follow_up: FollowUp, context: dict[str, object], status: int = 200) -> HttpResponse:
    """The card as its page shows it, which says by `here` which page that is."""
    posted = visit.request.POST
    template = "review/card.html" if posted.get("here") == "review" else "follow_ups/card_moved.html"
    shown = _card(visit, follow_up, posted.get("n", ""))
    held = visit.rows(FollowUp).filter(outcome=FollowUp.Outcome.HELD)
    whole = {"card": shown, "call": follow_up.call, "held_count": held.count(), "next": posted.get("next", "")}
    answer = visit.part(template, {**whole, **context})
    answer.status_code = status
    return answer


@require_POST
@actor
def feedback(visit: Visit, follow_up_id: UUID) -> HttpResponse:
    """Whether the judge was right about it, or, where it left that open, what was so; its call becomes a case of
    the action."""
    follow_up = visit.one(_follow_ups(visit), follow_up_id)
    expected = EXPECTED.get(visit.request.POST.get("expected", ""))
    right = None if expected else visit.request.POST.get("right") == "1"
    done = tried(visit, lambda: cases.give_feedback(visit, follow_up, right, expected))
    if visit.request.headers.get("HX-Request"):
        if not done:
            return HttpResponseClientRefresh()
        fresh = visit.one(_follow_ups(visit), follow_up_id)
        case = of_follow_ups([fresh]).get(fresh.pk)
        context = {"follow_up": fresh, "case": case, "next": visit.request.POST.get("next")}
        return visit.part("follow_ups/feedback.html", context)
    if done:
        flashes.success(visit.request, f"Noted. The call is a case of “{follow_up.action.name}” now.")
    return visit.back(visit.to("call", follow_up.call_id))


@require_POST
@actor
def count_text(visit: Visit, follow_up_id: UUID) -> HttpResponse:
    """What the words take that are being typed. Posted, so that they stand in no address; it changes nothing."""
    follow_up = visit.one(visit.rows(FollowUp).all(), follow_up_id)
    typed = _typed(visit, follow_up)[:MAX_LENGTH]
    context = {"id": follow_up.pk, "counted": counted(visit.workspace, follow_up.recipient, typed)}
    return visit.part("follow_ups/count.html", context)
