"""Reading days and times as people say them: "tomorrow at 3", "Thursday, March 5", "mañana a las 10:30".

What could mean two things is not read at all: no text is better than one with a wrong day.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final

from babel import Locale
from babel.dates import get_day_names
from dateparser.date import DateData, DateDataParser

from postcall.followups.formats import Moment

MAX_LENGTH: Final = 60
_ARTICLES: Final = re.compile(
    r"^(?:(?:on|this|coming|by|for|el|la|este|esta|para|le|ce|am|an|den|der|dem|no|na|il)\s+)+", re.IGNORECASE
)
_AT: Final = re.compile(
    r"\b(?:at|um|gegen|a\s+las?|a\s+la|alle|às|as|à)\s+(\d{1,2})(?:[:.h](\d\d))?(?!\d)(?!\s*(?:[ap]\.?\s?m|[:.]\d))"
    r"(?:\s*(?:o['’]clock|uhr|h|horas|heures)\b)?",
    re.IGNORECASE,
)
_CLOCK: Final = re.compile(r"\b\d{1,2}:\d\d\b|\b\d{1,2}\s*[ap]\.?\s?m\b", re.IGNORECASE)
_LATE: Final = re.compile(
    r"\b(?:tonight|this evening|in the (?:afternoon|evening)|de la (?:tarde|noche)|abends)\b", re.I
)
_EARLY: Final = re.compile(r"\b(?:in the morning|this morning|de la mañana|morgens)\b", re.IGNORECASE)
_ONLY_A_TIME: Final = re.compile(
    r"(?:at\s+)?\d{1,2}(?:[:.]\d\d)?\s*(?:[ap]\.?\s?m\.?|uhr|h|o['’]clock)?|noon|midnight|mediodía|mittags?",
    re.IGNORECASE,
)
_NEXT_WEEKDAY: Final = re.compile(
    r"\bnext\s+(monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b", re.IGNORECASE
)
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)|\d{1,2}([./-])\d{1,2}\1\d\d(?!\d)|['’]\d\d(?!\d)")
# A day without its year is taken for the coming one; further ahead than this it is more likely one just past.
_AHEAD: Final = timedelta(days=300)
# dateparser reads "5" as a day of some month; a number alone says nothing.
_NO_WORDS: Final = re.compile(r"[\d\s]*")


def read_spoken(text: str, here: datetime, locale: Locale) -> Moment | None:
    """The moment that `text` means, said at `here` (aware, in the agent's zone); None where it is not clear."""
    text = " ".join(text.split())
    if len(text) > MAX_LENGTH or _NO_WORDS.fullmatch(text) or _may_mean_two_weeks(text, here):
        return None
    plain = _with_clock_time(_NEXT_WEEKDAY.sub(r"\1", _ARTICLES.sub("", text)))
    found = _parse(plain, here, locale)
    if found is None or found.date_obj is None or found.period not in ("day", "time", "part_of_day"):
        return None
    at = _in_its_year(text, found.date_obj.replace(tzinfo=here.tzinfo), here)
    if at is None or _contradicts(text, at, locale):
        return None
    return Moment(at, has_day=not _ONLY_A_TIME.fullmatch(text), has_time=_says_time(found.period, plain))


def _parse(text: str, here: datetime, locale: Locale) -> DateData | None:
    # Its own clock is never asked: everything relative counts from RELATIVE_BASE.
    settings: dict[str, Any] = {
        "RELATIVE_BASE": here.replace(tzinfo=None),
        "PREFER_DATES_FROM": "future",
        "RETURN_TIME_AS_PERIOD": True,
    }
    try:
        parser = DateDataParser(languages=[locale.language], region=locale.territory, settings=settings)
    except ValueError:
        return None  # a language that it does not know
    return parser.get_date_data(text)


def _in_its_year(text: str, at: datetime, here: datetime) -> datetime | None:
    """`at`, or today where today's date is named; None where no year is and the day may just be past."""
    if _YEAR.search(text) or at.date() - here.date() <= _AHEAD:
        return at
    return at.replace(year=here.year) if (at.month, at.day) == (here.month, here.day) else None


def _says_time(period: str | None, text: str) -> bool:
    # dateparser calls "tomorrow 10:00" a day when it is ten o'clock just now.
    return period == "time" or bool(_CLOCK.search(text))


def _contradicts(text: str, at: datetime, locale: Locale) -> bool:
    """Whether a weekday is named that the day is not: "Thursday, March 5" in a year where that is a Friday."""
    words = set(re.findall(r"\w+", text.casefold()))
    said = {day for day, name in get_day_names("wide", locale=locale).items() if name.casefold() in words}
    return bool(said) and at.weekday() not in said


def _may_mean_two_weeks(text: str, here: datetime) -> bool:
    """Whether "next Friday" may mean the coming one as well as the one after it: it does while the coming one
    lies in this week."""
    found = _NEXT_WEEKDAY.search(text)
    return found is not None and _WEEKDAYS.index(found[1].lower()) > here.weekday()


def _with_clock_time(text: str) -> str:
    """A bare "at 3" as 15:00. Nobody is given an appointment at three in the morning: without am or pm the hours
    1 to 6 are the afternoon's, and in the evening 7 to 11 are."""
    found = _AT.search(text)
    if not found or int(found[1]) > 23:
        return text
    hour, late = int(found[1]), bool(_LATE.search(text))
    spoken = not found[1].startswith("0") and not _EARLY.search(text)
    if spoken and (1 <= hour <= 6 or (late and hour < 12)):
        hour += 12
    text = f"{text[: found.start()]} {hour:02}:{found[2] or '00'} {text[found.end() :]}"
    return " ".join(_EARLY.sub("", _LATE.sub(_today, text)).split())


def _today(part: re.Match[str]) -> str:
    return "today" if part[0].lower() in ("tonight", "this evening") else ""
