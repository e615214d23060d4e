"""Phone numbers in every spelling: one number, or none, and never a failure."""

from __future__ import annotations

import re

import phonenumbers
from hypothesis import assume, example, given
from hypothesis import strategies as st
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from postcall.numbers import e164

from .effort import effort

E164 = re.compile(r"\+[1-9]\d{4,14}", re.ASCII)
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
REGION = st.sampled_from([None, "", "us", "ZZ", *REGIONS])
WRITTEN = st.one_of(
    st.text(max_size=40),
    st.text("0123456789+-() ./;,=:@#*extelsip", max_size=40),
    st.text(st.characters(categories=["Nd", "Pd", "Zs", "Cf"]), max_size=30),
)
# What people and programs put between digits.
GAPS = st.sampled_from(["", " ", "-", ".", "\u00a0", "\u2011", "\u2013", " - ", "\u200b", "\u202a"])


@st.composite
def numbers(draw: st.DrawFn) -> tuple[PhoneNumber, str]:
    region = draw(st.sampled_from(REGIONS))
    kind = draw(st.sampled_from([PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE]))
    found = phonenumbers.example_number_for_type(region, kind)
    assume(found is not None)
    return found, region


@effort(200, 100_000)
@given(written=WRITTEN, region=REGION)
@example(written="+" + "9" * 300, region="US")
@example(written="٠" * 12, region="EG")
@example(written="tel:tel:+14155550132", region=None)
@example(written="sip:+14155550132@host;transport=tls", region=None)
def test_it_reads_anything_as_one_number_or_none(written: str, region: str | None) -> None:
    found = e164(written, region)
    if found is None:
        return
    assert E164.fullmatch(found)
    for elsewhere in (None, region, "US", "DE", "ZZ"):
        assert e164(found, elsewhere) == found


@effort(300, 50_000)
@given(known=numbers(), gaps=st.lists(GAPS, min_size=20, max_size=20), region=REGION)
def test_it_reads_every_spelling_of_a_number_alike(
    known: tuple[PhoneNumber, str], gaps: list[str], region: str | None
) -> None:
    number, home = known
    plain = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    international = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    spaced = "+" + "".join(digit + gap for digit, gap in zip(plain[1:], gaps, strict=False))
    for written in (
        plain,
        international,
        f"  {international}\n",
        phonenumbers.format_number(number, PhoneNumberFormat.RFC3966),
        "00" + plain[1:],
        f"sip:{plain}@gateway.example;user=phone",
        spaced,
    ):
        assert e164(written, region) == plain, written
    assert e164(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL), home) == plain
