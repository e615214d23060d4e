"""Going somewhere by its name, and to a call by its number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.http import HttpResponse, QueryDict
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from postcall.actions.models import Action
from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.dashboard import searching
from postcall.dashboard.access import Visit, member
from postcall.dashboard.templatetags.postcall import phone
from postcall.dashboard.words import caller_name
from postcall.shapes import storable

MOST_OF_A_KIND: Final = 5

# Where one can go by name: words, icon, other words by which one may look for it, and what only owners or people
# who may act see.
_PLACES: Final = (
    ("overview", "Overview", "overview", "home today attention", ""),
    ("agents", "Agents", "agents", "voice", ""),
    ("actions", "Actions, Post-call SMS", "actions", "texts conditions sms backtest cases", ""),
    ("action-create", "Create an action", "add", "new text condition post-call sms", "acts"),
    ("agent-new", "New agent", "add", "create voice", "acts"),
    ("calls", "Calls", "calls", "log", ""),
    ("why", "Why did a number get no text?", "unsure", "calls missing nothing sent reason", ""),
    ("review", "Review", "review", "held approve waiting", ""),
    ("messages", "Messages", "messages", "texts sms sent delivered failed", ""),
    ("settings-twilio", "Settings, Twilio", "settings", "account sender sandbox", ""),
    ("settings-platforms", "Settings, Voice platforms", "settings", "sources webhook vapi retell synthflow", ""),
    ("settings-rules", "Settings, Sending rules", "settings", "hours window cap countries", ""),
    ("settings-judge", "Settings, Judge", "settings", "model verdicts", ""),
    ("opt-outs", "Settings, Opt-outs", "settings", "stop blocked numbers", ""),
    ("settings-webhooks", "Settings, Webhooks", "settings", "endpoint notify program standard webhooks out", ""),
    ("settings-alerts", "Settings, Alerts", "settings", "e-mail webhook notify told", ""),
    ("members", "Settings, Members", "settings", "people roles invite invitations", ""),
    ("settings-keys", "Settings, API keys", "settings", "programs secrets", ""),
    ("usage", "Settings, Usage and cost", "settings", "price money spent report csv", ""),
    ("settings-retention", "Settings, Retention", "settings", "forget delete days privacy", ""),
    ("settings-audit", "Settings, Audit log", "settings", "who changed history export", "acts"),
    ("settings-general", "Settings, Workspace", "settings", "name rename", ""),
    ("my-phone", "My phone", "device", "test texts own number", ""),
)


@dataclass(frozen=True)
class Place:
    """Somewhere to go: what it is called, what it is, and its address."""

    words: str
    sub: str
    icon: str
    address: str


@require_GET
@member
def go(visit: Visit) -> HttpResponse:
    """What fits the words typed: a piece for the palette, a page where there is no script."""
    text = storable(visit.request.GET.get("q", "")).strip()[:200]
    context = {"places": list(found(visit, text)), "q": text}
    if visit.request.headers.get("HX-Request"):
        return visit.part("go/places.html", context)
    return visit.page("go/go.html", context)


def found(visit: Visit, text: str) -> Iterator[Place]:
    """The calls of a number first, then pages, actions and agents by their names, then the log's search."""
    if searching.number_in(text):
        yield from _calls(visit, text)
        yield Place(
            f"Why did {text} get no text?", "", "unsure", visit.to("why") + "?" + urlencode({"number": text})
        )
    yield from _pages(visit, text)
    if text:
        yield from _named(visit, text)
        yield Place(
            f"Search the calls for “{text}”", "", "search", visit.to("calls") + "?" + urlencode({"q": text})
        )


def _pages(visit: Visit, text: str) -> Iterator[Place]:
    wanted = text.lower().split()
    for name, words, icon, others, whose in _PLACES:
        allowed = {"acts": visit.may_act, "owns": visit.is_owner}.get(whose, True)
        if allowed and all(word in f"{words} {others}".lower() for word in wanted):
            yield Place(words, "", icon, visit.to(name))


def _named(visit: Visit, text: str) -> Iterator[Place]:
    for action in (
        visit.rows(Action).filter(deleted_at=None, name__icontains=text).order_by("name")[:MOST_OF_A_KIND]
    ):
        yield Place(action.name, "Action", "actions", visit.to("action", action.pk))
    for agent in visit.rows(Agent).filter(deleted_at=None, name__icontains=text).order_by("name")[:MOST_OF_A_KIND]:
        yield Place(agent.name, "Agent", "agents", visit.to("agent", agent.pk))


def _calls(visit: Visit, text: str) -> Iterator[Place]:
    asked = QueryDict(mutable=True)
    asked["q"] = text
    calls = searching.find_calls(visit.workspace, asked).select_related("agent").defer("transcript")
    for call in calls.order_by("-pk")[:MOST_OF_A_KIND]:
        yield Place(
            _who(call),
            f"Call, {date_format(timezone.localtime(call.received_at), 'j M, H:i')}",
            "calls",
            visit.to("call", call.pk),
        )


def _who(call: Call) -> str:
    return " ".join(filter(None, (caller_name(call), phone(call.customer_number or call.customer_number_raw))))
