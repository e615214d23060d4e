"""Ids that sort by the moment they were made, so that a list's cursor is simply the last id seen."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from uuid import UUID


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then randomness."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 7 << 76
    return UUID(int=value & ~(0x3 << 62) | 2 << 62)


def first_id(moment: datetime | date) -> UUID:
    """The smallest id that can have been made at that moment or later: an index finds it, a time has none."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time_of_day(), UTC)
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=min(max(milliseconds, 0), 2**48 - 1) << 80)
