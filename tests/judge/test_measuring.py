"""The figures, against examples worked out by hand and against the definition itself."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from postcall.judge import measuring
from postcall.judge.measuring import Scored, at_least, auroc, bins, calibration_error, figures, slices
from postcall.judge.verdicts import Result, Usage, Verdict

Pairs = list[tuple[float, bool]]


def pair(met: bool, result: Result, probability: float | None = None, **fields: object) -> Scored:
    return Scored(met, Verdict(result, 0.9, "", probability=probability), **fields)  # type: ignore[arg-type]  # by name


# Ten pairs: six met, four not.
TEN = [
    pair(True, "met", 0.95),
    pair(True, "met", 0.90),
    pair(False, "met", 0.85),
    pair(True, "unclear", 0.70),
    pair(False, "unclear", 0.60),
    pair(True, "unclear", 0.40),
    pair(False, "unclear", 0.30),
    pair(True, "not_met", 0.20),
    pair(False, "not_met", 0.10),
    Scored(True, Verdict("unclear", 0.0, ""), state="missing"),
]


def test_it_counts_by_what_the_judge_leans_to() -> None:
    told = figures(TEN)
    assert (told.pairs, told.met) == (10, 6)
    # Right: .95 .90 .70 of the met, .30 .10 of the others; the missing one is right in nothing.
    assert told.accuracy == pytest.approx(5 / 10)
    assert told.precision == pytest.approx(3 / 5)
    assert told.recall == pytest.approx(3 / 6)
    assert told.f1 == pytest.approx(2 * 0.6 * 0.5 / 1.1)


def test_it_counts_by_what_is_sent() -> None:
    told = figures(TEN)
    assert (told.sent, told.not_sent) == (3, 2)
    assert (told.decided, told.unclear) == (0.5, 0.5)
    assert told.right_of_sent == pytest.approx(2 / 3)
    assert told.sent_of_met == pytest.approx(2 / 6)
    assert told.right_of_not_sent == pytest.approx(1 / 2)
    assert told.decided_f1 == pytest.approx(4 / 9)
    assert told.missing == 1


def test_it_ranks_the_ten() -> None:
    # Of 6 x 4 comparisons the met ones win: .95 and .90 four each, .70 three, .5 and .40 two each, .20 one.
    assert figures(TEN).auroc == pytest.approx(16 / 24)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(0.9, True), (0.1, False)], 1.0),
        ([(0.1, True), (0.9, False)], 0.0),
        ([(0.5, True), (0.5, False), (0.5, False)], 0.5),
        ([(0.7, True), (0.7, False), (0.2, False)], 0.75),
        ([(0.7, True), (0.6, True)], None),
        ([(0.7, False)], None),
        ([], None),
    ],
)
def test_it_ranks_with_ties_halved(pairs: Pairs, expected: float | None) -> None:
    assert auroc(pairs) == expected


@given(
    some.lists(some.tuples(some.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]) | some.floats(0, 1), some.booleans()))
)
def test_it_ranks_as_comparing_each_with_each_does(pairs: Pairs) -> None:
    met = [p for p, was_met in pairs if was_met]
    unmet = [p for p, was_met in pairs if not was_met]
    if not met or not unmet:
        assert auroc(pairs) is None
        return
    wins = sum((p > q) + 0.5 * (p == q) for p in met for q in unmet)
    assert auroc(pairs) == pytest.approx(wins / (len(met) * len(unmet)))


def test_it_measures_how_far_probabilities_are_off() -> None:
    # Bin .9: said .95 and 1, half met, off by .475. Bin .1: said .1, none met, off by .1.
    pairs = [(0.95, True), (1.0, False), (0.1, False)]
    assert calibration_error(pairs) == pytest.approx((2 * 0.475 + 0.1) / 3)
    assert calibration_error([]) is None


def test_it_puts_each_probability_into_one_bin() -> None:
    found = bins([(0.0, False), (0.1, True), (0.3, True), (0.95, True), (1.0, False)])
    assert [each.pairs for each in found] == [1, 1, 0, 1, 0, 0, 0, 0, 0, 2]
    assert (found[9].said, found[9].met) == (pytest.approx(0.975), 0.5)
    assert (found[2].said, found[2].met) == (None, None)


def test_it_bounds_a_share_from_below() -> None:
    assert at_least(0, 0) is None
    assert at_least(3, 3) == pytest.approx(0.5258, abs=1e-4)
    assert at_least(95, 100) == pytest.approx(0.9008, abs=1e-4)
    assert at_least(0, 5) == 0.0


def test_it_knows_no_share_of_nothing() -> None:
    told = figures([])
    assert (told.accuracy, told.f1, told.auroc, told.right_of_sent, told.ms_p50) == (None,) * 5
    assert told.cost_usd == 0


def test_it_recalls_nothing_where_nothing_was_met() -> None:
    told = figures([pair(False, "met", 0.9), pair(False, "not_met", 0.1)])
    assert (told.precision, told.recall, told.f1, told.auroc) == (0.0, None, None, None)


def test_it_goes_by_confidence_where_there_is_no_probability() -> None:
    told = [pair(True, "met").probability, pair(True, "not_met").probability, pair(True, "unclear").probability]
    assert told == pytest.approx([0.9, 0.1, 0.5])


def test_it_leans_to_what_a_verdict_calls_likelier() -> None:
    overturned = Scored(True, Verdict("unclear", 0.9, "", probability=0.1, likelier="met"))
    assert overturned.leans_to_met is True
    assert pair(True, "unclear", 0.5).leans_to_met is None


def test_it_sums_tokens_and_prices() -> None:
    usage = Usage(100, 20, 1)
    told = figures([pair(True, "met", usage=usage, cost=Decimal("0.25"))] * 2)
    assert (told.requests, told.input_tokens, told.output_tokens, told.cost_usd) == (2, 200, 40, Decimal("0.50"))


def test_it_knows_no_sum_of_which_a_part_is_unknown() -> None:
    assert figures([pair(True, "met", cost=Decimal(1)), pair(True, "met", cost=None)]).cost_usd is None


def test_it_tells_the_time_of_decisions_that_were_made() -> None:
    told = figures([pair(True, "met", seconds=s / 1000) for s in range(101)] + [pair(True, "met")])
    assert (told.ms_p50, told.ms_p95) == (pytest.approx(50), pytest.approx(95))
    assert measuring.percentile([7.0], 95) == 7.0


def test_it_parts_pairs_by_their_slice() -> None:
    rows = [pair(True, "met", groups={"kind": kind}) for kind in ("done", "asked", "done")] + [pair(True, "met")]
    assert {name: len(ones) for name, ones in slices(rows, "kind").items()} == {"asked": 1, "done": 2}
    assert slices(rows, "trade") == {}
