"""A phone number in text, however it is spelt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import phonenumbers

# Stands where a number stood. It has no digit, so nothing takes it for a number, and reads as blacked out
# (`words.is_redacted`), so no text is filled with it.
ERASED: Final = "[redacted]"
# A national number with fewer digits than this is only taken for the person's together with its country code:
# eight digits alone may be anybody's order.
TELLING_DIGITS: Final = 9

# As plain characters, and as JSON escapes them.
_BETWEEN: Final = r"(?:[\s().\-/\u00a0\u2010-\u2013]|\\[nrt]|\\u00[aA]0|\\u201[0-3]){0,3}"
_PLUS: Final = r"(?:\+|%2[bB]|\\u002[bB])"
# No letter or digit before it, unless that is a line's end as JSON escapes it.
_START: Final = r"(?:(?<![0-9A-Za-z])|(?<=\\[bfnrt]))"

# Of all numbers there are the shortest has, with its country code, so many digits.
_FEWEST_DIGITS: Final = 7
_ANY_NUMBER: Final = re.compile(
    rf"(?:{_PLUS}|{_START})[()]?\d(?:{_BETWEEN}{_BETWEEN}\d){{{_FEWEST_DIGITS - 1},}}(?![0-9A-Za-z])"
)


def may_hold_number(text: str) -> bool:
    """Whether the spelling of some number may stand in `text`; False is sure."""
    return _ANY_NUMBER.search(text) is not None


@dataclass(frozen=True)
class Spellings:
    """All usual ways of writing `number` (E.164): with and without its country code, plus sign, `00`, trunk zero,
    brackets, spaces, dots and dashes."""

    number: str

    @cached_property
    def pattern(self) -> str:
        """A regular expression that Python and PostgreSQL read alike. A longer run of digits or letters does not
        match: it is an id."""
        parsed = phonenumbers.parse(self.number)
        national = phonenumbers.national_significant_number(parsed)
        code = _BETWEEN.join(str(parsed.country_code))
        bare = rf"(?:(?:00{_BETWEEN})?{code}{_BETWEEN})"
        if len(national) >= TELLING_DIGITS:
            bare += "?"
        prefix = rf"(?:{_PLUS}{_BETWEEN}{code}{_BETWEEN}|{_START}{bare})"
        digits = _BETWEEN.join(national)
        return rf"{prefix}(?:\(?0\)?{_BETWEEN})?\(?{digits}(?![0-9A-Za-z])"

    @cached_property
    def _python(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def stands_in(self, text: str) -> bool:
        return self._python.search(text) is not None

    def without(self, value: Any) -> Any:
        """The same text, JSON value or list, with ERASED in the number's place."""
        match value:
            case str():
                return self._python.sub(ERASED, value)
            case bool() | None:
                return value
            case int() | float():
                return ERASED if self.stands_in(str(value)) else value
            case list():
                return [self.without(part) for part in value]
            case dict():
                return {self.without(name): self.without(part) for name, part in value.items()}
        return value
