"""What a text will probably cost: the median of what the workspace paid lately, else Twilio's list price."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from statistics import median
from typing import Final, Literal

import phonenumbers
from django.db import connection
from phonenumbers import NumberParseException

from postcall.workspaces.models import Workspace

# Of so many priced texts the median is taken, found among so many of the latest.
SAMPLE: Final = 200
LOOKED_AT: Final = 2000

# Per segment from a long code, in USD, before volume discounts and without what carriers add, as those who
# resell or compare Twilio's prices named them in 2026: not read from Twilio itself, and a first guess only, until
# there are the workspace's own. Where Twilio prices by network there is no one price to list.
LIST_PRICES: Final[dict[str, Decimal]] = {"US": Decimal("0.0083"), "CA": Decimal("0.0083")}
LIST_CURRENCY: Final = "USD"
# As Twilio writes prices.
_EXACT: Final = Decimal("0.00001")


@dataclass(frozen=True)
class Estimate:
    """`basis`: "own" is what this workspace's texts to the country cost lately, "list" Twilio's public price.
    Carriers may add fees to both, which Twilio bills apart."""

    amount: Decimal
    currency: str
    basis: Literal["own", "list"]


def estimate(workspace: Workspace, segments: int, country: str) -> Estimate | None:
    """What a text of so many segments to a number of that country (ISO 3166, such as US) costs; None: not known.
    One query, of few rows."""
    own = _own(workspace, country)
    if own is not None:
        return Estimate(own[0] * segments, own[1], "own")
    listed = LIST_PRICES.get(country)
    return None if listed is None else Estimate(listed * segments, LIST_CURRENCY, "list")


class Estimates:
    """`estimate` for many texts of one workspace: each country is asked for once, as of then."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._one: dict[str, Estimate | None] = {}

    def to(self, number: str, segments: int) -> Estimate | None:
        """What a text of so many segments to a number (E.164) costs; None: not known."""
        country = country_of(number)
        if country is None:
            return None
        if country not in self._one:
            self._one[country] = estimate(self._workspace, 1, country)
        one = self._one[country]
        return one and replace(one, amount=one.amount * segments)


def country_of(number: str) -> str | None:
    """The country of an E.164 number. One that is possible but not assigned has its calling code's."""
    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        return None
    code = parsed.country_code or 0
    region = phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(code)
    return None if region in (None, phonenumbers.UNKNOWN_REGION) else region


def _own(workspace: Workspace, country: str) -> tuple[Decimal, str] | None:
    """The median price of a segment, and its currency: the one that Twilio counted in last. Of texts that were sent
    once: the price of others is of all their attempts."""
    code = phonenumbers.country_code_for_region(country)
    if not code:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT "to", abs(price) / segments, upper(price_unit) FROM (
                SELECT "to", price, segments, price_unit, attempts_made FROM message
                WHERE workspace_id = %s AND price IS NOT NULL ORDER BY id DESC LIMIT %s
            ) AS latest WHERE "to" LIKE %s AND segments > 0 AND price <> 0 AND attempts_made < 2
            """,
            [workspace.pk, LOOKED_AT, f"+{code}%"],
        )
        rows = cursor.fetchall()
    # Several countries share a calling code.
    shared = len(phonenumbers.region_codes_for_country_code(code)) > 1
    there: list[tuple[Decimal, str]] = []
    for to, price, unit in rows:
        if not shared or country_of(to) == country:
            there.append((price, unit or LIST_CURRENCY))
        if len(there) == SAMPLE:
            break
    if not there:
        return None
    currency = there[0][1]
    return median(price for price, unit in there if unit == currency).quantize(_EXACT), currency
