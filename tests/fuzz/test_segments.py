"""Segments against an oracle of its own: it encodes to septets or UTF-16 units and cuts those, not characters."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from postcall.messages.segments import count, split
from postcall.sandbox.segments import count_segments

from .effort import effort

ESCAPE = 0x1B
# GSM 03.38: ASCII, but for the first two columns and a few places that other letters have.
_DIFFERENT = dict(zip((0x24, 0x40, *range(0x5B, 0x61), *range(0x7B, 0x80)), "¤¡ÄÖÑÜ§¿äöñüà", strict=True))
_COLUMNS = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
SEPTETS = {
    char: code
    for code, char in enumerate([*_COLUMNS, *(_DIFFERENT.get(code, chr(code)) for code in range(0x20, 0x80))])
    if code != ESCAPE
}
ESCAPED = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}

GSM = st.text(st.sampled_from([*SEPTETS, *ESCAPED]), max_size=500)
# Bodies that end within a few units of a full segment, of any number of segments and in either encoding.
EDGES = st.builds(
    lambda segment, of, units, odd, tail: (
        ("ł" if segment < 100 else "") + "a" * (segment * of + units) + odd + tail
    ),
    st.sampled_from([160, 153, 70, 67]),
    st.integers(1, 5),
    st.integers(-4, 1),
    st.sampled_from(["", "€", "{}", "👍", "€👍", "👍🏽", "é", "\ud7ff", "\uffff", "𐀀"]),
    st.text(st.sampled_from("a€👍ł"), max_size=3),
)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def septets(text: str) -> list[int] | None:
    """None: not of this alphabet."""
    found = []
    for char in text:
        if char in SEPTETS:
            found.append(SEPTETS[char])
        elif char in ESCAPED:
            found += [ESCAPE, ESCAPED[char]]
        else:
            return None
    return found


def cut(units: list[int], single: int, joined: int, opens_a_pair: range) -> list[list[int]]:
    """Parts of at most `joined` units, none of which ends within a pair."""
    if len(units) <= single:
        return [units] if units else []
    parts = []
    while units:
        size = joined if len(units) <= joined or units[joined - 1] not in opens_a_pair else joined - 1
        parts.append(units[:size])
        units = units[size:]
    return parts


def expected(text: str) -> tuple[str, list[int]]:
    """The encoding, and how many units each segment holds."""
    coded = septets(text)
    if coded is not None:
        return "GSM-7", [len(part) for part in cut(coded, 160, 153, range(ESCAPE, ESCAPE + 1))]
    raw = text.encode("utf-16-be")
    units = [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]
    return "UCS-2", [len(part) for part in cut(units, 70, 67, range(0xD800, 0xDC00))]


def units_of(text: str, encoding: str) -> int:
    return len(septets(text) or []) if encoding == "GSM-7" else len(text.encode("utf-16-be")) // 2


def test_the_oracle_knows_the_alphabet() -> None:
    assert sorted(SEPTETS.values()) == [code for code in range(0x80) if code != ESCAPE]
    assert (SEPTETS["A"], SEPTETS["à"], SEPTETS["@"], SEPTETS["É"]) == (0x41, 0x7F, 0x00, 0x1F)


@effort(600, 100_000)
@given(text=GSM | EDGES | ANY)
@example(text="a" * 152 + "€" + "a" * 10)
@example(text="a" * 159 + "€")
@example(text="ł" + "a" * 65 + "👍" * 40)
@example(text="👍" * 35)
@example(text="\r\n" * 80)
@example(text="a" * 307)
@example(text="ł" * 135)
def test_it_counts_and_cuts_as_the_network_does(text: str) -> None:
    encoding, sizes = expected(text)
    counted = count(text)
    assert (counted.encoding, counted.count, counted.length) == (encoding, len(sizes), units_of(text, encoding))
    assert [units_of(part, encoding) for part in split(text)] == sizes
    assert "".join(split(text)) == text
    assert count_segments(text) == len(sizes)
