"""Fits how a logit becomes a probability, and chooses from where on the judge decides.

python -m training.calibrate TRAIN.jsonl.gz training/own_check.jsonl MODEL_FOLDER

The probability is fitted on services that training never saw. `met` and `not_met` are decided from where, on those
services and on our own hand-written calls alike, enough of what would be decided is right; the stricter counts.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.stats import beta

from postcall.judge.offline.judge import Calibration
from postcall.judge.offline.reader import Reader
from training.rows import LabelledCall, calls, read, split

HELD_OUT_CALLS = 900
# Lower bounds, on the held-out services: a wrong yes texts a stranger, a wrong no loses a text that was wanted.
SENT_RIGHT_AT_LEAST = 0.95
NOT_SENT_RIGHT_AT_LEAST = 0.93
SURE = 0.9
# Our own calls are too few for a bound: no mistake of theirs is sent, and this share of those not sent is right.
OWN_NOT_SENT_RIGHT = 0.9

Numbers = npt.NDArray[np.float64]


def logits(reader: Reader, labelled: list[LabelledCall]) -> tuple[Numbers, Numbers]:
    scores, answers = [], []
    for call in labelled:
        for at in range(0, len(call.questions), 10):
            questions = call.questions[at : at + 10]
            readings = reader.read(call.turns, frozenset(), [question.condition for question in questions])
            scores += [reading.logit for reading in readings]
            answers += [float(question.met) for question in questions]
    return np.array(scores), np.array(answers)


def fitted(scores: Numbers, answers: Numbers) -> tuple[float, float]:
    """Slope and offset of the likeliest logistic curve."""

    def loss(curve: Numbers) -> float:
        odds = curve[0] * scores + curve[1]
        return float(np.mean(np.logaddexp(0, odds) - answers * odds))

    slope, offset = minimize(loss, np.array([1.0, 0.0])).x
    return float(slope), float(offset)


def at_least(right: int, of: int) -> float:
    """Clopper-Pearson: the share is at least this, `SURE`."""
    return float(beta.ppf(1 - SURE, right, of - right + 1)) if right else 0.0


def decided_from(scores: Numbers, answers: Numbers, enough: Callable[[int, int], bool]) -> float:
    """The lowest score from which on `enough`(right, of) holds; above every score where it never does."""
    order = np.argsort(-scores)
    right = np.cumsum(answers[order])
    lowest = float(scores.max()) + 1
    for count in range(1, len(order) + 1):
        if enough(int(right[count - 1]), count):
            lowest = float(scores[order[count - 1]])
    return lowest


def surely(share: float) -> Callable[[int, int], bool]:
    return lambda right, of: at_least(right, of) >= share


def above_every_mistake(scores: Numbers, answers: Numbers) -> float:
    wrong = scores[answers == 0]
    return float(np.nextafter(wrong.max(), np.inf)) if len(wrong) else float(scores.min())


def calibrate(train: Path, own: Path, folder: Path) -> Calibration:
    reader = Reader(folder)
    held_out = calls(split(read(train))[1])
    rng = np.random.default_rng(5)
    drawn = [held_out[at] for at in rng.choice(len(held_out), min(HELD_OUT_CALLS, len(held_out)), replace=False)]
    scores, answers = logits(reader, drawn)
    ours, our_answers = logits(reader, calls(read(own)))
    slope, offset = fitted(scores, answers)
    met = max(decided_from(scores, answers, surely(SENT_RIGHT_AT_LEAST)), above_every_mistake(ours, our_answers))
    unmet = -max(
        decided_from(-scores, 1 - answers, surely(NOT_SENT_RIGHT_AT_LEAST)),
        decided_from(-ours, 1 - our_answers, lambda right, of: right >= OWN_NOT_SENT_RIGHT * of),
    )
    for name, s, y in (("held out", scores, answers), ("own", ours, our_answers)):
        sent, dropped = s >= met, s <= unmet
        print(
            f"{name}: {len(y)} pairs, accuracy {np.mean((slope * s + offset > 0) == y):.3f}, "
            f"met {sent.sum()} right {y[sent].mean() if sent.any() else 0:.3f}, "
            f"not met {dropped.sum()} right {1 - y[dropped].mean() if dropped.any() else 0:.3f}"
        )
    sure = Calibration(slope, offset, 1.0, 0.0)
    return Calibration(slope, offset, sure.probability(met), sure.probability(unmet))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train", type=Path)
    parser.add_argument("own", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    calibration = calibrate(arguments.train, arguments.own, arguments.folder)
    (arguments.folder / "calibration.json").write_text(json.dumps(asdict(calibration), indent=2) + "\n")
    print(calibration)


if __name__ == "__main__":
    main()
