"""What the platforms' ways of signing have in common."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta

from postcall.sources.auth import secrets_of
from postcall.sources.kind import Delivery, NotVerified

WRONG = "the signature was made with another secret, or over another body"


def header(delivery: Delivery, *names: str) -> str:
    """The first of these headers that came, by their names in lower case. Raises NotVerified when none did."""
    for name in names:
        if value := delivery.headers.get(name):
            return value
    raise NotVerified(f"the header {names[0]} is missing: is signing switched on at the platform?")


def fresh(signed_at: float, within: timedelta, name: str) -> None:
    """Raises NotVerified unless `signed_at`, in seconds since 1970, is at most `within` off, either way.

    Measured by this machine's clock, like in the Standard Webhooks library. `name` is the header's.
    """
    off = time.time() - signed_at
    # Written so that a signature of the time NaN is not fresh.
    if not abs(off) <= within.total_seconds():
        minutes = int(within.total_seconds() // 60)
        way = "ahead" if off < 0 else "old"
        raise NotVerified(f"{name} is more than {minutes} minutes {way}: is the sender's clock right?")


def seconds(written: str, name: str) -> float:
    """A header's number of seconds. Raises NotVerified when it is none."""
    if not written.isascii() or not written.isdigit() or len(written) > 15:
        raise NotVerified(f"{name} is not a number of seconds")
    return float(written)


def one_of(made: Iterable[bytes | str], given: str, wrong: str = WRONG) -> None:
    """Raises NotVerified, which says what is `wrong`, unless `given` is one of the signatures that were made here;
    tells nothing by its time."""
    right = False
    for each in made:
        ours = each.encode() if isinstance(each, str) else each
        right |= hmac.compare_digest(ours, given.encode("utf-8", "surrogateescape"))
    if not right:
        raise NotVerified(wrong)


def digests(auth: Mapping[str, object], signed: bytes, algorithm: str = "sha256") -> list[bytes]:
    """The HMAC of `signed` with each secret that is accepted."""
    return [hmac.digest(secret.encode(), signed, algorithm) for secret in secrets_of(auth)]
