"""How each platform would send: for the tests that hold for all of them. A module a platform, named as its kind.

Each has `PLATFORM`, a Platform; every kind of `KINDS` needs one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from postcall.sources.kinds import KINDS

URL = "https://postcall.example/in/kind/token"


@dataclass(frozen=True)
class Platform:
    """`body` is one report of an ended call in the documented shape, of the external id "call-1" (or `call_id`).

    `sign` makes the headers (names in lower case) of a body sent at a moment, in seconds since 1970, with an
    `auth`; by the vendor's own SDK where it can sign, else written out again from the vendor's words, never by our
    code. `url` is the address that a body is sent to, where that is signed too. `covers_body` False: changing the
    body goes unnoticed, by the platform's design. `timed` False: it signs no time. `stale_s`: so old is too old.
    """

    auth: Mapping[str, Any]
    other_auth: Mapping[str, Any]
    body: bytes
    sign: Callable[[bytes, float, Mapping[str, Any]], Mapping[str, str]]
    call_id: str = "call-1"
    url: Callable[[bytes], str] = lambda _body: URL
    covers_body: bool = True
    timed: bool = True
    stale_s: float = 3600 * 24
    needed: tuple[str, ...] = field(default=())
    """Headers each of which the delivery is refused without."""


def platforms() -> dict[str, Platform]:
    return {kind: import_module(f"{__name__}.{kind}").PLATFORM for kind in KINDS}
