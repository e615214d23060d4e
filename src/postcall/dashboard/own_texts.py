"""How a text to one's own phone fares, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Final

from django.utils import timezone

from postcall.dashboard.words import State, Tone
from postcall.messages.accounts import account_with
from postcall.messages.errors import ErrorText, explain
from postcall.messages.models import Account, OwnText
from postcall.messages.own_texts import is_over

# So long the page asks every two seconds; later it is not looked at any more.
WATCHED: Final = timedelta(minutes=15)
S = OwnText.Status
_STATES: Final[dict[str, tuple[Tone, str, str]]] = {
    S.QUEUED: ("idle", "wait", "Waiting to go out"),
    S.SENDING: ("idle", "send", "Being handed to Twilio"),
    S.ACCEPTED: ("idle", "send", "Accepted by Twilio"),
    S.SENT: ("idle", "send", "Sent"),
    S.DELIVERED: ("good", "good", "Delivered"),
    S.UNDELIVERED: ("bad", "bad", "Undelivered"),
    S.FAILED: ("bad", "bad", "Failed"),
    S.CANCELED: ("idle", "idle", "Canceled"),
    S.UNCONFIRMED: ("wait", "unsure", "Not known whether it was sent"),
    S.REFUSED: ("bad", "bad", "Not sent"),
    S.ABSENT: ("bad", "bad", "Not sent"),
}


@dataclass(frozen=True)
class Told:
    """What is known of a text, for its card."""

    text: OwnText

    @property
    def state(self) -> State:
        tone, icon, words = _STATES[self.text.status]
        return State(tone, icon, words, self.is_settled)

    @property
    def is_settled(self) -> bool:
        """Whether nothing moves on the page any more; the price may still come."""
        return is_over(self.text) or timezone.now() - self.text.created_at > WATCHED

    @cached_property
    def in_sandbox(self) -> bool:
        account_id = self.text.account_id
        return account_id is not None and account_with(account_id).kind == Account.Kind.SANDBOX

    @property
    def error(self) -> ErrorText | None:
        return explain(self.text.error_code, self.text.error_message) if self.text.error_code else None

    @property
    def why(self) -> str:
        """What happened, where it did not arrive as it should."""
        status = self.text.status
        if status == S.UNCONFIRMED and self.text.due_at is not None:
            return (
                "Twilio gave no clear answer, so it may or may not have been sent. Its list is being asked, which "
                "takes up to ten minutes. It is not sent again by itself."
            )
        if status == S.UNCONFIRMED:
            return (
                f"It could not be found out. {self.text.error_message} Look at the phone, or in Twilio’s console."
            )
        if status == S.ABSENT:
            return "Twilio gave no clear answer, and its lists show no such text: it was not sent."
        return self.error.message if self.error else self.text.error_message

    @property
    def mend(self) -> str:
        if self.text.status == S.ABSENT or (self.error and self.error.kind == "retry"):
            return "Send another in a minute."
        return self.error.fix if self.error else ""
