"""How good a judge is on labelled calls, in figures. Pure arithmetic: nothing is asked and nothing is read here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from statistics import fmean, quantiles
from typing import Final, Literal

from postcall.judge.verdicts import Usage, Verdict

BINS: Final = 10
# The normal quantile of a one-sided bound of 95 %.
_Z: Final = 1.645

State = Literal["answered", "missing", "unreadable", "failed"]


@dataclass(frozen=True)
class Scored:
    """One labelled pair and what a judge made of it; `met` is the label.

    `state` is other than `answered` where there was no answer to read; the verdict is then `unclear` without any
    leaning. `misquoted`: the quotes that the judge gave do not carry its verdict. `seconds` is None where no judge
    was asked, `cost` (USD) where no price is known. `groups` holds, by name, the slice that it belongs to.
    """

    met: bool
    verdict: Verdict
    state: State = "answered"
    misquoted: bool = False
    seconds: float | None = None
    usage: Usage = field(default_factory=Usage)
    cost: Decimal | None = Decimal(0)
    groups: dict[str, str] = field(default_factory=dict)

    @property
    def leans_to_met(self) -> bool | None:
        """What the judge says where it has to: its result, else what it calls likelier; None where it leans to
        nothing."""
        verdict = self.verdict
        said = verdict.likelier if verdict.result == "unclear" else verdict.result
        if said is not None:
            return said == "met"
        if verdict.probability is None or verdict.probability == 0.5:
            return None
        return verdict.probability > 0.5

    @property
    def probability(self) -> float:
        """That the condition was met: as the judge gave it, else by the confidence of its result; a half where it
        gave neither."""
        verdict = self.verdict
        if verdict.probability is not None:
            return verdict.probability
        if verdict.result == "unclear":
            return 0.5
        return verdict.confidence if verdict.result == "met" else 1 - verdict.confidence


@dataclass(frozen=True)
class Figures:
    """A share is None where it has no whole: no text sent is neither right nor wrong.

    Forced figures go by what the judge leans to, and a pair without any leaning is right in none of them: it is
    no hit, and it misses where the label is met. Decided figures go by what happens: only `met` is sent.
    """

    pairs: int
    met: int

    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    auroc: float | None
    calibration_error: float | None

    decided: float | None
    sent: int
    right_of_sent: float | None
    right_of_sent_at_least: float | None
    sent_of_met: float | None
    decided_f1: float | None
    not_sent: int
    right_of_not_sent: float | None
    unclear: float | None

    missing: int
    unreadable: int
    failed: int
    misquoted: int

    ms_p50: float | None
    ms_p95: float | None
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None


@dataclass(frozen=True)
class Bin:
    """The pairs whose probability lies between `above` and `up_to`: how many were met, against how many were said
    to be. Both are None where there is no such pair."""

    above: float
    up_to: float
    pairs: int
    said: float | None
    met: float | None


def figures(scored: Sequence[Scored]) -> Figures:
    met = sum(one.met for one in scored)
    hits = sum(one.met and one.leans_to_met is True for one in scored)
    precision = share(hits, sum(one.leans_to_met is True for one in scored))
    recall = share(hits, met)
    sent = [one.met for one in scored if one.verdict.result == "met"]
    not_sent = [one.met for one in scored if one.verdict.result == "not_met"]
    right_of_sent, sent_of_met = share(sum(sent), len(sent)), share(sum(sent), met)
    unclear = len(scored) - len(sent) - len(not_sent)
    median, slow = _milliseconds(scored)
    return Figures(
        pairs=len(scored),
        met=met,
        accuracy=share(sum(one.leans_to_met is one.met for one in scored), len(scored)),
        precision=precision,
        recall=recall,
        f1=f1(precision, recall),
        auroc=auroc([(one.probability, one.met) for one in scored]),
        calibration_error=calibration_error([(one.probability, one.met) for one in scored]),
        decided=share(len(sent) + len(not_sent), len(scored)),
        sent=len(sent),
        right_of_sent=right_of_sent,
        right_of_sent_at_least=at_least(sum(sent), len(sent)),
        sent_of_met=sent_of_met,
        decided_f1=f1(right_of_sent, sent_of_met),
        not_sent=len(not_sent),
        right_of_not_sent=share(len(not_sent) - sum(not_sent), len(not_sent)),
        unclear=share(unclear, len(scored)),
        missing=sum(one.state == "missing" for one in scored),
        unreadable=sum(one.state == "unreadable" for one in scored),
        failed=sum(one.state == "failed" for one in scored),
        misquoted=sum(one.misquoted for one in scored),
        ms_p50=median,
        ms_p95=slow,
        requests=sum(one.usage.requests for one in scored),
        input_tokens=sum(one.usage.input_tokens for one in scored),
        output_tokens=sum(one.usage.output_tokens for one in scored),
        cost_usd=_cost(scored),
    )


def slices(scored: Iterable[Scored], name: str) -> dict[str, list[Scored]]:
    """The pairs by their value of `name`, in the order of the values; pairs without one are in no slice."""
    named = sorted((one for one in scored if name in one.groups), key=lambda one: one.groups[name])
    return {value: list(ones) for value, ones in groupby(named, key=lambda one: one.groups[name])}


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def f1(precision: float | None, recall: float | None) -> float | None:
    """The harmonic mean; None where nothing was met, so that there is nothing to recall."""
    if recall is None:
        return None
    if not precision or not recall:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def at_least(right: int, of: int) -> float | None:
    """Wilson's lower bound of the share `right / of`, 95 %, one-sided."""
    if not of:
        return None
    p, squared = right / of, _Z * _Z
    middle = p + squared / (2 * of)
    spread = _Z * math.sqrt(p * (1 - p) / of + squared / (4 * of * of))
    return max(0.0, (middle - spread) / (1 + squared / of))


