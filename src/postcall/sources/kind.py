"""What Postcall needs to know of a voice platform to take its reports of ended calls: one small interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

from postcall.sources.auth import Auth
from postcall.sources.ended_call import Direction, EndedCall, Ending


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


@dataclass(frozen=True)
class Addition:
    """A verified event that tells more about a call which another event reports; it may come before that one.

    `keys` are the ids by which it names the call, the surest first: one is the call's `external_id` or stands in
    its `also_known_as`. `direction` and the two numbers count where the report leaves open who called whom,
    `end_reason` and `ending` where it says none; that a machine took the call (`voicemail`) counts in any case.
    """

    keys: tuple[str, ...]
    extracted: Mapping[str, Any] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)
    direction: Direction | None = None
    customer_number: str | None = None
    agent_number: str | None = None
    end_reason: str | None = None
    ending: Ending | None = None


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
    def auth(self) -> type[Auth] | None:
        """The shape of a source's `auth`; None for a platform that cannot sign.

        Each of its fields that is text is asked for under its title, with its description below; `previous` is
        kept by us.
        """
        ...

    def new_auth(self) -> dict[str, Any] | None:
        """An `auth` of our making, where the platform takes its secret from us; None where it makes its own."""
        ...

    def verify(self, delivery: Delivery, auth: Mapping[str, Any]) -> None:
        """Raises NotVerified unless the delivery was signed with the present secret or the one before it.

        `auth` is what was stored: the kind's `auth` in JSON, without what is None.
        """
        ...

    def parse(self, body: bytes) -> EndedCall | Addition | Ignored:
        """What a delivery says; it may have been verified, or come from a file. An event of a type that is not used
        is Ignored. Whatever else the platform may add, change or leave out is read as far as it goes; Unreadable is
        raised when it is not this platform's event at all, or names no call."""
        ...


@runtime_checkable
class ExtractsAfterwards(Protocol):
    """A kind whose platform sends the values that it extracts in an event of their own, an Addition."""

    @property
    def extracts_within(self) -> timedelta:
        """How long after the report it may come: a call of which a text needs such a value waits for it so long."""
        ...
