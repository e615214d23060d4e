"""How a text is cut into SMS segments, which is what an operator pays for.

The count is Twilio's own in all but rare emoji sequences; a delivered message's `num_segments` is the truth.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Encoding = Literal["GSM-7", "UCS-2"]


GSM_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION: Final = frozenset("^{}\\[~]|€\f")  # an escape before each: two units that stay together

_SINGLE: Final[dict[Encoding, int]] = {"GSM-7": 160, "UCS-2": 70}
_JOINED: Final[dict[Encoding, int]] = {"GSM-7": 153, "UCS-2": 67}  # less the header that numbers the parts

_PLAIN: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´`ʼ‹›", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("•‣·∙", "-"),
        **dict.fromkeys("\t\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "),
        **dict.fromkeys("\u2028\u2029\u0085\v", "\n"),
        **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),
        "…": "...",
        "⁄": "/",
        "×": "x",
        "ﬁ": "fi",
        "ﬂ": "fl",
        "™": "(TM)",
        "®": "(R)",
        "©": "(C)",
    }
)


@dataclass(frozen=True)
class Segments:
    """What a body costs. Units are septets in GSM-7 and UTF-16 code units in UCS-2.

    `per_segment` is the limit that applies to this body: the joined one from two segments on.
    `remaining` is how many units still fit before another segment is needed.
    `forced_by` is the first character that GSM-7 lacks, hence the reason for UCS-2.
    """

    encoding: Encoding
    length: int
    count: int
    per_segment: int
    remaining: int
    forced_by: str | None


def count(body: str) -> Segments:
    """The segments of `body`; an empty body has none."""
    forced_by = next((char for char in body if char not in GSM_BASIC and char not in GSM_EXTENSION), None)
    encoding: Encoding = "GSM-7" if forced_by is None else "UCS-2"
    length = sum(_cost(char, encoding) for char in body)
    single = _SINGLE[encoding]
    if length <= single:
        return Segments(encoding, length, 1 if body else 0, single, single - length, forced_by)
    parts = list(_joined(body, encoding))
    last = sum(_cost(char, encoding) for char in parts[-1])
    joined = _JOINED[encoding]
    return Segments(encoding, length, len(parts), joined, joined - last, forced_by)


def split(body: str) -> list[str]:
    """The parts in which a network carries `body`, in order."""
    segments = count(body)
    if segments.count <= 1:
        return [body] if body else []
    return list(_joined(body, segments.encoding))


def plain(body: str) -> str:
    """`body` with typographic characters written as GSM-7 has them, to show what a plainer text would cost.

    Letters, accents and emoji are content and stay, so the result may still need UCS-2.
    """
    return unicodedata.normalize("NFC", body).translate(_PLAIN)


def _cost(char: str, encoding: Encoding) -> int:
    if encoding == "GSM-7":
        return 2 if char in GSM_EXTENSION else 1
    return 2 if ord(char) > 0xFFFF else 1


def _joined(body: str, encoding: Encoding) -> Iterator[str]:
    """Fills one part after the other; a two-unit character that does not fit whole opens the next."""
    limit = _JOINED[encoding]
    start = used = 0
    for position, char in enumerate(body):
        cost = _cost(char, encoding)
        if used + cost > limit:
            yield body[start:position]
            start, used = position, 0
        used += cost
    yield body[start:]
