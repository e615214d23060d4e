"""Phone numbers as platforms write them."""

from __future__ import annotations

import pytest

from postcall.numbers import e164


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("(415) 555-0132", "US", "+14155550132"),
        ("14155550132", "US", "+14155550132"),
        ("442071838750", "US", "+442071838750"),
        ("442071838750", None, "+442071838750"),
        ("020 7183 8750", "GB", "+442071838750"),
        ("0044 20 7183 8750", "US", "+442071838750"),
    ],
)
def test_it_reads_a_number_with_or_without_its_plus(written: str, region: str | None, number: str) -> None:
    assert e164(written, region) == number


@pytest.mark.parametrize("written", ["415-555-0132 ext. 5", "02071838750", "12345678901234", "anonymous", "12345"])
def test_it_guesses_no_number(written: str) -> None:
    assert e164(written, "US") is None
