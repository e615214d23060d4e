"""What a careful colleague would say about an action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Warning:
    """`code` is for programs, `message` for people. `suggestion` is the whole of the `field` put right, where that
    can be done; `alternatives` are others, where it could be meant in more than one way."""

    code: str
    message: str
    suggestion: str | None = None
    field: Literal["message", "condition"] = "message"
    alternatives: tuple[str, ...] = ()
