"""How the pages write times, numbers, money and icons."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

import phonenumbers
from django import template
from django.template import Context
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from heroicons.templatetags.heroicons import heroicon_outline

from postcall.actions.message import PLACEHOLDER
from postcall.dashboard import words

register = template.Library()

# What we call an icon, and what heroicons calls it.
ICONS: Final[dict[str, str]] = {
    "overview": "chart-bar",
    "calls": "phone",
    "review": "clipboard-document-check",
    "messages": "chat-bubble-left",
    "actions": "bolt",
    "agents": "microphone",
    "logo": "chat-bubble-left-ellipsis",
    "good": "check-circle",
    "bad": "x-circle",
    "wait": "clock",
    "held": "pause-circle",
    "unsure": "question-mark-circle",
    "idle": "minus-circle",
    "send": "paper-airplane",
    "warn": "exclamation-triangle",
    "info": "information-circle",
    "in": "arrow-down-left",
    "out": "arrow-up-right",
    "sandbox": "beaker",
    "search": "magnifying-glass",
    "next": "chevron-right",
    "updown": "chevron-up-down",
    "check": "check",
    "x": "x-mark",
    "again": "arrow-path",
    "up": "arrow-up",
    "external": "arrow-top-right-on-square",
    "leave": "arrow-right-start-on-rectangle",
}


@register.simple_tag
@cache
def icon_sprite() -> SafeString:
    """Every icon once; pages refer to them, which keeps a long list small."""
    drawings = (
        (SafeString(heroicon_outline(drawing, size=None, id=f"i-{name}", stroke_width="2")),)
        for name, drawing in ICONS.items()
    )
    return format_html('<svg class="sprite" aria-hidden="true">{}</svg>', format_html_join("", "{}", drawings))


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    if name not in ICONS:
        raise KeyError(name)
    return format_html('<svg class="icon" aria-hidden="true"><use href="#i-{}"/></svg>', name)


@register.simple_tag
def status(state: words.State, extra: str = "") -> SafeString:
    """The state's icon and words; `extra` "badge" where it heads something."""
    text = state.heading if extra == "badge" else state.words
    return format_html('<span class="status {} {}">{}{}</span>', extra, state.tone, icon(state.icon), text)


@register.simple_tag(takes_context=True)
def to(context: Context, name: str, *args: object) -> str:
    """The address of a page of the workspace one is in."""
    return reverse(name, args=[context["visit"].workspace.pk, *args])


@register.simple_tag
def ago(moment: datetime | None) -> SafeString | str:
    """`3 min ago`, with the exact time in the reader's zone on hover."""
    if moment is None:
        return ""
    return _time(moment, relative(moment, timezone.now()), live=True)


@register.simple_tag
def at(moment: datetime | None) -> SafeString | str:
    """`14:37:05`, with the date on hover."""
    if moment is None:
        return ""
    return _time(moment, date_format(timezone.localtime(moment), "H:i:s"), live=False)


@register.filter
def exactly(moment: datetime) -> str:
    """`Mon 23 Nov 2026, 14:37:05 PST`, in the reader's zone."""
    return date_format(timezone.localtime(moment), "D j M Y, H:i:s T")


def _time(moment: datetime, text: str, *, live: bool) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>',
        moment.isoformat(timespec="seconds"),
        exactly(moment),
        SafeString(" data-ago") if live else "",
        text,
    )


def relative(moment: datetime, now: datetime) -> str:
    """How long ago, or how soon, in the largest unit that fits."""
    seconds = (now - moment).total_seconds()
    size = abs(seconds)
    if size < 10:
        return "just now"
    for limit, unit, word in ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (8 * 86_400, 86_400, "d")):
        if size < limit:
            amount = f"{int(size // unit)} {word}"
            return f"{amount} ago" if seconds > 0 else f"in {amount}"
    return date_format(timezone.localtime(moment), "j M Y")


@register.filter
def phone(number: str) -> str:
    """`+1 415 555 0132` for an E.164 number; anything else as it is."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL).replace("-", " ")


@register.filter
def price(message: Any) -> str:
    """What a message cost, such as `$0.0083`; empty while Twilio has not said."""
    if message.price is None:
        return ""
    amount = abs(Decimal(message.price)).normalize()
    amount = amount if amount.as_tuple().exponent <= -2 else amount.quantize(Decimal("0.01"))  # type: ignore[operator]  # finite, so an int
    return f"${amount:f}" if message.price_unit in ("", "USD") else f"{amount:f} {message.price_unit}"


@register.filter
def percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.0f} %"


@register.filter
def placeholders(text: str) -> SafeString:
    """The message with its inputs marked."""
    runs = []
    last = 0
    for found in PLACEHOLDER.finditer(text):
        runs.append((text[last : found.start()], ""))
        runs.append((found.group(), "ph"))
        last = found.end()
    runs.append((text[last:], ""))
    return format_html_join(
        "", "{}", ((format_html('<code class="ph">{}</code>', run) if kind else run,) for run, kind in runs)
    )


@register.filter
def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def spell_seconds(seconds: int) -> str:
    """`24 hours`, `90 minutes`, `45 seconds`: the largest unit that divides it."""
    for unit, word in ((3600, "hour"), (60, "minute")):
        if seconds >= unit and seconds % unit == 0:
            amount = seconds // unit
            return f"{amount} {word}" if amount == 1 else f"{amount} {word}s"
    return f"{seconds} seconds"


register.filter("platform", words.platform)
register.filter("lines", words.lines)
register.filter("caller_name", words.caller_name)
register.filter("message_state", words.message_state)


@register.filter
def spaced(word: str) -> str:
    """`customer_hung_up`, `customer-ended-call` as words."""
    return word.replace("_", " ").replace("-", " ")


@register.filter
def duration(call: Any) -> str:
    return words.duration(call.started_at, call.ended_at)
