"""Makes the offline judge's model: python -m training DATA_FOLDER

DATA_FOLDER holds train.jsonl.gz. The model lands in src/postcall/judge/offline/model, the full-precision
checkpoints in training/work, which git ignores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
MODEL = HERE.parent / "src/postcall/judge/offline/model"
WORK = HERE / "work"


def step(module: str, *arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", f"training.{module}", *map(str, arguments)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", default="29", help="of training, on two cores")
    arguments = parser.parse_args()
    data = arguments.data / "train.jsonl.gz"
    WORK.mkdir(exist_ok=True)
    first, second, mean = WORK / "first.pt", WORK / "second.pt", WORK / "mean.pt"
    step("train", data, first, "--minutes", arguments.minutes)
    # A second, shorter run on a falling rate again: the first one's loss is still falling when its time is over.
    again = str(0.3 * float(arguments.minutes))
    step("train", data, second, "--begin", first, "--minutes", again, "--rate", "1e-4", "--seed", "8")
    step("average", first, second, mean)
    step("export", mean, MODEL)
    step("calibrate", data, HERE / "own_check.jsonl", MODEL)


if __name__ == "__main__":
    main()
