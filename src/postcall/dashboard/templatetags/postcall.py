"""How the pages write times, numbers, money and icons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import phonenumbers
from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from postcall.actions.message import PLACEHOLDER
from postcall.dashboard import words
from postcall.dashboard.forms import Form
from postcall.dashboard.icons import address
from postcall.messages.prices import Estimate

register = template.Library()


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>', address(name))


@register.simple_tag
def status(state: words.State, extra: str = "") -> SafeString:
    """The state's icon and words; `extra` "badge" where it heads something."""
    text = state.heading if extra == "badge" else state.words
    return format_html('<span class="status {} {}">{}{}</span>', extra, state.tone, icon(state.icon), text)


@register.simple_tag
def field(
    form: Form,
    name: str,
    label: str,
    *,
    kind: str = "text",
    hint: str = "",
    options: Mapping[str, str] | None = None,
    id: str = "",
    **attributes: Any,
) -> SafeString:
    """A labelled control with what is wrong with it and its hint, both told to screen readers.

    `kind`: an input's type, `textarea` or `select` (with `options`, words by value). An attribute's underscores
    stand for hyphens; True writes its name alone, False leaves it out.
    """
    id, problem = id or name, form.problems.get(name)
    described = [f"{id}-error"] if problem else []
    described += [f"{id}-hint"] if hint else []
    told = {
        **attributes,
        "aria_invalid": "true" if problem else False,
        "aria_describedby": " ".join(described) or False,
    }
    context = {
        "id": id,
        "name": name,
        "label": label,
        "kind": kind,
        "hint": hint,
        "options": options or {},
        "value": "" if kind == "password" else form[name],
        "problem": problem,
        "attributes": _attributes(told),
    }
    return SafeString(render_to_string("dashboard/field.html", context).strip())


def _attributes(given: Mapping[str, Any]) -> SafeString:
    shown = [(name.replace("_", "-"), value) for name, value in given.items() if value not in (False, None)]
    return format_html_join(
        "",
        "{}",
        (
            (format_html(" {}", name) if value is True else format_html(' {}="{}"', name, value),)
            for name, value in shown
        ),
    )


@register.simple_tag
def copyable(id: str, label: str, value: str) -> SafeString:
    """Something to take along: a field that cannot be changed, and a button that copies it where script runs."""
    return SafeString(
        render_to_string("dashboard/copyable.html", {"id": id, "label": label, "value": value}).strip()
    )


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
    return money(abs(Decimal(message.price)), message.price_unit)


@register.filter
def price_so_far(message: Any) -> str:
    """`price`, or why there is none."""
    return price(message) or ("none" if message.status in words.WITHOUT_PRICE else "not known yet")


@register.filter
def money(amount: Decimal, currency: str) -> str:
    """`$12.40`, `$0.0083` or `0.07 EUR`: to the cent, and further where digits are there."""
    exact = amount.normalize()
    exact = exact if exact.as_tuple().exponent <= -2 else exact.quantize(Decimal("0.01"))  # type: ignore[operator]  # finite, so an int
    return f"${exact:,f}" if currency in ("", "USD") else f"{exact:,f} {currency}"


@register.filter
def about(estimate: Estimate) -> str:
    """A price that is only estimated, such as `$0.017`."""
    amount = estimate.amount.quantize(Decimal("0.001")) if estimate.amount < 1 else round(estimate.amount, 2)
    return f"${amount:f}" if estimate.currency == "USD" else f"{amount:f} {estimate.currency}"


@register.filter
def since(moment: datetime) -> str:
    """`3 min ago`, where no element may stand."""
    return relative(moment, timezone.now())


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
register.filter("awaits_more", words.awaits_more)
register.filter("ending", words.ending)
register.filter("lines", words.lines)
register.filter("caller_name", words.caller_name)
register.filter("message_state", words.message_state)


@register.filter
def sentence(text: str) -> str:
    """With a capital letter, unless it begins with an e-mail address."""
    return text if "@" in text.partition(" ")[0] else text[:1].upper() + text[1:]


@register.filter
def spaced(word: str) -> str:
    """`customer_hung_up`, `customer-ended-call` as words."""
    return word.replace("_", " ").replace("-", " ")


@register.filter
def duration(call: Any) -> str:
    return words.duration(call.started_at, call.ended_at)
