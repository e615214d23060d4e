"""The call log and a call."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.contrib import messages as flashes
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRefresh

from postcall.agents.models import Agent
from postcall.calls.lateness import is_recent
from postcall.calls.models import Call, RawPayload
from postcall.calls.replay import CannotReplay, Replayed
from postcall.dashboard import searching, transcript
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.cards import cards
from postcall.dashboard.paging import newest_first, query, uuid_or_none
from postcall.dashboard.verbs import follow_ups as verbs
from postcall.dashboard.verbs.follow_ups import tried
from postcall.dashboard.words import (
    CHANGED_FIELDS,
    MESSAGE_STATUSES,
    OUTCOMES,
    REASONS,
    REMOVED,
    awaits_more,
    follow_up_state,
    numbered,
    platform,
    told_hints,
)
from postcall.followups.models import FollowUp
from postcall.followups.optouts import active_opt_out
from postcall.ids import first_id
from postcall.sources.kinds import KINDS
from postcall.sources.models import Source

PAGE_SIZE: Final = 40
MOST_NEW: Final = 99
# Of one delivery; the whole stands in the plain text.
MOST_RAW: Final = 50_000
_FOLLOW_UPS: Final = Prefetch(
    "follow_ups", FollowUp.objects.select_related("action", "message").defer("snapshot", "verdict").order_by("pk")
)
_UNDECIDED: Final = (Call.Status.RECEIVED, Call.Status.PROCESSING)


def _with_follow_ups(calls: QuerySet[Call]) -> QuerySet[Call]:
    return calls.select_related("agent").defer("transcript").prefetch_related(_FOLLOW_UPS)


@require_GET
@member
def log(visit: Visit) -> HttpResponse:
    """Every call that ended, newest first."""
    request = visit.request
    found = searching.find_calls(visit.workspace, request.GET)
    page = newest_first(request, _with_follow_ups(found), PAGE_SIZE)
    newest = page.rows[0].pk if page.rows else first_id(timezone.now())
    return visit.page(
        "calls/log.html",
        {
            "page": page,
            "asking": searching.is_asking(request.GET),
            "live": None if page.first else _live(visit, found, newest, page.rows, ""),
            "asked": request.GET,
            "agents": visit.rows(Agent).filter(Exists(Call.objects.filter(agent=OuterRef("pk")))).order_by("name"),
            "sources": _sources(visit),
            "unassigned": len(searching.unassigned(visit.rows(Call).all()).values_list("pk")[: MOST_NEW + 1]),
            "most": MOST_NEW,
            "number": searching.number_in(request.GET.get("q", "")),
            "outcomes": {**OUTCOMES, searching.UNASSIGNED: "No agent known"},
            "reasons": REASONS,
            "statuses": MESSAGE_STATUSES,
            "dates": searching.DATES,
        },
        place="calls",
    )


def _sources(visit: Visit) -> dict[str, str]:
    """By what calls come in: each source, each platform that has several, the API; nothing to choose where there is
    no source."""
    sources = list(visit.rows(Source).order_by("name").only("name", "kind"))
    several = [kind for kind, count in Counter(source.kind for source in sources).items() if count > 1]
    named = {str(source.pk): source.name for source in sources}
    platforms = {kind: f"{platform(kind)}, any source" for kind in several if kind in KINDS}
    return {**named, **platforms, searching.BY_API: "The API"} if named else {}


@require_GET
@member
def live(visit: Visit) -> HttpResponse:
    """What came since the list was read: how many new calls, and the rows that have moved. 204: nothing."""
    asked = visit.request.GET
    newest = uuid_or_none(asked.get("newest"))
    if newest is None:
        return HttpResponse(status=204)
    watched = [found for each in asked.get("watch", "").split(",")[:PAGE_SIZE] if (found := uuid_or_none(each))]
    rows = list(_with_follow_ups(visit.rows(Call).filter(pk__in=watched)))
    fitting = searching.find_calls(visit.workspace, asked)
    context = _live(visit, fitting, newest, rows, asked.get("seen", ""))
    if context["seen"] == asked.get("seen"):
        return HttpResponse(status=204)
    if context["count"] and asked.get("empty"):
        return HttpResponseClientRefresh()
    return visit.part("calls/live.html", {"live": context, "moved": rows})


def _live(visit: Visit, found: QuerySet[Call], newest: UUID, rows: Sequence[Call], seen: str) -> dict[str, Any]:
    """What a list needs to ask for its news: `seen` is a digest of what it shows of the `rows` that it watches."""
    request = visit.request
    count = len(found.filter(pk__gt=newest).values_list("pk", flat=True)[:MOST_NEW])
    moving = [call for call in rows if not is_settled(call)]
    asks = {
        "newest": str(newest),
        "watch": ",".join(str(call.pk) for call in moving) or None,
        "empty": request.GET.get("empty") or (None if rows or seen else "1"),
        "seen": _digest(count, moving),
    }
    return {
        "count": count,
        "most": count == MOST_NEW,
        "seen": _digest(count, rows),
        "url": visit.to("calls-live") + query(request, **asks),
        "fresh": visit.to("calls") + query(request, **dict.fromkeys(asks)),
    }


def _digest(count: int, rows: Sequence[Call]) -> str:
    shown = sorted((str(call.pk), call.status, *_states(call)) for call in rows)
    return hashlib.sha256(json.dumps([count, shown]).encode()).hexdigest()[:16]


def _states(call: Call) -> list[str]:
    return [follow_up_state(each).words for each in call.follow_ups.all()]


def is_settled(call: Call) -> bool:
    """Whether the call's row will stay as it is."""
    if call.status in _UNDECIDED:
        return False
    return all(follow_up_state(each).settled for each in call.follow_ups.all())


