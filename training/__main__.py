"""Makes the offline judge's model: python -m training DATA_FOLDER

DATA_FOLDER holds train.jsonl.gz. The model lands in src/postcall/judge/offline/model, the full-precision checkpoint
in training/work, which git ignores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
MODEL = HERE.parent / "src/postcall/judge/offline/model"
CHECKPOINT = HERE / "work/judge.pt"


def step(module: str, *arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", f"training.{module}", *map(str, arguments)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", default="29", help="of training, on two cores")
    arguments = parser.parse_args()
    data = arguments.data / "train.jsonl.gz"
    CHECKPOINT.parent.mkdir(exist_ok=True)
    step("train", data, CHECKPOINT, "--minutes", arguments.minutes)
    step("export", CHECKPOINT, MODEL)
    step("calibrate", data, HERE / "own_check.jsonl", MODEL)


if __name__ == "__main__":
    main()
