"""The lanes of work: which rows are due, what is done about one, and where a row goes that nobody survives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from postcall.calls.models import Call
from postcall.config import config
from postcall.followups import process as processing
from postcall.judge.choose import judge_from_config
from postcall.messages import own_texts
from postcall.messages import send as sending
from postcall.messages import track as tracking
from postcall.messages.handing import TwilioMessaging
from postcall.messages.models import Attempt, Message, OwnText
from postcall.pace import paced_delta
from postcall.testbench import working as bench
from postcall.testbench.models import BenchRun
from postcall.testbench.runs import LANE as BENCH
from postcall.webhooks import delivering
from postcall.webhooks.models import WebhookDelivery
from postcall.webhooks.taking import take_quick, take_slow
from postcall.work.models import Due

LEASE = paced_delta(seconds=30)


@dataclass(frozen=True)
class Lane:
    """`work` is given a row taken for `lease` and must settle it. `set_aside` is called instead for a row that was
    begun too often. `take` finds the rows where being due is not all that counts: at most so many, each for a
    lease, so many of them suspects."""

    name: str
    model: type[Due]
    lease: timedelta
    threads: int
    work: Callable[[Any], None]
    set_aside: Callable[[Any], None]
    take: Callable[..., list[Any]] | None = None


def lanes(pass_on: Callable[[str, Due], None]) -> list[Lane]:
    """Leases are renewed while their worker lives: LEASE is how long the rows of one that died have to wait.

    `pass_on` takes a row that one lane's work has taken for another, so that it need not be found again.
    """

    def send_at_once(message: Message) -> None:
        pass_on("messages", message)

    def process_call(call: Call) -> None:
        processing.process(call, judge_from_config(), TwilioMessaging(pass_on=send_at_once))

    def try_words(run: BenchRun) -> None:
        bench.work(run, judge_from_config())

    threads = config().worker_threads
    return [
        Lane("calls", Call, LEASE, threads, process_call, processing.set_aside),
        Lane("messages", Message, LEASE, threads, sending.send, sending.set_aside),
        Lane("attempts", Attempt, LEASE, max(2, threads // 4), tracking.track, tracking.set_aside),
        Lane(own_texts.LANE, OwnText, LEASE, 2, own_texts.work, own_texts.set_aside),
        Lane(BENCH, BenchRun, LEASE, 2, try_words, bench.set_aside),
        _webhooks("webhooks", threads, take_quick),
        _webhooks("slow_webhooks", threads, take_slow),
    ]


def _webhooks(name: str, threads: int, take: Callable[..., list[Any]]) -> Lane:
    return Lane(name, WebhookDelivery, LEASE, threads, delivering.deliver, delivering.set_aside, take)
