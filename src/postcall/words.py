"""Words that say nothing: what platforms and programs write where there is no value, or none that they show."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# What programs and models write where they mean "nothing".
_NOTHING: Final = frozenset(
    {"none", "null", "undefined", "nil", "<null>", "[null]", "(null)", "n/a", "#n/a", "not provided",
     "not available",
     "not specified", "not mentioned", "not given", "not applicable", "unknown", "unspecified", "tbd", "tba",
     "-", "--", "---", "–", "—", "...", "…", "?"}
)  # fmt: skip
# "Nan" is a name; these spellings are a program's.
_NOT_A_NUMBER: Final = frozenset({"NaN", "nan", "NAN"})
_REDACTED: Final = re.compile(
    # What looks ahead is not gone back to: a text of a megabyte of stars, and something else, is read once.
    r"(?=[xX#_.\-\s()+\d*•█]*?[*•█]{2})[*•█xX#_.\-\s()+\d]++|[xX]{4,}+\d*"
    r"|[\[<({]\W*(?=\w*?(?:redacted|removed|masked|hidden|pii))\w++\W*[\])>}]"
    # What was taken out, in its place: [NAME], [PHONE_NUMBER_1].
    r"|(?-i:\[[A-Z]{2,}(?:_[A-Z0-9]+)*\])",
    re.IGNORECASE,
)


def says_nothing(text: str) -> bool:
    """Whether a text is blank, invisible, or a word by which programs say that there is nothing."""
    text = visible(text)
    return not text or text in _NOT_A_NUMBER or " ".join(text.lower().split()) in _NOTHING


def visible(text: str) -> str:
    """`text` without its invisible edges: white space, and characters of no width."""
    start, end = 0, len(text)
    while start < end and _invisible(text[start]):
        start += 1
    while end > start and _invisible(text[end - 1]):
        end -= 1
    return text[start:end]


def _invisible(letter: str) -> bool:
    # Variation selectors and the joiner belong to an emoji that they end; alone they are nothing either.
    return letter.isspace() or unicodedata.category(letter) in ("Cc", "Cf", "Zs", "Zl", "Zp") or letter == "\u2800"


def is_redacted(text: str) -> bool:
    """Whether a platform blacked the value out: `***`, `+1******1234`, `[REDACTED]`, `[NAME]`."""
    return bool(_REDACTED.fullmatch(text.strip()))
