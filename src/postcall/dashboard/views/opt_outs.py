"""Who must not be texted, how and when they said so, and taking that back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from django.contrib import messages as flashes
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.forms import Form
from postcall.dashboard.paging import newest_first
from postcall.dashboard.templatetags.postcall import phone
from postcall.dashboard.verbs import opt_outs as verbs
from postcall.followups.models import OptOut
from postcall.followups.optouts import BY_STOP, active_opt_out, hashed, is_hashed
from postcall.numbers import e164

PAGE_SIZE: Final = 50
LONGEST_QUOTE: Final = 2_000
NOT_A_NUMBER: Final = "Type a phone number with its country code, such as +14155550132."

# By origin: how it was said, in words, and the icon beside them.
ORIGINS: Final[dict[str, tuple[str, str]]] = {
    OptOut.Origin.STOP: ("Texted STOP", "messages"),
    OptOut.Origin.SAID: ("Said so during a call", "calls"),
    OptOut.Origin.OPERATOR: ("Recorded by hand", "person"),
    OptOut.Origin.TWILIO: ("Twilio refused a text: STOP", "block"),
    OptOut.Origin.ERASED: ("Asked to be forgotten", "archive"),
}
SHOWN: Final = {"": "In force", "ended": "Taken back"}


@dataclass(frozen=True)
class Entry:
    """An opt-out as the page shows it. `number` is empty where its owner was erased, unless the reader has asked
    for exactly that number."""

    row: OptOut
    number: str
    erased: bool

    @property
    def by_stop(self) -> bool:
        return self.row.origin in BY_STOP

    @property
    def words(self) -> str:
        return ORIGINS[self.row.origin][0]

    @property
    def icon(self) -> str:
        return ORIGINS[self.row.origin][1]


@require_GET
@member
def opt_outs(visit: Visit) -> HttpResponse:
    """`?q=` digits of the number, `?origin=`, `?show=ended` those that were taken back."""
    return _page(visit, Form())


def _page(visit: Visit, form: Form) -> HttpResponse:
    asked = visit.request.GET
    number = e164(asked.get("q", ""))
    rows = _asked_for(visit, number).select_related("call")
    page = newest_first(visit.request, rows, PAGE_SIZE)
    return visit.page(
        "settings/opt_outs.html",
        {
            "tab": "opt-outs",
            "form": form,
            "page": page,
            "entries": [_entry(row, number) for row in page.rows],
            "going": _about_to_go(visit),
            "asked": asked,
            "asking": any(asked.get(key) for key in ("q", "origin", "show")),
            "shown": SHOWN,
            "origins": {origin: words for origin, (words, _) in ORIGINS.items()},
        },
        place="settings",
        status=200 if form.is_well else 422,
    )


def _asked_for(visit: Visit, number: str | None) -> QuerySet[OptOut]:
    """A whole number also finds its owner's erased opt-out, which no part of it does."""
    asked = visit.request.GET
    rows = visit.rows(OptOut).filter(ended_at__isnull=asked.get("show") != "ended")
    if (origin := asked.get("origin")) in ORIGINS:
        rows = rows.filter(origin=origin)
    if not asked.get("q", "").strip():
        return rows
    digits = re.sub(r"\D", "", asked["q"], flags=re.ASCII)
    if number:
        return rows.filter(Q(number__contains=digits) | Q(number=hashed(visit.workspace.pk, number)))
    return rows.filter(number__contains=digits) if digits else rows.none()


def _entry(row: OptOut, asked_for: str | None = None) -> Entry:
    erased = is_hashed(row.number)
    return Entry(row, (asked_for or "") if erased else row.number, erased)


def _about_to_go(visit: Visit) -> Entry | None:
    """The opt-out that `?take_back=` a number asks to be taken back; what that means is said first."""
    number = e164(visit.request.GET.get("take_back", ""))
    row = active_opt_out(visit.workspace.pk, number) if number and visit.may_act else None
    return _entry(row, number) if row else None


@require_POST
@actor
def add(visit: Visit) -> HttpResponse:
    form = Form.posted(visit.request)
    number = e164(form["number"])
    if number is None:
        form.refuse("number", NOT_A_NUMBER)
    if len(form["quote"]) > LONGEST_QUOTE:
        form.refuse("quote", f"At most {LONGEST_QUOTE:,} characters, please")
    if number is None or not form.is_well:
        return _page(visit, form)
    _block(visit, number, form["quote"])
    return visit.back(visit.to("opt-outs"))


@require_POST
@actor
def block(visit: Visit) -> HttpResponse:
    """The button of a call's page: POST `number`, and `next` where to go on."""
    number = e164(Form.posted(visit.request)["number"])
    if number is None:
        flashes.error(visit.request, NOT_A_NUMBER)
    else:
        _block(visit, number)
    return visit.back(visit.to("opt-outs"))


def _block(visit: Visit, number: str, quote: str = "") -> None:
    if verbs.block(visit, number, quote):
        flashes.success(visit.request, f"{phone(number)} gets no texts of this workspace any more.")
    else:
        flashes.info(visit.request, f"{phone(number)} had opted out already.")


@require_POST
@actor
def take_back(visit: Visit) -> HttpResponse:
    number = e164(Form.posted(visit.request)["number"])
    if number and verbs.take_back(visit, number):
        flashes.success(visit.request, f"{phone(number)} may be texted again.")
    else:
        flashes.error(visit.request, "This number is not opted out.")
    return visit.back(visit.to("opt-outs"))
