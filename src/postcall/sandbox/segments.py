"""How many segments a carrier would make of a text.

Counted here on purpose and not with Postcall's own counter: a stand-in that shares the code it is there to
check would agree with every mistake in it.
"""

from __future__ import annotations

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWO_UNITS = frozenset("^{}\\[~]|€\f")


def count_segments(text: str) -> int:
    """Segments of `text`; 0 for an empty one."""
    if all(char in _GSM or char in _GSM_TWO_UNITS for char in text):
        return _pack([2 if char in _GSM_TWO_UNITS else 1 for char in text], single=160, part=153)
    return _pack([2 if ord(char) > 0xFFFF else 1 for char in text], single=70, part=67)


def _pack(widths: list[int], *, single: int, part: int) -> int:
    if not widths:
        return 0
    if sum(widths) <= single:
        return 1
    segments, used = 1, 0
    for width in widths:
        if used + width > part:
            segments, used = segments + 1, 0
        used += width
    return segments
