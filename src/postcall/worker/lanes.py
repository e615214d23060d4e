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
from postcall.messages import send as sending
from postcall.messages import track as tracking
from postcall.messages.handing import TwilioMessaging
from postcall.messages.models import Attempt, Message
from postcall.work.models import Due

LEASE = timedelta(seconds=30)


@dataclass(frozen=True)
class Lane:
    """`work` is given a row taken for `lease` and returns rows taken along the way, as (lane, row): they go
    straight on to their lane. It must settle its row. `set_aside` is called instead of `work` for a row that was
    begun too often."""

    name: str
    model: type[Due]
    lease: timedelta
    threads: int
    work: Callable[[Any], list[tuple[str, Due]]]
    set_aside: Callable[[Any], None]


def process_call(call: Call) -> list[tuple[str, Due]]:
    messaging = TwilioMessaging()
    processing.process(call, judge_from_config(), messaging)
    return [("messages", message) for message in messaging.in_hand]


def send_message(message: Message) -> list[tuple[str, Due]]:
    sending.send(message)
    return []


def track_attempt(attempt: Attempt) -> list[tuple[str, Due]]:
    tracking.track(attempt)
    return []


def lanes() -> list[Lane]:
    """Leases are renewed while their worker lives: LEASE is how long the rows of one that died have to wait."""
    threads = config().worker_threads
    return [
        Lane("calls", Call, LEASE, threads, process_call, processing.set_aside),
        Lane("messages", Message, LEASE, threads, send_message, sending.set_aside),
        Lane("attempts", Attempt, LEASE, max(2, threads // 4), track_attempt, tracking.set_aside),
    ]
