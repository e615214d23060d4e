"""Under which rules this workspace's texts leave."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Final

import phonenumbers
from babel import Locale
from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.forms import Form
from postcall.dashboard.verbs import settings as verbs
from postcall.followups.models import Reason
from postcall.messages.editing import SendingContent, SendingRules, sending_rules, waiting_by_reason

_NUMBERS: Final = ("max_per_number_per_day", "max_messages_per_day")
_FIELDS: Final = {
    "window.start": "window_start",
    "window.end": "window_end",
    "window": "window_end",
    "valid_for_s": "valid_for_minutes",
}
_UNCONFIRMED: Final = {
    "resend_when_absent": "Send it again",
    "hold": "Let it wait for a person",
}
_WAITS: Final = {
    "": "about to go",
    Reason.OUTSIDE_SEND_WINDOW.value: "for the hours",
    Reason.BUDGET_EXCEEDED.value: "for room in the budget",
    Reason.SENDER_PAUSED.value: "for a paused sender",
    Reason.MESSAGING_NOT_CONFIGURED.value: "for a Twilio account",
}


@require_GET
@member
def rules(visit: Visit) -> HttpResponse:
    return _page(visit, Form(_as_typed(sending_rules(visit.workspace))))


def _page(visit: Visit, form: Form) -> HttpResponse:
    countries, waiting = sending_rules(visit.workspace).countries, waiting_by_reason(visit.workspace)
    return visit.page(
        "settings/rules.html",
        {
            "tab": "rules",
            "form": form,
            "countries": [(code, _names()[code]) for code in countries or ()],
            "waiting": [(count, _WAITS.get(why, "for something else")) for why, count in waiting.items()],
            "unconfirmed": _UNCONFIRMED,
        },
        place="settings",
        status=200 if form.is_well else 422,
    )


@require_POST
@actor
def save(visit: Visit) -> HttpResponse:
    """Saves the rules as they were typed, or says what is wrong with them and keeps what was typed."""
    form = Form.posted(visit.request)
    content = _content(form)
    if content is None:
        return _page(visit, form)
    verbs.change_rules(visit, content)
    flashes.success(visit.request, "Saved. What waits is looked at under the new rules.")
    return visit.back(visit.to("settings-rules"))


def _content(form: Form) -> SendingContent | None:
    """What the API takes; an empty field sets no limit."""
    start, end = form["window_start"], form["window_end"]
    if (start and not end) or (end and not start):
        form.refuse("window_end" if start else "window_start", "Enter both hours, or neither for any hour")
    for name in ("window_start", "window_end"):
        if form[name] and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", form[name], re.ASCII):
            form.refuse(name, "A time such as 09:00 is needed")
    if start and start == end:
        form.refuse("window_end", "It is the same as the first; leave both empty for any hour")
    for name in _NUMBERS:
        if form[name] and not isinstance(_number(form[name]), int):
            form.refuse(name, "A whole number is needed, or nothing for no limit")
    if not isinstance(_seconds(form["valid_for_minutes"]), int):
        form.refuse("valid_for_minutes", "A number of minutes is needed, from 1 to 10,080")
    countries = _codes(form)
    content = form.checked(
        SendingContent,
        {
            "window": {"start": start, "end": end} if start or end else None,
            "valid_for_s": _seconds(form["valid_for_minutes"]),
            **{name: _number(form[name]) if form[name] else None for name in _NUMBERS},
            "countries": countries or None,
            "unconfirmed": form["unconfirmed"],
        },
        _FIELDS,
    )
    return content if form.is_well else None


def _codes(form: Form) -> Sequence[str]:
    """The codes of the countries that were typed, as codes or by their English names."""
    by_name = {name.casefold(): code for code, name in _names().items()}
    codes: list[str] = []
    for entry in filter(None, (each.strip() for each in re.split("[,;\n]", form["countries"]))):
        if code := by_name.get(entry.casefold()):
            codes.append(code)
            continue
        for word in entry.split():
            if word.upper() not in _names():
                form.refuse("countries", f"{word} is no country; write its code, such as US, or its English name")
            codes.append(word.upper())
    return list(dict.fromkeys(codes))


@cache
def _names() -> dict[str, str]:
    """The English names of the countries that can be texted, by code."""
    territories = Locale("en").territories
    return {code: territories.get(code, code) for code in sorted(phonenumbers.SUPPORTED_REGIONS)}


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
