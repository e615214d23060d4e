"""What judging used and came to."""

from __future__ import annotations

from postcall.judge.prices import cost

__all__ = ["cost"]