def auroc(pairs: Sequence[tuple[float, bool]]) -> float | None:
    """How often a pair that was met has the higher probability than one that was not; a tie counts half. By ranks:
    comparing each with each takes minutes on a large set. None where all are of one kind."""
    met = sum(was_met for _, was_met in pairs)
    unmet = len(pairs) - met
    if not met or not unmet:
        return None
    ranks, before = 0.0, 0
    for _, tied in groupby(sorted(pairs), key=lambda pair: pair[0]):
        labels = [was_met for _, was_met in tied]
        ranks += sum(labels) * (before + (len(labels) + 1) / 2)
        before += len(labels)
    return (ranks - met * (met + 1) / 2) / (met * unmet)


def bins(pairs: Sequence[tuple[float, bool]]) -> list[Bin]:
    """Ten of equal width; a probability on a border counts in the upper one."""
    found: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for pair in pairs:
        found[min(BINS - 1, int(pair[0] * BINS))].append(pair)
    return [
        Bin(
            above=number / BINS,
            up_to=(number + 1) / BINS,
            pairs=len(inside),
            said=fmean(p for p, _ in inside) if inside else None,
            met=fmean(was_met for _, was_met in inside) if inside else None,
        )
        for number, inside in enumerate(found)
    ]


def calibration_error(pairs: Sequence[tuple[float, bool]]) -> float | None:
    """The expected calibration error: the mean distance, weighed by pairs, between what a bin said and what was."""
    if not pairs:
        return None
    gaps = (
        bin.pairs * abs(bin.said - bin.met) for bin in bins(pairs) if bin.said is not None and bin.met is not None
    )
    return sum(gaps) / len(pairs)


def reliability(scored: Sequence[Scored]) -> list[Bin]:
    return bins([(one.probability, one.met) for one in scored])


def _milliseconds(scored: Iterable[Scored]) -> tuple[float | None, float | None]:
    times = [1000 * one.seconds for one in scored if one.seconds is not None]
    return percentile(times, 50), percentile(times, 95)


def percentile(values: Sequence[float], percent: int) -> float | None:
    if len(values) < 2:
        return values[0] if values else None
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _cost(scored: Iterable[Scored]) -> Decimal | None:
    """None where one of them has no known price: a sum that lacks a part would look cheap."""
    costs = [one.cost for one in scored]
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None
