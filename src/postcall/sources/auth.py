"""What a source keeps to verify its platform by: a secret or a pair of keys, and the one before it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ConfigDict, Field

from postcall.shapes import Strict


class Auth(Strict, ABC):
    """What is secret about a source. `previous` is what `renewable` was before it was changed: accepted as well,
    until the operator says that the platform has the new one."""

    # What is copied brings a blank or the end of its line along.
    model_config = ConfigDict(str_strip_whitespace=True)

    @abstractmethod
    def renewable(self) -> Any:
        """What becomes `previous` when it is replaced, as JSON."""


class OneSecret(Auth):
    """For platforms that know a single secret. A kind makes its own of it, with a title and a description."""

    secret: str = Field(min_length=1, max_length=500, title="Secret")
    previous: str | None = Field(default=None, min_length=1, max_length=500)

    def renewable(self) -> str:
        return self.secret


class Pair(Strict):
    """A key with its name."""

    key: str = Field(min_length=1, max_length=500)
    secret: str = Field(min_length=1, max_length=500)


class KeyPair(Auth):
    """For platforms that sign with a named key."""

    key: str = Field(min_length=1, max_length=500, title="Key")
    secret: str = Field(min_length=1, max_length=500, title="Secret")
    previous: Pair | None = None

    def renewable(self) -> dict[str, str]:
        return {"key": self.key, "secret": self.secret}


def secrets_of(auth: Mapping[str, Any]) -> Iterator[str]:
    """The secrets of a stored OneSecret that are accepted: the present one, then the one before it."""
    for name in ("secret", "previous"):
        if secret := auth.get(name):
            yield str(secret)
