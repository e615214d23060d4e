"""For how long a workspace keeps what was said."""

from __future__ import annotations

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.dashboard.access import Visit, member, owner
from postcall.dashboard.forms import Form
from postcall.dashboard.verbs import settings as verbs
from postcall.keeping.retention import MOST_COUNTED, RetentionContent, would_go
from postcall.work import clock

_DAYS = "days"


@require_GET
@member
def retention(visit: Visit) -> HttpResponse:
    days = visit.workspace.retention_days
    return _page(visit, Form({"keep": "forever" if days is None else _DAYS, "days": str(days or 90)}))


def _page(visit: Visit, form: Form, *, asks_of: int = 0) -> HttpResponse:
    """`asks_of` calls would lose their words: that is a question first."""
    now = would_go(visit.workspace, visit.workspace.retention_days, clock.now())
    return visit.page(
        "settings/retention.html",
        {
            "tab": "retention",
            "form": form,
            "days": visit.workspace.retention_days,
            "going": _counted(now),
            "asks_of": _counted(asks_of),
        },
        place="settings",
        status=200 if form.is_well else 422,
    )


def _counted(calls: int) -> str:
    if not calls:
        return ""
    if calls >= MOST_COUNTED:
        return f"More than {MOST_COUNTED - 1:,} calls"
    return f"{calls:,} call{'' if calls == 1 else 's'}"


@require_POST
@owner
def save(visit: Visit) -> HttpResponse:
    """What takes away the words of calls that are kept by now is asked about first."""
    form = Form.posted(visit.request)
    content = _content(form)
    if content is None:
        return _page(visit, form)
    now = clock.now()
    more = would_go(visit.workspace, content.days, now)
    if more > would_go(visit.workspace, visit.workspace.retention_days, now) and not form.ticked("sure"):
        return _page(visit, form, asks_of=more)
    verbs.change_retention(visit, content)
    flashes.success(visit.request, "Saved." if not more else "Saved. What is older goes within the hour.")
    return visit.back(visit.to("settings-retention"))


def _content(form: Form) -> RetentionContent | None:
    typed = form["days"]
    is_number = typed.isascii() and typed.isdecimal() and 0 < len(typed) < 6 and 1 <= int(typed) <= 36_500
    if form["keep"] == _DAYS and not is_number:
        form.refuse("days", "A whole number of days from 1 to 36,500 is needed")
    if form["keep"] not in (_DAYS, "forever"):
        form.refuse("keep", "Choose for how long")
    if not form.is_well:
        return None
    return RetentionContent(days=int(typed) if form["keep"] == _DAYS else None)
