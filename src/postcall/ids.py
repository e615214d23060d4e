"""Ids that sort by the moment they were made, so that a list's cursor is simply the last id seen."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from uuid import UUID


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562, sections 5.7 and 6.2, method 3): 48 bits of Unix milliseconds, 12 of the
    fraction of the millisecond, so that what one process makes one after the other sorts so, then randomness."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    return UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62))


def first_id(moment: datetime | date) -> UUID:
    """The smallest id that can have been made at that moment or later: an index finds it, a time has none."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time_of_day(), UTC)
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(int=min(max(milliseconds, 0), 2**48 - 1) << 80)
