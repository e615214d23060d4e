"""Is everything going out, and what needs attention."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseClientRefresh

from postcall.alerts.attention import matters
from postcall.alerts.matters import Kind, Matter, Place, Target, Tone
from postcall.calls.models import Call
from postcall.dashboard.access import Visit, member
from postcall.dashboard.chart import chart
from postcall.dashboard.checklist import checklist
from postcall.dashboard.figures import (
    DAYS,
    WEEK,
    Counts,
    a_week_before,
    by_action,
    count,
    days,
    lately,
    midnight,
    would_have_sent,
)
from postcall.followups.models import FollowUp
from postcall.messages.pausing import pauses
from postcall.sources.models import Source
from postcall.work import clock

MOST_ACTIONS: Final = 8

_ICONS: Final[dict[Tone, str]] = {"bad": "bad", "wait": "wait", "idle": "idle"}
_ICONS_OF_KINDS: Final[dict[Kind, str]] = {
    Kind.ACCOUNT: "warn",
    Kind.CREDENTIALS: "key",
    Kind.PAUSED: "warn",
    Kind.WORK: "warn",
    Kind.REFUSED: "block",
    Kind.SILENT: "wait",
    Kind.WEBHOOK: "link",
    Kind.UNREGISTERED: "warn",
    Kind.FAILED: "bad",
    Kind.HELD: "held",
    Kind.UNCONFIRMED: "unsure",
    Kind.UNKNOWN_AGENT: "agents",
}
# Where a thing is mended: the name of its page and the word on the button.
_PAGES: Final[dict[Place, tuple[str, str]]] = {
    "twilio": ("settings-twilio", "Choose"),
    "messages": ("messages", "Show"),
    "review": ("review", "Review"),
    "calls": ("calls", "Show"),
    "unknown_agents": ("unknown-agents", "Assign"),
    "platforms": ("settings-platforms", "Open"),
    "judge": ("calls", "Show"),
    "webhooks": ("webhook", "Open"),
    "action": ("action", "Open"),
    "agent": ("agent", "Open"),
}


@dataclass(frozen=True)
class ToDo:
    """Something that needs a person, with its mend; `presses`: its button does something at once. No `link`: it is
    mended elsewhere."""

    id: str
    tone: Tone
    icon: str
    title: str
    mend: str
    link: str
    button: str
    presses: bool = False


@require_GET
@member
def overview(visit: Visit) -> HttpResponse:
    now = clock.now()
    context = {**_context(visit, now, _today(visit, now)), "checklist": checklist(visit)}
    return visit.page("overview/overview.html", context, place="overview")


@require_GET
@member
def live(visit: Visit) -> HttpResponse:
    """The pieces of the page that have changed since it was read. 204: none, as far as a short look tells."""
    now = clock.now()
    seen = dict(each.split(":", 1) for each in visit.request.GET.get("seen", "").split(",") if ":" in each)
    today = _today(visit, now)
    if seen.get("pulse") == _pulse(visit, now, today):
        return HttpResponse(status=204)
    context = _context(visit, now, today)
    if context["chart"] and "chart" not in visit.request.GET:
        return HttpResponseClientRefresh()
    context["changed"] = [piece for piece in context["pieces"] if seen.get(piece.name) != piece.digest]
    return visit.part("overview/live.html", context)


@dataclass(frozen=True)
class Piece:
    """A part of the page that is replaced by itself; `template` is its content."""

    name: str
    content: str

    @property
    def digest(self) -> str:
        return _digest(self.content)


_PIECES: Final = ("head", "stats", "todo", "chart", "figures", "by_action")


def _today(visit: Visit, now: datetime) -> Counts:
    return count(visit.workspace, midnight(now), now + timedelta(minutes=1))


def _context(visit: Visit, now: datetime, today: Counts) -> dict[str, Any]:
    pulse = _pulse(visit, now, today)
    context = _content(visit, now, today)
    request = visit.request
    pieces = [
        Piece(name, render_to_string(f"dashboard/overview/{name}.html", {"visit": visit, **context}, request))
        for name in _PIECES
    ]
    seen = ",".join([f"pulse:{pulse}", *(f"{piece.name}:{piece.digest}" for piece in pieces)])
    return {**context, "pieces": pieces, "piece": {piece.name: piece.content for piece in pieces}, "seen": seen}


def _content(visit: Visit, now: datetime, today: Counts) -> dict[str, Any]:
    todos = [_to_do(visit, matter) for matter in matters(visit.workspace, now)]
    groups = lately(visit.workspace, now)
    shown = days(groups, now)
    return {
        "today": today,
        "before": count(visit.workspace, midnight(now) - WEEK, a_week_before(now)),
        "todos": todos,
        "heading": heading(today, todos),
        "held_count": visit.rows(FollowUp).filter(outcome=FollowUp.Outcome.HELD).count(),
        "has_calls": visit.rows(Call).exists(),
        "would_have_sent": would_have_sent(groups, midnight(now).date()),
        "week_ago": a_week_before(now),
        "now": now,
        "days": shown,
        "chart": chart(shown) if any(day.bars for day in shown) else None,
        "day_count": DAYS,
        "actions": by_action(visit.workspace, groups, MOST_ACTIONS),
    }


def _pulse(visit: Visit, now: datetime, today: Counts) -> str:
    """Another one whenever the page may have changed: by cheap questions, and once a minute in any case."""
    held = visit.rows(FollowUp).filter(outcome=FollowUp.Outcome.HELD)
    sources = visit.rows(Source).filter(deleted_at=None).order_by("pk")
    return _digest(
        [
            str(today),
            held.count(),
            _newest(visit.rows(FollowUp).filter(outcome=FollowUp.Outcome.SKIPPED)),
            _newest(visit.rows(Call)),
            [str(pause) for pause in pauses(visit.workspace.pk)],
            [str(each) for each in sources.values_list("pk", "last_rejected_at")],
            now.replace(second=0, microsecond=0).isoformat(),
            visit.membership.role,
        ]
    )


def _newest(rows: Any) -> str:
    return str(rows.order_by("-pk").values_list("pk", flat=True).first())


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def heading(today: Counts, todos: Sequence[ToDo]) -> str:
    """The answer at first glance."""
    if any(todo.tone == "bad" for todo in todos):
        if today.sent and today.failed * 10 <= today.sent and not any(todo.presses for todo in todos):
            return "Nearly everything is going out"
        return "Some texts are not going out"
    if any(todo.tone == "wait" for todo in todos):
        return "Texts are going out; some wait for you"
    return "Everything is going out" if today.sent else "Nothing needs you"


def _to_do(visit: Visit, matter: Matter) -> ToDo:
    link, button, presses = _way(visit, matter.target)
    return ToDo(
        f"todo-{_digest(matter.key)}",
        matter.tone,
        _ICONS_OF_KINDS.get(matter.kind, _ICONS[matter.tone]),
        matter.title,
        matter.mend,
        link,
        button,
        presses,
    )


def _way(visit: Visit, target: Target) -> tuple[str, str, bool]:
    """The address where it is mended, the button's word, and whether pressing it does something."""
    if target.place == "recheck":
        return (
            (visit.to("recheck"), "Recheck", True)
            if visit.may_act
            else (visit.to("settings-twilio"), "Show", False)
        )
    if not target.place:
        return "", "", False
    page, button = _PAGES[target.place]
    arguments = [target.id] if target.id else []
    query = {**_QUERIES.get(target.place, {}), **target.query}
    asked = f"?{urlencode(query, doseq=True)}" if query else ""
    return visit.to(page, *arguments) + asked, button, False


_QUERIES: Final[dict[Place, dict[str, tuple[str, ...]]]] = {
    "judge": {"reason": ("judge_failed",)},
}
