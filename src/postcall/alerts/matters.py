"""What may need a person: the kinds, and how one of them is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

import phonenumbers
from django.db.models import TextChoices

Tone = Literal["bad", "wait", "idle"]
# Where it is mended. A door turns it into an address.
Place = Literal[
    "twilio",
    "recheck",
    "messages",
    "review",
    "calls",
    "unknown_agents",
    "platforms",
    "judge",
    "webhooks",
    "action",
    "agent",
    "",
]


class Kind(TextChoices):
    """In the order in which they are shown; the words are those by which an owner chooses what to be told."""

    ACCOUNT = "account", "No Twilio account, or sending stopped after a restoration"
    CREDENTIALS = "credentials", "Twilio refuses the account’s credentials"
    PAUSED = "paused", "A sender is paused"
    WORK = "work", "Work is late"
    REFUSED = "refused", "A voice platform’s deliveries are refused"
    SILENT = "silent", "A voice platform falls silent"
    JUDGE = "judge", "The judge fails"
    WEBHOOK = "webhook", "A webhook’s deliveries fail"
    UNREGISTERED = "unregistered", "A sender is not registered"
    FAILED = "failed", "Texts fail with the same error"
    HELD = "held", "Follow-ups wait for a person"
    UNCONFIRMED = "unconfirmed", "Texts are unconfirmed"
    UNKNOWN_AGENT = "unknown_agent", "Calls of an unknown agent"
    UNBOUND = "unbound", "An action is off because an input is not bound"
    NEVER_FIRES = "never_fires", "A condition never fires"


# Of what an alert may tell: what is merely not set up yet is told to whoever looks.
TOLD: Final = tuple(kind for kind in Kind if kind is not Kind.UNBOUND)
ORDER: Final = {kind: place for place, kind in enumerate(Kind)}


@dataclass(frozen=True)
class Target:
    """Where something is mended: a place, what is asked there, and of which thing."""

    place: Place
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    id: UUID | None = None


@dataclass(frozen=True)
class Matter:
    """One thing that needs a person. `key` names it for as long as it lasts; whatever changes meanwhile (how many,
    since when) stands in the words alone. Neither words hold anything of a customer. `weighty`: worth being told of
    by an alert, not only to whoever looks.
    """

    kind: Kind
    key: str
    tone: Tone
    title: str
    mend: str
    target: Target
    weighty: bool = True


def counted(number: int, noun: str, most: int | None = None) -> str:
    """`1 text`, `3 texts`; `100 or more texts` where nobody counted further."""
    amount = f"{number:,} or more" if most is not None and number >= most else f"{number:,}"
    return f"{amount} {noun}" if number == 1 else f"{amount} {noun}s"


def lasting(span: timedelta) -> str:
    """A stretch of time in the largest unit that fits: `4 min`, `3 h`, `5 days`."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 90 * 60:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86_400} days"


def spelled(sender: str) -> str:
    """A sender as people read it: `+1 415 555 0132` for a number; anything else as it is."""
    try:
        parsed = phonenumbers.parse(sender)
    except phonenumbers.NumberParseException:
        return sender
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL).replace("-", " ")
