"""Ids sort by the moment they were made."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from postcall.ids import first_id, new_id


def test_it_sorts_what_was_made_within_one_millisecond() -> None:
    def made() -> int:
        until = time.time_ns() + 1_000  # longer than the 244 ns that an id can tell
        while time.time_ns() < until:
            pass
        return new_id().int

    ids = [made() for _ in range(200)]
    assert ids == sorted(ids)


def test_it_is_a_uuid_of_version_7_of_its_moment() -> None:
    made, now = new_id(), datetime.now(UTC)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert first_id(now - timedelta(seconds=5)) < made < first_id(now + timedelta(seconds=5))
