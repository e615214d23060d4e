"""What a run found, in figures."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, F, Q, Sum

from postcall.testbench.models import BenchItem, BenchRun

_SEND = BenchItem.Outcome.WOULD_SEND.value
_NOT = BenchItem.Outcome.WOULD_NOT.value
_UNCLEAR = BenchItem.Outcome.UNCLEAR.value


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


def summary(run: BenchRun) -> Summary:
    """Two queries."""
    judged = BenchItem.objects.filter(run=run, judged_at__isnull=False)
    compared = ~Q(before_outcome="")
    sends = Q(outcome=_SEND)
    found = judged.aggregate(
        judged=Count("pk"),
        would_send=Count("pk", filter=sends),
        would_not=Count("pk", filter=Q(outcome=_NOT)),
        unclear=Count("pk", filter=Q(outcome=_UNCLEAR)),
        changed=Count("pk", filter=compared & ~Q(outcome=F("before_outcome"))),
        newly=Count("pk", filter=compared & sends & ~Q(before_outcome=_SEND)),
        no_longer=Count("pk", filter=compared & ~sends & Q(before_outcome=_SEND)),
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
