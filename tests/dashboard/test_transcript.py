"""Quotes are found where they stand, however the white space was written, and may overlap."""

import pytest

from postcall.dashboard.transcript import find_quote, pieces
from postcall.dashboard.words import Numbered
from postcall.followups.models import FollowUp

FIRST, SECOND = Numbered(1, FollowUp()), Numbered(2, FollowUp())


@pytest.mark.parametrize(
    ("quote", "text", "found"),
    [
        ("nine forty", "At nine forty, please.", "nine forty"),
        ("nine  forty works", "At nine\n forty   works.", "nine\n forty   works"),
        ("Nine Forty", "At nine forty.", "nine forty"),
        ("$5 (or so)?", "About $5 (or so)?", "$5 (or so)?"),
        ("¿mañana?", "¿mañana? Sí.", "¿mañana?"),
    ],
)
def test_it_finds_a_quote(quote: str, text: str, found: str) -> None:
    span = find_quote(quote, text)
    assert span is not None
    assert text[slice(*span)] == found


@pytest.mark.parametrize(("quote", "text"), [("ten", "nine"), ("", "nine"), ("  ", "nine"), ("nine", "")])
def test_it_finds_no_quote_that_is_not_there(quote: str, text: str) -> None:
    assert find_quote(quote, text) is None


def test_it_keeps_the_whole_text_in_its_pieces() -> None:
    text = "No, I never was here before."
    cut = list(pieces(text, [("I never was", FIRST), ("was here", SECOND), ("not said", SECOND)]))
    assert "".join(piece.text for piece in cut) == text


def test_it_marks_where_quotes_overlap_with_both() -> None:
    cut = list(pieces("I never was here", [("I never was", FIRST), ("was here", SECOND)]))
    assert [(piece.text, [each.number for each in piece.marks]) for piece in cut] == [
        ("I never ", [1]),
        ("was", [1, 2]),
        (" here", [2]),
    ]
    assert [[each.number for each in piece.ends] for piece in cut] == [[], [1], [2]]


def test_it_leaves_an_empty_turn_empty() -> None:
    assert list(pieces("", [("x", FIRST)])) == []
