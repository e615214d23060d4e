"""What Postcall needs to know of a voice platform to take its reports of ended calls: one small interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from postcall.sources.ended_call import EndedCall


@dataclass(frozen=True)
class Delivery:
    """One request as it came in: header names in lower case, the body's bytes untouched.

    `url` is the address that the platform was given, with the query as it was sent.
    """

    headers: Mapping[str, str]
    body: bytes
    url: str


@dataclass(frozen=True)
class Ignored:
    """A verified event that says nothing about an ended call."""

    what: str


class NotVerified(Exception):
    """The sender could not show that it knows the source's secret. The text says why, and no secret."""


class Unreadable(Exception):
    """A verified delivery that is not what its platform documents.

    `errors` lists (dotted path, what is wrong with it).
    """

    def __init__(self, message: str, errors: list[tuple[str, str]] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or []


class SourceKind(Protocol):
    """One voice platform. Registered by name in `postcall.sources.kinds.KINDS`."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str:
        """How people know the platform."""
        ...

    @property
    def paste(self) -> str:
        """Where the source's address goes on the platform's side; a sentence or two for whoever connects it."""
        ...

    @property
    def auth(self) -> type[BaseModel] | None:
        """The shape of a source's `auth`; None for a platform that cannot sign.

        Each of its fields that are text is asked for under its title, with its description below; `previous` is
        kept by us.
        """
        ...

    def new_auth(self) -> dict[str, Any] | None:
        """An `auth` of our making, where the platform takes its secret from us; None where it makes its own."""
        ...

    def verify(self, delivery: Delivery, auth: Mapping[str, Any]) -> None:
        """Raises NotVerified unless the delivery was signed with the present secret or the one before it."""
        ...

    def parse(self, body: bytes) -> EndedCall | Ignored:
        """Raises Unreadable."""
        ...
