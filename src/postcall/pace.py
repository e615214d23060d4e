"""How fast time passes for whoever waits: a test may hasten every lease, pause and deadline alike."""

from __future__ import annotations

from datetime import timedelta

from postcall.config import config


def paced(seconds: float) -> float:
    """Seconds to wait where the service would wait `seconds` in earnest.

    The factor is POSTCALL_TEST_PACE, 1 outside of tests: one factor for all of them, so that the waits keep
    their proportions, on which the fencing rests.
    """
    return seconds * config().test_pace


def paced_delta(**duration: float) -> timedelta:
    """A duration, given as to `timedelta`, in which to wait."""
    return timedelta(**duration) * config().test_pace
