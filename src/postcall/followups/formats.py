"""Restyling a value as a date, a time, a number or money, in the agent's locale and zone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import (
    NumberFormatError,
    format_currency,
    format_decimal,
    get_currency_symbol,
    get_territory_currencies,
    parse_decimal,
)

from postcall.actions.bindings import Format
from postcall.followups.snapshot import AgentAsItWas
from postcall.followups.values import Missing, as_text

# A day further from the call than this is written with its year.
_NEAR: Final = timedelta(days=250)
_SYMBOLS: Final = {"€": "EUR", "£": "GBP", "₹": "INR", "¥": "JPY", "₽": "RUB", "₺": "TRY", "₩": "KRW", "zł": "PLN"}
_MONEY: Final = re.compile(
    r"(?P<before>[A-Z]{3}|[^\d\s.,+-]{1,3})?\s*(?P<number>[-+]?\d[\d.,'’ ]*)\s*(?P<after>\D{1,3})?"
)
_PLAIN_NUMBER: Final = re.compile(r"[-+]?\d{1,30}(\.\d{1,12})?")
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?")
_LETTERS: Final = re.compile("'[^']*'|M{3,5}|E+|c+")
_NARROW_SPACES: Final = str.maketrans({"\u202f": " ", "\u00a0": " ", "\u2009": " "})


@dataclass(frozen=True)
class Moment:
    """A moment as far as it was said: `at` is in the agent's zone; without `has_day` only its clock time counts,
    without `has_time` only its day."""

    at: datetime
    has_day: bool = True
    has_time: bool = True


def formatted(value: Any, how: Format, agent: AgentAsItWas, when: datetime, currency: str | None) -> str | Missing:
    """`value` in the style `how`; relative days count from `when` (the call's start)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | datetime):
        return _unreadable(value, how)
    locale = locale_of(agent.locale)
    write: dict[Format, Callable[[], str | None]] = {
        "number": lambda: _number(value, locale),
        "money": lambda: _money(value, locale, currency),
        "date": lambda: _moment(value, agent, when, locale, _date),
        "time": lambda: _moment(value, agent, when, locale, _time),
        "datetime": lambda: _moment(value, agent, when, locale, _datetime),
    }
    text = write[how]()
    # Babel writes narrow and non-breaking spaces; one of them makes a text UCS-2 and more than doubles its price.
    return text.translate(_NARROW_SPACES) if text else _unreadable(value, how)


def _unreadable(value: Any, how: Format) -> Missing:
    plain = as_text(value)
    if isinstance(plain, Missing):
        return plain
    if how == "money" and read_plain_number(value) is not None:
        return Missing(
            "needs a currency: set one on the binding, or give the agent a locale with its country, as in en-US"
        )
    what = {
        "date": "a day",
        "time": "a time",
        "datetime": "a day and time",
        "number": "a number",
        "money": "an amount",
    }
    return Missing(f"is “{plain[:60]}” in this call, which cannot be read as {what[how]}")


def locale_of(name: str) -> Locale:
    """The locale by its BCP 47 name; else its language's; else American English."""
    for candidate in (name, name.split("-")[0], "en-US"):
        try:
            return Locale.parse(candidate, sep="-")
        except (UnknownLocaleError, ValueError, TypeError):
            continue
    raise AssertionError("babel knows en-US")


# Numbers and money.


def read_plain_number(value: Any) -> Decimal | None:
    """A JSON number, or a string of digits with at most one decimal point."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return Decimal(repr(value))
    if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value.strip()):
        return Decimal(value.strip())
    return None


def _read_number(value: Any, locale: Locale) -> Decimal | None:
    plain = read_plain_number(value)
    if plain is not None or not isinstance(value, str):
        return plain
    try:
        return parse_decimal(value.strip(), locale=locale, strict=True)
    except (NumberFormatError, InvalidOperation, ValueError):
        return None


def _number(value: Any, locale: Locale) -> str | None:
    number = _writable(_read_number(value, locale))
    return None if number is None else format_decimal(number, locale=locale, decimal_quantization=False)


def _writable(number: Decimal | None) -> Decimal | None:
    """What a person would write out; babel fails on numbers past decimal's precision."""
    if number is None or not number.is_finite() or abs(number) >= 10**15:
        return None
    exponent = number.as_tuple().exponent
    return number if isinstance(exponent, int) and exponent >= -12 else None


def _money(value: Any, locale: Locale, currency: str | None) -> str | None:
    read, said = (read_plain_number(value), None) if not isinstance(value, str) else _read_money(value, locale)
    amount = _writable(read)
    code = _currency(said, currency or _currency_of(locale), locale)
    if amount is None or code is None:
        return None
    return format_currency(amount, code, locale=locale)


def _read_money(text: str, locale: Locale) -> tuple[Decimal | None, str | None]:
    """An amount, and the currency where the value itself names one."""
    found = _MONEY.fullmatch(text.strip())
    if not found:
        return None, None
    mark = (found["before"] or found["after"] or "").strip()
    if found["before"] and (found["after"] or "").strip():
        return None, None
    if mark and mark != "$" and mark not in _SYMBOLS and not re.fullmatch("[A-Z]{3}", mark):
        return None, None
    return _read_number(found["number"], locale), _SYMBOLS.get(mark) or mark or None


def _currency(said: str | None, usual: str | None, locale: Locale) -> str | None:
    """A dollar sign is the usual currency's where that has one, else the American dollar's."""
    if said != "$":
        return said or usual
    return usual if usual and "$" in get_currency_symbol(usual, locale=locale) else "USD"


def _currency_of(locale: Locale) -> str | None:
    if not locale.territory:
        return None
    currencies = get_territory_currencies(locale.territory)
    return currencies[-1] if currencies else None


# Days and times.


def _moment(
    value: Any,
    agent: AgentAsItWas,
    when: datetime,
    locale: Locale,
    write: Callable[[Moment, Locale, datetime], str | None],
) -> str | None:
    here = when.astimezone(agent.zone)
    found = _read_moment(value, here, locale, agent.zone)
    return write(found, locale, here) if found else None


def _read_moment(value: Any, here: datetime, locale: Locale, zone: tzinfo) -> Moment | None:
    if isinstance(value, datetime):
        return Moment(value.astimezone(zone))
    if isinstance(value, int | float):
        return _from_epoch(value, zone)
    text = value.strip()
    if (iso := read_iso(text, zone)) is not None:
        return iso
    if text.isascii() and text.isdigit():
        return _from_epoch(int(text), zone)
    # Loading dateparser takes memory and a moment; most calls bring ISO 8601.
    from postcall.followups.spoken import read_spoken

    return read_spoken(text, here, locale)


def read_iso(text: str, zone: tzinfo) -> Moment | None:
    """ISO 8601: a day, a clock time, or both. Without an offset it is meant in `zone`."""
    text = text.strip()
    if clock := _CLOCK.fullmatch(text):
        return Moment(datetime.combine(date(2000, 1, 1), time(int(clock[1]), int(clock[2])), zone), has_day=False)
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        if len(text) == 10:
            return Moment(datetime.combine(date.fromisoformat(text), time(12), zone), has_time=False)
        at = datetime.fromisoformat(text)
        return Moment(at.astimezone(zone) if at.tzinfo else at.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return None


def _from_epoch(number: float, zone: tzinfo) -> Moment | None:
    """Unix seconds or milliseconds between 2001 and 2100; any other number is no moment."""
    seconds = number / 1000 if number > 1e11 else number
    if not 1e9 <= seconds <= 4.1e9:
        return None
    return Moment(datetime.fromtimestamp(seconds, UTC).astimezone(zone))


def _date(moment: Moment, locale: Locale, here: datetime) -> str | None:
    if not moment.has_day:
        return None
    near = abs(moment.at.date() - here.date()) <= _NEAR
    return format_date(moment.at.date(), _day_pattern(locale) if near else "full", locale=locale)


def _day_pattern(locale: Locale) -> str:
    """The locale's own order of weekday, day and month, without the year, both spelt out."""
    skeletons = locale.datetime_skeletons
    pattern = str(skeletons.get("MMMMEd") or skeletons.get("MMMEd") or locale.date_formats["full"])
    return _LETTERS.sub(lambda part: {"M": "MMMM", "E": "EEEE", "c": "EEEE"}.get(part[0][0], part[0]), pattern)


def _time(moment: Moment, locale: Locale, here: datetime) -> str | None:  # noqa: ARG001  # one shape for all three
    if not moment.has_time:
        return None
    return format_time(moment.at.time(), "short", locale=locale)


def _datetime(moment: Moment, locale: Locale, here: datetime) -> str | None:
    """The day and the time; the day alone where no time was said; never a time without its day."""
    day, clock = _date(moment, locale, here), _time(moment, locale, here)
    if day is None or clock is None:
        return day
    return str(locale.datetime_formats["medium"]).replace("{1}", day).replace("{0}", clock).replace("'", "")
