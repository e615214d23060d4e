"""A message as the stand-in keeps it, and the statuses it goes through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from postcall.sandbox.magic import fate_of

Direction = Literal["outbound-api", "inbound"]

TERMINAL = frozenset({"delivered", "undelivered", "failed", "canceled", "received", "read"})
STATUSES = frozenset({"scheduled", "accepted", "queued", "sending", "sent", *TERMINAL})
# Twilio neither redacts nor deletes a message that it still has to hand over.
IN_PROGRESS = frozenset({"scheduled", "accepted", "queued", "sending"})

PRICE_PER_SEGMENT = 0.0083


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. Times are seconds since the epoch.

    `body` is what the API shows (empty once redacted), `original_body` what was sent. `due_at` is when the
    next status is due, None when it comes by hand or not at all. `parameters` are the form fields of the
    create, as they came.
    """

    sid: str
    account_sid: str
    to: str
    from_number: str | None
    body: str
    status: str
    created_at: float
    updated_at: float
    segments: int
    original_body: str = ""
    direction: Direction = "outbound-api"
    messaging_service_sid: str | None = None
    error_code: int | None = None
    sent_at: float | None = None
    due_at: float | None = None
    status_callback: str | None = None
    deleted: bool = False
    parameters: dict[str, str] = field(default_factory=dict)
    position: int = 0

    @property
    def price(self) -> str | None:
        """What it cost, known once it was sent: a negative amount, like Twilio's."""
        if self.sent_at is None or self.direction == "inbound":
            return None
        return f"-{self.segments * PRICE_PER_SEGMENT:.5f}"


def status_after(message: Message) -> tuple[str, int | None] | None:
    """The next status of a message and its error code; None when there is none to come."""
    match message.status:
        case "scheduled" | "accepted":
            return "queued", None
        case "queued":
            return "sending", None
        case "sending":
            fate = fate_of(message.to)
            return ("failed", fate.error_code) if fate.final == "failed" else ("sent", None)
        case "sent":
            fate = fate_of(message.to)
            return None if fate.final == "sent" else (fate.final, fate.error_code)
    return None
