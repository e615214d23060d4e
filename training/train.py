"""Fine-tunes the network on labelled calls: python -m training.train DATA OUT --minutes 29"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from postcall.judge.offline.encoding import condition_tokens, lay_out, pieces, visible
from training.augment import varied
from training.network import Network, base_tokenizer, from_base
from training.rows import LabelledCall, calls, read, split
from training.written import spliced, write

CALLS_A_BATCH = 8
TRANSCRIPT_TOKENS = 420
WARM_UP_STEPS = 60
WRITTEN_AT_FIRST, WRITTEN_LATER, WRITTEN_FALLS_UNTIL = 0.9, 0.4, 0.3

Encoded = tuple[list[int], list[list[int]], list[float]]
Batch = tuple[torch.Tensor, ...]


def within(parts: list[list[int]], limit: int) -> list[int]:
    """The whole call, or its opening and its end where it is too long."""
    if sum(map(len, parts)) <= limit:
        return [token for part in parts for token in part]
    head: list[int] = []
    while len(head) + len(parts[0]) <= limit // 6:
        head += parts.pop(0)
    tail: list[int] = []
    while parts and len(head) + len(tail) + len(parts[-1]) <= limit:
        tail = parts.pop() + tail
    return head + tail


class Clock:
    """Schedules follow the time spent rather than steps: the budget is minutes of a given machine."""

    def __init__(self, minutes: float) -> None:
        self.started, self.seconds = time.monotonic(), 60 * minutes

    def spent(self) -> float:
        return (time.monotonic() - self.started) / self.seconds


class Encoder:
    def __init__(self) -> None:
        self.tokenizer = base_tokenizer()

    def __call__(self, call: LabelledCall) -> Encoded:
        transcript = within([piece.tokens for piece in pieces(self.tokenizer, call.turns)], TRANSCRIPT_TOKENS)
        conditions = [condition_tokens(self.tokenizer, question.condition) for question in call.questions]
        return transcript, conditions, [float(question.met) for question in call.questions]


def collate(encoded: list[Encoded]) -> Batch:
    layouts = [lay_out(transcript, conditions) for transcript, conditions, _ in encoded]
    length = max(len(layout.ids) for layout in layouts)
    ids, positions, types = (torch.zeros(len(layouts), length, dtype=torch.long) for _ in range(3))
    mask = torch.eye(length, dtype=torch.bool).repeat(len(layouts), 1, 1)
    rows, heads = [], []
    for row, layout in enumerate(layouts):
        size = len(layout.ids)
        ids[row, :size] = torch.tensor(layout.ids)
        positions[row, :size] = torch.tensor(layout.positions)
        types[row, :size] = torch.tensor(layout.types)
        mask[row, :size, :size] |= torch.from_numpy(visible(np.asarray(layout.block)))
        rows += [row] * len(layout.heads)
        heads += layout.heads
    return ids, positions, types, mask[:, None], torch.tensor(rows), torch.tensor(heads)


def _drawn(call: LabelledCall, share: float, rng: random.Random) -> LabelledCall:
    """`call`; for `share` of the draws one of ours in its place, or one of ours joined to it."""
    if rng.random() >= share:
        return call
    return write(rng) if rng.random() < 0.6 else spliced(call, rng)


def written_share(spent: float) -> float:
    """Short calls of our own first: on the corpora alone the loss stays flat for its first thousand steps."""
    fall = min(1.0, spent / WRITTEN_FALLS_UNTIL)
    return WRITTEN_AT_FIRST + fall * (WRITTEN_LATER - WRITTEN_AT_FIRST)


def batches(corpus: list[LabelledCall], clock: Clock, seed: int) -> Iterator[list[Encoded]]:
    """Batches until the time is spent, calls of like length together."""
    rng, encode = random.Random(seed), Encoder()
    waiting: list[LabelledCall] = []
    while clock.spent() < 1:
        drawn = []
        for _ in range(CALLS_A_BATCH * 6):
            if not waiting:
                waiting = rng.sample(corpus, len(corpus))
            drawn.append(_drawn(waiting.pop(), written_share(clock.spent()), rng))
        encoded = sorted((encode(varied(call, rng)) for call in drawn), key=lambda e: len(e[0]))
        groups = [encoded[at : at + CALLS_A_BATCH] for at in range(0, len(encoded), CALLS_A_BATCH)]
        rng.shuffle(groups)
        yield from groups


def train(network: Network, source: Iterator[list[Encoded]], clock: Clock, rate: float, out: Path) -> None:
    # The word vectors stay: those of words the corpora lack must keep their place among the others.
    network.word.weight.requires_grad_(False)
    learning = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    network.train()
    mean = 0.69
    for step, encoded in enumerate(source, 1):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, step / WARM_UP_STEPS) * max(0.03, 1 - clock.spent())
        wanted = torch.tensor([met for _, _, answers in encoded for met in answers])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(*collate(encoded))
        loss = F.binary_cross_entropy_with_logits(logits.float(), wanted)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        mean = 0.98 * mean + 0.02 * loss.item()
        if step % 25 == 0:
            print(f"step {step} loss {mean:.4f} spent {clock.spent():.2f}", flush=True)
        if step % 200 == 0:
            torch.save(network.state_dict(), out)
    torch.save(network.state_dict(), out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="train.jsonl or train.jsonl.gz")
    parser.add_argument("out", type=Path)
    parser.add_argument("--begin", type=Path, help="go on from this checkpoint")
    parser.add_argument("--minutes", type=float, default=29)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(2)
    corpus = calls(split(read(arguments.data))[0])
    print(f"{len(corpus)} calls, {sum(len(call.questions) for call in corpus)} pairs", flush=True)
    network = from_base()
    if arguments.begin:
        network.load_state_dict(torch.load(arguments.begin, weights_only=True))
    clock = Clock(arguments.minutes)
    train(network, batches(corpus, clock, arguments.seed), clock, arguments.rate, arguments.out)


if __name__ == "__main__":
    main()
