"""What was sent and what it cost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final, cast
from urllib.parse import urlencode

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from postcall.dashboard.access import Visit, member
from postcall.dashboard.forms import Form
from postcall.reports.tables import CONTENT_TYPE, lines
from postcall.reports.usage import HEAD, LONGEST, GroupBy, table, usage
from postcall.work import clock

GROUPS: Final[dict[str, str]] = {"agent": "Agent", "action": "Action", "month": "Month"}


def _month(day: date, back: int) -> date:
    month = day.year * 12 + day.month - 1 - back
    return date(month // 12, month % 12 + 1, 1)


# By name: its words, and the first and last day as of today.
_RANGES: Final[dict[str, tuple[str, Callable[[date], tuple[date, date]]]]] = {
    "month": ("This month", lambda today: (_month(today, 0), today)),
    "last-month": ("Last month", lambda today: (_month(today, 1), _month(today, 0) - timedelta(days=1))),
    "30d": ("Last 30 days", lambda today: (today - timedelta(days=29), today)),
    "90d": ("Last 90 days", lambda today: (today - timedelta(days=89), today)),
    "12m": ("Last 12 months", lambda today: (_month(today, 11), today)),
}


@require_GET
@member
def report(visit: Visit) -> HttpResponse:
    """Days are those of UTC, as months are. `from` and `to` are days, both of them included."""
    form, since, until = _asked(visit)
    by = cast(GroupBy, visit.request.GET.get("by") if visit.request.GET.get("by") in GROUPS else "agent")
    asks = {key: form[key] for key in ("range", "from", "to") if form[key]}
    found = usage(visit.workspace, _midnight(since), _midnight(until + timedelta(days=1)), by)
    if visit.request.GET.get("format") == "csv" and form.is_well:
        name = f"usage-by-{by}-{since:%Y-%m-%d}-{until:%Y-%m-%d}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(lines(HEAD, table(found)), content_type=CONTENT_TYPE, headers=headers)
    return visit.page(
        "reports/usage.html",
        {
            "form": form,
            "tab": "usage",
            "report": found,
            "days": (form["from"] or since.isoformat(), form["to"] or until.isoformat()),
            "since": since,
            "until": until,
            "by": by,
            "range": form["range"],
            "groups": [(words, by == key, _query(asks, by=key)) for key, words in GROUPS.items()],
            "group": GROUPS[by],
            "ranges": [
                (words, form["range"] == key, _query({"range": key}, by=by)) for key, (words, _) in _RANGES.items()
            ],
            "csv": _query(asks, by=by, format="csv"),
        },
        place="settings",
        status=200 if form.is_well else 422,
    )


def _asked(visit: Visit) -> tuple[Form, date, date]:
    """The stretch of days that the address asks for; this month where it asks for none, or wrongly."""
    today = clock.now().astimezone(UTC).date()
    asked = visit.request.GET
    form = Form({key: asked.get(key, "") for key in ("range", "from", "to")})
    this_month = _RANGES["month"][1](today)
    if not form["from"] and not form["to"]:
        if form["range"] not in _RANGES:
            form.typed["range"] = "month"
        return form, *_RANGES[form["range"]][1](today)
    form.typed["range"] = ""
    since, until = _day(form, "from"), _day(form, "to")
    if form.is_well and since and until:
        if since > until:
            form.refuse("from", "The first day comes after the last one.")
        elif until - since >= LONGEST:
            form.refuse("from", f"A report is of {LONGEST.days} days at most.")
        else:
            return form, since, until
    return form, *this_month


def _day(form: Form, name: str) -> date | None:
    try:
        found = date.fromisoformat(form[name])
    except ValueError:
        form.refuse(name, "A day such as 2026-03-31 is needed.")
        return None
    if not 2000 <= found.year <= 9000:
        form.refuse(name, "A day of this century is needed.")
    return found


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _query(asks: dict[str, str], **more: str) -> str:
    return "?" + urlencode(asks | more)
