"""Everything that waits for a person, one after another or many at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages as flashes
from django.db.models import Count, F, Q, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.cards import cards
from postcall.dashboard.paging import Page, query, uuid_or_none
from postcall.dashboard.verbs.follow_ups import REFUSALS, approve, reject, unless_changed
from postcall.dashboard.words import REASONS, Numbered
from postcall.followups.models import FollowUp
from postcall.followups.review import with_expiry
from postcall.ids import first_id
from postcall.work import clock
from postcall.workspaces.audit import Actor

PAGE_SIZE: Final = 20
MOST_NEW: Final = 99
MOST_AT_ONCE: Final = 200
_NEVER: Final = "never"


def _held(visit: Visit) -> QuerySet[FollowUp]:
    return visit.rows(FollowUp).filter(outcome=FollowUp.Outcome.HELD)


def _asked_for(visit: Visit) -> QuerySet[FollowUp]:
    """What is held and fits the address; what it asks wrongly is passed over."""
    asked, held = visit.request.GET, _held(visit)
    if (reason := asked.get("reason")) in REASONS:
        held = held.filter(reason=reason)
    if (action := uuid_or_none(asked.get("action"))) is not None:
        held = held.filter(action_id=action)
    return held


@require_GET
@member
def review(visit: Visit) -> HttpResponse:
    """What lapses first comes first; `?reason=` and `?action=` narrow it."""
    asked, rows = visit.request.GET, _asked_for(visit)
    page = _page(visit, rows)
    return visit.page(
        "review/review.html",
        {
            "page": page,
            "cards": cards([Numbered(1, follow_up) for follow_up in page.rows], visit.workspace),
            "total": rows.count(),
            "asked": asked,
            "asking": any(asked.get(key) for key in ("reason", "action")),
            **_choices(visit),
            "news": _news(visit, [row.pk for row in page.rows], first_id(clock.now())),
        },
        place="review",
    )


def _page(visit: Visit, rows: QuerySet[FollowUp]) -> Page[FollowUp]:
    """The page that `?after=` asks for: the moment at which its predecessor's last one lapses, and its id."""
    related = ("action", "revision", "message", "call", "call__agent", "attachment", "workspace")
    found = with_expiry(rows).select_related(*related).defer("call__transcript")
    found = found.filter(_later(visit.request.GET.get("after", "")))
    listed: list[Any] = list(found.order_by(F("lapses_at").asc(nulls_last=True), "pk")[: PAGE_SIZE + 1])
    shown, further = listed[:PAGE_SIZE], None
    if len(listed) > PAGE_SIZE:
        last = shown[-1]
        moment = last.lapses_at.isoformat() if last.lapses_at else _NEVER
        further = query(visit.request, after=f"{moment}~{last.pk}")
    return Page(shown, further, query(visit.request, after=None) if visit.request.GET.get("after") else None)


def _later(after: str) -> Q:
    moment, _, pk = after.partition("~")
    last = uuid_or_none(pk)
    if last is None:
        return Q()
    if moment == _NEVER:
        return Q(lapses_at=None, pk__gt=last)
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return Q()
    if timezone.is_naive(at):
        return Q()
    return Q(lapses_at__gt=at) | Q(lapses_at=at, pk__gt=last) | Q(lapses_at=None)


def _choices(visit: Visit) -> dict[str, dict[str, str]]:
    """The reasons and actions that something is held for, each with how much."""
    reasons = _held(visit).values_list("reason").annotate(number=Count("pk")).order_by("-number")
    actions = (
        _held(visit).values_list("action", "action__name").annotate(number=Count("pk")).order_by("action__name")
    )
    return {
        "reasons": {reason: f"{REASONS.get(reason, reason)} ({number})" for reason, number in reasons},
        "actions": {str(pk): f"{name} ({number})" for pk, name, number in actions},
    }


@require_GET
@member
def live(visit: Visit) -> HttpResponse:
    """What has happened since the page was read: how many more are held, and which of its own somebody has decided
    about. 204: nothing."""
    asked = visit.request.GET
    newest = uuid_or_none(asked.get("newest"))
    if newest is None:
        return HttpResponse(status=204)
    watched = [found for each in asked.get("watch", "").split(",")[:PAGE_SIZE] if (found := uuid_or_none(each))]
    decided = list(visit.rows(FollowUp).filter(pk__in=watched).exclude(outcome=FollowUp.Outcome.HELD))
    gone = {row.pk for row in decided}
    # What the reader has decided they see already.
    myself = Actor.of_person(visit.person).name
    decided = [row for row in decided if not (row.review and row.reviewer == myself)]
    news = _news(visit, [each for each in watched if each not in gone], newest)
    if not decided and str(news["count"]) == asked.get("count", "0"):
        return HttpResponse(status=204)
    return visit.part("review/news.html", {"news": news, "decided": decided, "held_count": _held(visit).count()})


def _news(visit: Visit, watched: list[UUID], newest: UUID) -> dict[str, Any]:
    # A follow-up is as old as its call, and may be held later: by its last change it is seen to be new.
    since = datetime.fromtimestamp((newest.int >> 80) / 1000, tz=UTC)
    fresh = _asked_for(visit).filter(decided_at__gt=since).exclude(pk__in=watched)
    count = len(fresh.values_list("pk", flat=True)[:MOST_NEW])
    asks = {
        "after": None,
        "newest": str(newest),
        "watch": ",".join(map(str, watched)) or None,
        "count": str(count),
    }
    return {
        "count": count,
        "url": visit.to("review-live") + query(visit.request, **asks),
        "fresh": visit.to("review") + query(visit.request, **dict.fromkeys(asks)),
    }


@require_POST
@actor
def decide(visit: Visit) -> HttpResponse:
    """Approves or rejects all that were ticked, each as it stood on the page; says how many, and of the others why
    not. Of two who decide at once the second is told who was first, and nothing is sent twice."""
    verbs: dict[str, tuple[Callable[[Visit, FollowUp], object], str]] = {
        "approve": (approve, "approved"),
        "reject": (reject, "rejected"),
    }
    chosen = verbs.get(visit.request.POST.get("do", ""))
    picked = [_picked(each) for each in visit.request.POST.getlist("pick")[:MOST_AT_ONCE]]
    seen = {pk: stamp for pk, stamp in picked if pk is not None}
    if chosen is None or not seen:
        flashes.warning(visit.request, "Tick what is meant first.")
        return visit.back(visit.to("review"))
    verb, past = chosen
    done, refused = 0, Counter[str]()
    for follow_up in visit.rows(FollowUp).filter(pk__in=seen).select_related("action").order_by("pk"):
        try:
            with unless_changed(follow_up, seen[follow_up.pk]):
                verb(visit, follow_up)
            done += 1
        except REFUSALS as refusal:
            refused[f"{follow_up.action.name}: {refusal}"] += 1
    for said, times in refused.items():
        flashes.error(visit.request, f"{times} not {past}. {said}")
    if done:
        flashes.success(visit.request, f"{done} {past}.")
    return visit.back(visit.to("review"))


def _picked(value: str) -> tuple[UUID | None, str]:
    """The follow-up's id, and its stamp when it was looked at."""
    pk, _, seen = value.partition("~")
    return uuid_or_none(pk), seen
