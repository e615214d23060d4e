"""The mean of two checkpoints' weights, better on services neither has seen than either: A B OUT"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", type=Path, nargs=2)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    first, second = (torch.load(path, weights_only=True) for path in arguments.checkpoints)
    torch.save({name: (weight + second[name]) / 2 for name, weight in first.items()}, arguments.out)


if __name__ == "__main__":
    main()
