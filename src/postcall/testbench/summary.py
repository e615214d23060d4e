"""What a run found, in figures."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Sum

from postcall.testbench.models import BenchItem, BenchRun

_SEND = BenchItem.Outcome.WOULD_SEND.value
_NOT = BenchItem.Outcome.WOULD_NOT.value
_UNCLEAR = BenchItem.Outcome.UNCLEAR.value
_COMPARED: Final = ~Q(before_outcome="")
# What these words change against the present revision's, by the names that filters know it by.
CHANGES: Final[dict[str, Q]] = {
    "any": _COMPARED & ~Q(outcome=F("before_outcome")),
    "newly": _COMPARED & Q(outcome=_SEND) & ~Q(before_outcome=_SEND),
    "no_longer": _COMPARED & ~Q(outcome=_SEND) & Q(before_outcome=_SEND),
}


@dataclass(frozen=True)
class Summary:
    """`newly` and `no_longer` are calls that these words would text and the present revision would not, and the
    other way round; `changed` are all whose outcome differs. `price` is of the texts, by currency; `cost` of the
    judge, in USD, None where a price is not known."""

    judged: int
    would_send: int
    would_not: int
    unclear: int
    changed: int
    newly: int
    no_longer: int
    segments: int
    price: dict[str, Decimal]
    unpriced: int
    requests: int
    input_tokens: int
    output_tokens: int
    cost: Decimal | None


_COUNTED: Final[dict[str, Any]] = {
    "would_send": Count("pk", filter=Q(outcome=_SEND)),
    "would_not": Count("pk", filter=Q(outcome=_NOT)),
    "unclear": Count("pk", filter=Q(outcome=_UNCLEAR)),
    "changed": Count("pk", filter=CHANGES["any"]),
    "newly": Count("pk", filter=CHANGES["newly"]),
    "no_longer": Count("pk", filter=CHANGES["no_longer"]),
}


@dataclass(frozen=True)
class Tally:
    """A run's outcomes so far, as `Summary` has them."""

    would_send: int
    would_not: int
    unclear: int
    changed: int
    newly: int
    no_longer: int


def tallies(runs: Collection[BenchRun]) -> dict[UUID, Tally]:
    """By run; a run of which nothing is judged yet is not in it. One query."""
    judged = BenchItem.objects.filter(run__in=runs, judged_at__isnull=False)
    rows = judged.order_by().values("run_id").annotate(**_COUNTED).values_list("run_id", *_COUNTED)
    return {run: Tally(**dict(zip(_COUNTED, counts, strict=True))) for run, *counts in rows}


def results(run: BenchRun, outcome: str = "", change: str = "") -> QuerySet[BenchItem]:
    """What is judged so far, in the order of the calls; of an outcome, and of one of CHANGES, where they are given
    and known."""
    rows = BenchItem.objects.filter(run=run, judged_at__isnull=False).order_by("position")
    if outcome in BenchItem.Outcome.values:
        rows = rows.filter(outcome=outcome)
    return rows.filter(CHANGES[change]) if change in CHANGES else rows


def summary(run: BenchRun) -> Summary:
    """Two queries."""
    judged = BenchItem.objects.filter(run=run, judged_at__isnull=False)
    sends = Q(outcome=_SEND)
    found = judged.aggregate(
        judged=Count("pk"),
        **_COUNTED,
        segments=Sum("segments", filter=sends, default=0),
        unpriced=Count("pk", filter=sends & Q(price=None)),
        requests=Sum("requests", default=0),
        input_tokens=Sum("input_tokens", default=0),
        output_tokens=Sum("output_tokens", default=0),
        paid=Sum("cost", default=0),
        unknown=Count("pk", filter=Q(cost=None)),
    )
    paid, unknown = found.pop("paid"), found.pop("unknown")
    priced = judged.filter(sends, price__isnull=False).values("currency").annotate(sum=Sum("price"))
    return Summary(
        cost=None if unknown else paid,
        price={row["currency"]: row["sum"] for row in priced.order_by("currency")},
        **found,
    )
