"""Waiting for something that another process does, so generously that no verdict hangs on the machine's speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 180.0

_Seen = TypeVar("_Seen")


def wait_until(
    holds: Callable[[], _Seen | None], what: str, *, patience_s: float = PATIENCE_S, every_s: float = 0.03
) -> _Seen:
    """The first true value of `holds`; AssertionError, saying `what`, when none comes."""
    deadline = time.monotonic() + patience_s
    while True:
        if value := holds():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_s:.0f} s in vain until {what}")
        time.sleep(every_s)
