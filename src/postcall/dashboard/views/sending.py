"""How this workspace's texts leave, and how to change it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST
from pydantic import ValidationError

from postcall.config import config
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.verbs import settings as verbs
from postcall.messages.editing import SendingContent, SendingRules, sending_rules
from postcall.messages.models import SendingAccount
from postcall.messages.recheck import CannotRecheck
from postcall.shapes import storable
from postcall.sources.models import Source
from postcall.sources.reading import errors_of

_NUMBERS: Final = ("max_per_number_per_day", "max_messages_per_day")


@require_GET
@member
def sending(visit: Visit) -> HttpResponse:
    return _page(visit, _as_typed(sending_rules(visit.workspace)))


def _page(visit: Visit, typed: Mapping[str, str], problems: Sequence[str] = ()) -> HttpResponse:
    now = visit.rows(SendingAccount).select_related("account").first()
    return visit.page(
        "settings/sending.html",
        {
            "account": now.account if now else None,
            "typed": typed,
            "problems": problems,
            "sources": visit.rows(Source).filter(deleted_at=None).order_by("created_at"),
            "base_url": config().base_url,
        },
        place="settings",
        status=422 if problems else 200,
    )


@require_POST
@actor
def change_rules(visit: Visit) -> HttpResponse:
    """Saves the rules as they were typed, or says what is wrong with them and keeps what was typed."""
    typed = {name: storable(str(value)).strip() for name, value in visit.request.POST.items()}
    try:
        content = SendingContent.model_validate(_as_content(typed))
    except ValidationError as error:
        return _page(visit, typed, [f"{_NAMES.get(name, name)}: {said}" for name, said in errors_of(error)])
    verbs.change_rules(visit, content)
    flashes.success(visit.request, "Saved. What waits is looked at under the new rules.")
    return visit.back(visit.to("settings"))


_NAMES: Final = {
    "window": "Hours",
    "window.start": "Hours, from",
    "window.end": "Hours, to",
    "max_per_number_per_day": "Texts to a number a day",
    "max_messages_per_day": "Texts a day",
    "valid_for_s": "Minutes in which a text makes sense",
    "unconfirmed": "A text that Twilio never took",
}


def _as_content(typed: Mapping[str, str]) -> dict[str, Any]:
    """What the API takes; an empty field sets no limit."""
    start, end = typed.get("window_start", ""), typed.get("window_end", "")
    return {
        "window": {"start": start, "end": end} if start or end else None,
        "valid_for_s": _seconds(typed.get("valid_for_minutes", "")),
        **{name: None if not typed.get(name) else _number(typed[name]) for name in _NUMBERS},
        "countries": re.findall(r"[^\s,;]+", typed.get("countries", "")) or None,
        "unconfirmed": typed.get("unconfirmed", ""),
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


@require_POST
@actor
def recheck(visit: Visit) -> HttpResponse:
    """Asks Twilio again, says what it found, and lets go what is well."""
    try:
        found = verbs.recheck(visit)
    except CannotRecheck as problem:
        flashes.error(visit.request, str(problem))
        return visit.back(visit.to("settings"))
    for finding in found.findings:
        if not finding.well:
            flashes.error(visit.request, f"{finding.message} {finding.fix}".strip())
    if found.well:
        said = " ".join(finding.message for finding in found.findings)
        flashes.success(visit.request, f"{said} {_looked_at(found.looked_at)}")
    return visit.back(visit.to("settings"))


def _looked_at(texts: int) -> str:
    if not texts:
        return "No text was waiting for it."
    return f"{texts} held {'text is' if texts == 1 else 'texts are'} looked at again."
