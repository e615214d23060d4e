"""Deliveries that are larger than what is read, of platforms that also send what Postcall has no use for.

A recording is tens of megabytes. It is verified as it passes and never held whole: refusing it would count as a
failure of the address by which the platform reports its calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol, runtime_checkable

from postcall.sources.kinds import KINDS

# Hours of speech; nobody's recording is longer.
MAX_SKIMMED: Final = 256 * 1024**2
_BEGINNING: Final = 256


class Seal(Protocol):
    """A signature over a body that is seen in parts."""

    def update(self, part: bytes) -> None: ...

    def check(self) -> None:
        """Raises NotVerified unless the parts, in their order, are what was signed."""
        ...


@runtime_checkable
class Skims(Protocol):
    """A kind whose platform sends such deliveries."""

    def skim(self, headers: Mapping[str, str], auth: Mapping[str, Any], beginning: bytes) -> Seal | None:
        """What verifies a body that begins so; None where it may say something of use. Raises NotVerified where
        its headers rule it out already."""
        ...


class TooLarge(Exception):
    """More than is read, and nothing that may be passed over."""


def is_skimmed(kind: str) -> bool:
    return isinstance(KINDS.get(kind), Skims)


def skim(kind: str, headers: Mapping[str, str], auth: Mapping[str, Any], parts: Iterable[bytes]) -> None:
    """Verifies a delivery by its parts, and forgets it. Raises TooLarge, after no more than the first part where
    it is nothing to pass over, and NotVerified."""
    platform = KINDS[kind]
    seal: Seal | None = None
    length = 0
    for part in parts:
        if seal is None and isinstance(platform, Skims):
            seal = platform.skim(headers, auth, part[:_BEGINNING])
        length += len(part)
        if seal is None or length > MAX_SKIMMED:
            raise TooLarge
        seal.update(part)
    if seal is None:
        raise TooLarge
    seal.check()
