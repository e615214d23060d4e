"""Under which rules this workspace's texts leave."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.forms import Form
from postcall.dashboard.verbs import settings as verbs
from postcall.messages.editing import SendingContent, SendingRules, sending_rules

_NUMBERS: Final = ("max_per_number_per_day", "max_messages_per_day")
_FIELDS: Final = {
    "window.start": "window_start",
    "window.end": "window_end",
    "window": "window_end",
    "valid_for_s": "valid_for_minutes",
}


@require_GET
@member
def rules(visit: Visit) -> HttpResponse:
    return _page(visit, Form(_as_typed(sending_rules(visit.workspace))))


def _page(visit: Visit, form: Form) -> HttpResponse:
    return visit.page(
        "settings/rules.html",
        {"tab": "rules", "form": form},
        place="settings",
        status=200 if form.is_well else 422,
    )


@require_POST
@actor
def save(visit: Visit) -> HttpResponse:
    """Saves the rules as they were typed, or says what is wrong with them and keeps what was typed."""
    form = Form.posted(visit.request)
    content = form.checked(SendingContent, _as_content(form), _FIELDS)
    if content is None:
        return _page(visit, form)
    verbs.change_rules(visit, content)
    flashes.success(visit.request, "Saved. What waits is looked at under the new rules.")
    return visit.back(visit.to("settings-rules"))


def _as_content(form: Form) -> dict[str, Any]:
    """What the API takes; an empty field sets no limit."""
    start, end = form["window_start"], form["window_end"]
    return {
        "window": {"start": start, "end": end} if start or end else None,
        "valid_for_s": _seconds(form["valid_for_minutes"]),
        **{name: _number(form[name]) if form[name] else None for name in _NUMBERS},
        "countries": re.findall(r"[^\s,;]+", form["countries"]) or None,
        "unconfirmed": form["unconfirmed"],
    }


def _seconds(minutes: str) -> int | str:
    """What is no time in minutes stays as it is, to be refused."""
    return round(Decimal(minutes) * 60) if re.fullmatch(r"\d{1,7}(\.\d{1,4})?", minutes, re.ASCII) else minutes


def _minutes(seconds: int) -> str:
    return str(seconds // 60) if seconds % 60 == 0 else f"{seconds / 60:.4f}".rstrip("0")


def _number(typed: str) -> int | str:
    """What is no number stays as it is, to be refused."""
    return int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 10 else typed


def _as_typed(rules: SendingRules) -> dict[str, str]:
    limits = {name: getattr(rules, name) for name in _NUMBERS}
    return {
        "window_start": rules.window.start if rules.window else "",
        "window_end": rules.window.end if rules.window else "",
        "valid_for_minutes": _minutes(rules.valid_for_s),
        **{name: "" if limit is None else str(limit) for name, limit in limits.items()},
        "countries": ", ".join(rules.countries or ()),
        "unconfirmed": rules.unconfirmed,
    }