@require_GET
@member
def call(visit: Visit, call_id: UUID) -> HttpResponse:
    """What was said, what was decided, and what went out."""
    found = visit.one(visit.rows(Call).select_related("agent"), call_id)
    follow_ups = visit.rows(FollowUp).filter(call=found).select_related("action", "revision", "message", "call")
    ordered = numbered(follow_ups)
    return visit.page(
        "calls/call.html",
        {
            "call": found,
            "cards": cards(ordered, visit.workspace),
            "turns": transcript.shown(found, ordered, whole=visit.request.GET.get("turns") == "all"),
            "undecided": found.status in _UNDECIDED,
            "opted_out": found.customer_number and active_opt_out(visit.workspace.pk, found.customer_number),
            "agents": _agents_to_assign(visit) if found.status == Call.Status.UNASSIGNED else {},
            "recent": is_recent(found, timezone.now()),
            "variables": {name: values for name, values in found.variables.items() if values},
            "hints": told_hints(found.hints),
            "removed": [REMOVED[each] for each in found.redacted if each in REMOVED],
            "awaits": awaits_more(found),
        },
        place="calls",
    )


def _agents_to_assign(visit: Visit) -> dict[str, str]:
    living = visit.rows(Agent).filter(deleted_at=None).order_by("name")
    return {str(pk): name for pk, name in living.values_list("pk", "name")}


@require_GET
@member
def call_live(visit: Visit, call_id: UUID) -> HttpResponse:
    """Tells the page of a call that is not decided yet to read itself again once it is."""
    found = visit.one(visit.rows(Call).defer("transcript", "variables"), call_id)
    if found.status in _UNDECIDED and not found.follow_ups.exists():
        return HttpResponse(status=204)
    return HttpResponseClientRefresh()


@require_GET
@member
def said(visit: Visit, call_id: UUID) -> HttpResponse:
    """The transcript with its quotes marked, for a reviewer who need not leave their page."""
    found = visit.one(visit.rows(Call).select_related("agent"), call_id)
    follow_ups = visit.rows(FollowUp).filter(call=found).select_related("action", "message")
    return visit.part("calls/said.html", {"call": found, "turns": transcript.shown(found, numbered(follow_ups))})


@require_GET
@actor
def raw(visit: Visit, call_id: UUID) -> HttpResponse:
    """What the platform sent, delivery by delivery: a piece for htmx, else plain text. For those who mend mappings:
    a platform may write into it what nobody else is to read, such as the keys of the tools that its agent calls."""
    found = visit.one(visit.rows(Call).defer("transcript", "variables"), call_id)
    payloads = visit.rows(RawPayload).filter(call=found).order_by("received_at")
    deliveries = [(payload.received_at, pretty(bytes(payload.body))) for payload in payloads]
    if visit.request.headers.get("HX-Request"):
        shown = [(received_at, body[:MOST_RAW], len(body) > MOST_RAW) for received_at, body in deliveries]
        return visit.part("calls/raw.html", {"call": found, "deliveries": shown})
    text = "\n\n".join(body for _, body in deliveries) or "Nothing is kept of this call’s deliveries."
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


def pretty(body: bytes) -> str:
    """JSON with line breaks; anything else as it came."""
    text = body.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


@require_POST
@actor
def judge_again(visit: Visit, call_id: UUID) -> HttpResponse:
    found = visit.one(visit.rows(Call).all(), call_id)
    if tried(visit, lambda: verbs.rejudge(visit, found)):
        flashes.success(visit.request, "The call is being judged again.")
    return visit.back(visit.to("call", call_id))


@require_POST
@actor
def read_again(visit: Visit, call_id: UUID) -> HttpResponse:
    found = visit.one(visit.rows(Call).all(), call_id)
    try:
        replayed = verbs.read_again(visit, found)
    except CannotReplay as refusal:
        flashes.error(visit.request, str(refusal))
        return visit.back(visit.to("call", call_id))
    flashes.success(visit.request, _read(replayed))
    return visit.back(visit.to("call", call_id))


def _read(replayed: Replayed) -> str:
    if not replayed.changed:
        return "Read again: nothing new."
    changed = ", ".join(CHANGED_FIELDS[each] for each in replayed.changed)
    if replayed.looked_at_again:
        return f"Read again. New: {changed}. What was left for want of it is decided anew."
    return f"Read again. New: {changed}. Nothing that was decided changes by it."
