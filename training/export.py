"""Writes the model as the judge runs it, int8 ONNX, and its tokenizer:

python -m training.export CHECKPOINT FOLDER
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from postcall.judge.offline.encoding import lay_out, visible
from training.network import BASE, Network

INPUTS = ("ids", "positions", "types", "mask", "rows", "heads")
AXES = {
    "ids": {0: "calls", 1: "length"},
    "positions": {0: "calls", 1: "length"},
    "types": {0: "calls", 1: "length"},
    "mask": {0: "calls", 2: "length", 3: "length"},
    "rows": {0: "conditions"},
    "heads": {0: "conditions"},
    "logit": {0: "conditions"},
}


def example() -> tuple[torch.Tensor, ...]:
    layout = lay_out([5] * 50, [[7] * 10, [8] * 9])
    seen = torch.from_numpy(visible(torch.tensor(layout.block).numpy()))
    mask = torch.zeros(seen.shape).masked_fill(~seen, -10_000)[None, None]
    ids, positions, types = (torch.tensor([part]) for part in (layout.ids, layout.positions, layout.types))
    return ids, positions, types, mask, torch.zeros(2, dtype=torch.long), torch.tensor(layout.heads)


def export(checkpoint: Path, folder: Path) -> None:
    network = Network()
    network.load_state_dict(torch.load(checkpoint, weights_only=True))
    network.eval()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        full = Path(scratch) / "full.onnx"
        torch.onnx.export(
            network,
            example(),
            str(full),
            input_names=list(INPUTS),
            output_names=["logit"],
            dynamic_axes=AXES,
            opset_version=17,
            dynamo=False,
        )
        onnx.checker.check_model(str(full))
        quantize_dynamic(full, folder / "judge.onnx", weight_type=QuantType.QInt8)
    (folder / "tokenizer.json").write_bytes((BASE / "tokenizer.json").read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    export(arguments.checkpoint, arguments.folder)


if __name__ == "__main__":
    main()
