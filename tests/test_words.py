"""Words that say nothing."""

from __future__ import annotations

import time

import pytest

from postcall.words import is_redacted


@pytest.mark.parametrize(
    "blacked_out", ["***", "+1******1234", "xxxx", "XXXX5", "[REDACTED]", "<pii_1>", "[NAME_2]", "•• (•••)"]
)
def test_it_knows_what_was_blacked_out(blacked_out: str) -> None:
    assert is_redacted(blacked_out)


@pytest.mark.parametrize("told", ["*", "+15551230001", "Alexx", "*** call me", "[redacted] and more", "xxx"])
def test_it_takes_no_words_for_blacked_out(told: str) -> None:
    assert not is_redacted(told)


@pytest.mark.parametrize("piece", ["*", "* ", "1", "x", "[redacted", "[redacted_", "[("])
def test_it_reads_a_long_text_once(piece: str) -> None:
    """Gone back to at every place, a text a hundredth as long took minutes."""
    before = time.process_time()
    assert not is_redacted(piece * 100_000 + "a")
    assert time.process_time() - before < 5
