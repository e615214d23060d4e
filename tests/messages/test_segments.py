"""What a text costs, against vectors worked out by hand from the rules of GSM 03.38 and UCS-2."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postcall.messages.segments import GSM_BASIC, GSM_EXTENSION, Segments, count, plain, split

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=700)
GSM_TEXT = st.text(st.sampled_from(sorted(GSM_BASIC | GSM_EXTENSION)), max_size=700)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", Segments("GSM-7", 0, 0, 160, 160, None)),
        ("a", Segments("GSM-7", 1, 1, 160, 159, None)),
        ("a" * 160, Segments("GSM-7", 160, 1, 160, 0, None)),
        ("a" * 161, Segments("GSM-7", 161, 2, 153, 145, None)),
        ("a" * 306, Segments("GSM-7", 306, 2, 153, 0, None)),
        ("a" * 307, Segments("GSM-7", 307, 3, 153, 152, None)),
        ("a" * 1600, Segments("GSM-7", 1600, 11, 153, 83, None)),
        ("€" * 80, Segments("GSM-7", 160, 1, 160, 0, None)),
        ("€" * 81, Segments("GSM-7", 162, 2, 153, 143, None)),  # 76 fit: the 153rd septet stays empty
        ("a" * 152 + "€" + "a" * 10, Segments("GSM-7", 164, 2, 153, 141, None)),
        ("a" * 159 + "{", Segments("GSM-7", 161, 2, 153, 145, None)),
        ("ł", Segments("UCS-2", 1, 1, 70, 69, "ł")),
        ("ł" * 70, Segments("UCS-2", 70, 1, 70, 0, "ł")),
        ("ł" * 71, Segments("UCS-2", 71, 2, 67, 63, "ł")),
        ("ł" * 134, Segments("UCS-2", 134, 2, 67, 0, "ł")),
        ("ł" * 135, Segments("UCS-2", 135, 3, 67, 66, "ł")),
        ("👍" * 35, Segments("UCS-2", 70, 1, 70, 0, "👍")),
        ("👍" * 36, Segments("UCS-2", 72, 2, 67, 61, "👍")),  # 33 fit: a surrogate pair is not split
        ("a" * 66 + "👍" + "a" * 10, Segments("UCS-2", 78, 2, 67, 55, "👍")),
        ("€" * 69 + "👍", Segments("UCS-2", 71, 2, 67, 63, "👍")),  # in UCS-2 the euro is one unit again
        ("Clínica", Segments("UCS-2", 7, 1, 70, 63, "í")),
        ("see you at 3\u00a0pm", Segments("UCS-2", 15, 1, 70, 55, "\u00a0")),
        ("tab\there", Segments("UCS-2", 8, 1, 70, 62, "\t")),
        ("a`b", Segments("UCS-2", 3, 1, 70, 67, "`")),
        ("ç", Segments("UCS-2", 1, 1, 70, 69, "ç")),  # only the capital is in the table
        ("e\u0301", Segments("UCS-2", 2, 1, 70, 68, "\u0301")),
    ],
)
def test_it_counts_segments(body: str, expected: Segments) -> None:
    assert count(body) == expected


@pytest.mark.parametrize("char", sorted(GSM_BASIC))
def test_it_counts_one_septet_for_a_basic_character(char: str) -> None:
    assert count(char) == Segments("GSM-7", 1, 1, 160, 159, None)


@pytest.mark.parametrize("char", sorted(GSM_EXTENSION))
def test_it_counts_two_septets_for_an_extended_character(char: str) -> None:
    assert count(char) == Segments("GSM-7", 2, 1, 160, 158, None)


def test_it_knows_the_whole_alphabet() -> None:
    assert (len(GSM_BASIC), len(GSM_EXTENSION)) == (127, 10)  # 128 less the escape


def test_it_names_the_first_character_that_forces_ucs2() -> None:
    assert count("It’s 5 € – ok").forced_by == "’"


@settings(deadline=None)
@given(TEXT)
@example("a" * 152 + "€")
@example("👍" * 200)
def test_it_splits_without_losing_or_adding_a_character(body: str) -> None:
    assert "".join(split(body)) == body


@settings(deadline=None)
@given(TEXT | GSM_TEXT)
def test_it_fills_no_segment_past_its_limit(body: str) -> None:
    segments = count(body)
    for part in split(body):
        units = count(part).length if segments.encoding == "GSM-7" else len(part.encode("utf-16-le")) // 2
        assert 0 < units <= segments.per_segment


@settings(deadline=None)
@given(TEXT | GSM_TEXT)
def test_it_agrees_with_its_own_parts(body: str) -> None:
    segments = count(body)
    assert len(split(body)) == segments.count
    assert segments.length + segments.remaining <= segments.per_segment * max(segments.count, 1)


@settings(deadline=None)
@given(GSM_TEXT, st.sampled_from(sorted(GSM_BASIC | GSM_EXTENSION)))
def test_it_never_gets_cheaper_by_a_character_more(body: str, char: str) -> None:
    assert count(body + char).count >= count(body).count


@settings(deadline=None)
@given(TEXT)
def test_it_measures_ucs2_as_utf16(body: str) -> None:
    segments = count(body + "ł")
    assert segments.length == len((body + "ł").encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("It’s “fine” – see you…", 'It\'s "fine" - see you...'),
        ("3\u00a0pm", "3 pm"),
        ("a\tb", "a b"),
        ("zero\u200bwidth", "zerowidth"),
        ("e\u0301", "é"),
        ("Clínica 👍", "Clínica 👍"),
    ],
)
def test_it_writes_typography_plainly(body: str, expected: str) -> None:
    assert plain(body) == expected


@settings(deadline=None)
@given(GSM_TEXT)
def test_it_leaves_a_plain_text_alone(body: str) -> None:
    assert plain(body) == body


@settings(deadline=None)
@given(TEXT)
def test_it_needs_plain_only_once(body: str) -> None:
    assert plain(plain(body)) == plain(body)
