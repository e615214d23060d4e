"""What a value that came out of a call may not hold: a stranger must not be able to dictate what our user's number
texts to a spoofed caller."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Final

from postcall.actions.bindings import Allowed
from postcall.followups.values import UNFILLED

MAX_LENGTH: Final = 80

_DOTS: Final = str.maketrans(dict.fromkeys("。．｡․·•∙⋅・﹒", ".") | {"⁄": "/", "∕": "/", "＠": "@"})
_ADDRESS: Final = re.compile(
    r"""
    \b[a-z][a-z0-9+.-]{1,20}:/{1,2}\S                       # a scheme: https://…
    | \b(?:https?|hxxps?|www\d?)\b                          # or its beginning
    | [^\W_]\.[^\W\d_]{2,24}(?![^\W_])                      # a bare domain: example.org
    | [^\W_][\[({]\.[\])}][^\W_]                            # example[.]org
    | [^\W_]\s+\.\s?[^\W\d_]{2,24}\b | \w@\w               # example .org, a mail address
    | \b\d{1,3}(?:\.\d{1,3}){3}\b                           # an IP address
    | \b(?:dot|punto|punkt|ponto|point|puntocom|dotcom)\W{0,3}
      (?:com|net|org|info|biz|io|co|me|app|dev|ai|us|uk|ca|au|de|fr|es|mx|it|nl|eu|ru|cn|in|br|xyz|site|online|link
        |shop|store|club|top|live|page|web|click|example|test)\b
    | \b(?:dot\W?com|puntocom|double\W?u\W+double\W?u|(?:forward\W)?slash\W+\w)
    """,
    re.IGNORECASE | re.VERBOSE,
)
# Days and times hold many digits and are no phone numbers.
_DATE: Final = re.compile(
    r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?\b"
    r"|\b\d{1,2}[/.]\d{1,2}[/.]\d{4}\b"
)
_DIGITS: Final = re.compile(r"\d(?:[\s\-–—‐‑.()/]{0,3}\d){6,}")
_PLUS: Final = re.compile(r"\+[\s(]{0,2}\d(?:[\s\-–—.()/]{0,3}\d){3,}")
_DIGIT_WORDS: Final = (
    "zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple|"
    "cero|uno|una|dos|tres|cuatro|cinco|seis|siete|ocho|nueve"
)
_SPOKEN_NUMBER: Final = re.compile(
    rf"\b(?:{_DIGIT_WORDS}|\d)(?:[\s,.-]+(?:{_DIGIT_WORDS}|\d)){{6,}}\b", re.IGNORECASE
)
_LINE_BREAKS: Final = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
# Zero-width joiner and non-joiner spell emoji and several scripts.
_JOINERS: Final = frozenset("\u200c\u200d")


def danger_in(value: str, allow: Collection[Allowed] = ()) -> str | None:
    """Why `value` may not be sent to whoever is behind the call's number, completing "<input> …"; None: it may.

    `allow` is the binding's: `digits` lets long codes pass, `phone` any phone number.
    """
    if "long" not in allow and len(value) > MAX_LENGTH:
        return f"is {len(value)} characters long; a value out of the call may have {MAX_LENGTH}"
    if "line_breaks" not in allow and _LINE_BREAKS & set(value):
        return "holds a line break"
    if any(_is_control(letter) for letter in value):
        return "holds invisible control characters"
    if UNFILLED.search(value):
        return "holds what looks like a placeholder"
    plain = _plain(value)
    if "url" not in allow and _ADDRESS.search(plain):
        return "holds a web or mail address"
    if "phone" not in allow and _is_phone(_DATE.sub(" ", plain), digits="digits" in allow):
        return "holds a phone number"
    return None


def _plain(value: str) -> str:
    """As a phone would make a link of it: compatibility forms folded, what has no width left out."""
    folded = unicodedata.normalize("NFKC", value.translate(_DOTS)).translate(_DOTS)
    return "".join(letter for letter in folded if unicodedata.category(letter) not in ("Cf", "Mn", "Me"))


def _is_control(letter: str) -> bool:
    if letter in _LINE_BREAKS or letter in _JOINERS:
        return False
    return unicodedata.category(letter) in ("Cc", "Cf", "Co", "Cs", "Cn")


def _is_phone(text: str, *, digits: bool) -> bool:
    if _PLUS.search(text) or _SPOKEN_NUMBER.search(text):
        return True
    return not digits and _DIGITS.search(text) is not None
