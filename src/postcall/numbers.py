"""Phone numbers as people and platforms write them, made E.164."""

from __future__ import annotations

import unicodedata

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber


def e164(written: str, region: str | None = None) -> str | None:
    """`+14155550132` for any common spelling; None where it is no phone number.

    `region` (ISO 3166, such as US) reads numbers written without a country code; what cannot be one
    there is read with its country's code. A number is taken when it is
    possible, not only when it is assigned: fictional 555 numbers and Twilio's test numbers are.
    """
    # What was copied out of an address book often carries marks of writing direction.
    text = "".join(letter for letter in written if unicodedata.category(letter) != "Cf").strip()
    for scheme in ("tel:", "sip:", "sips:"):
        text = text.removeprefix(scheme)
    text = text.split("@")[0].split(";")[0]
    if text.startswith("00"):
        text = "+" + text[2:]
    number = _possible(text, None if text.startswith("+") else region)
    if number is None and not text.startswith("+"):
        number = _without_plus(text)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if number else None


def _without_plus(text: str) -> PhoneNumber | None:
    """Digits with their country code but without the plus are what some platforms send."""
    digits = "".join(filter(str.isdigit, text))
    if not 11 <= len(digits) <= 15 or any(letter.isalpha() for letter in text):
        return None
    return _possible("+" + digits)


def _possible(text: str, region: str | None = None) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    return number if not number.extension and phonenumbers.is_possible_number(number) else None
