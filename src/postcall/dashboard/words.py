"""What happened, in a word, an icon and a tone. A colour never stands alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from django.utils import timezone

from postcall.calls.models import Call
from postcall.followups.models import FollowUp, Reason
from postcall.messages.models import Message
from postcall.sources.kinds import KINDS
from postcall.words import is_redacted

Tone = Literal["good", "wait", "bad", "idle"]

REASONS: Final[dict[str, str]] = {
    Reason.RULE_NOT_MET: "a rule did not hold",
    Reason.CONDITION_NOT_MET: "not met",
    Reason.CONDITION_UNCLEAR: "unclear",
    Reason.JUDGE_FAILED: "the judge failed",
    Reason.MISSING_INPUT: "an input is missing",
    Reason.UNMAPPED_INPUT: "an input is not mapped",
    Reason.UNSAFE_VALUE: "a value is unsafe",
    Reason.MESSAGE_TOO_LONG: "message too long",
    Reason.NOT_CONNECTED: "nobody answered",
    Reason.VOICEMAIL: "voicemail",
    Reason.NO_TRANSCRIPT: "no transcript",
    Reason.REDACTED: "redacted by the platform",
    Reason.AGENT_UNKNOWN: "agent unknown",
    Reason.NO_RECIPIENT: "no number to text",
    Reason.INVALID_RECIPIENT: "not a phone number",
    Reason.LANDLINE: "landline",
    Reason.NUMBER_REFUSED: "number refused",
    Reason.OPTED_OUT: "opted out",
    Reason.ASKED_NOT_TO_BE_TEXTED: "asked not to be texted",
    Reason.OUTSIDE_SEND_WINDOW: "outside the hours",
    Reason.FREQUENCY_CAP: "number's daily limit",
    Reason.BUDGET_EXCEEDED: "workspace's daily limit",
    Reason.COUNTRY_NOT_ALLOWED: "country not allowed",
    Reason.SENDER_PAUSED: "sender paused",
    Reason.AWAITING_APPROVAL: "waits for approval",
    Reason.REJECTED: "rejected",
    Reason.EXPIRED: "expired",
    Reason.SHADOW: "shadow, not sent",
    Reason.ATTACHMENT_OFF: "switched off",
    Reason.MESSAGING_NOT_CONFIGURED: "no Twilio account",
    Reason.SET_ASIDE: "set aside",
}
OUTCOMES: Final[dict[str, str]] = {
    FollowUp.Outcome.PENDING: "Being decided",
    FollowUp.Outcome.MESSAGE: "Sent a text",
    FollowUp.Outcome.SKIPPED: "Skipped",
    FollowUp.Outcome.HELD: "Held",
}
_MESSAGES: Final[dict[str, tuple[Tone, str, str]]] = {
    Message.Status.SCHEDULED: ("idle", "wait", "scheduled"),
    Message.Status.QUEUED: ("idle", "wait", "queued"),
    Message.Status.SENDING: ("idle", "send", "sending"),
    Message.Status.ACCEPTED: ("idle", "send", "accepted by Twilio"),
    Message.Status.SENT: ("idle", "send", "sent"),
    Message.Status.DELIVERED: ("good", "good", "delivered"),
    Message.Status.UNDELIVERED: ("bad", "bad", "undelivered"),
    Message.Status.FAILED: ("bad", "bad", "failed"),
    Message.Status.UNCONFIRMED: ("wait", "unsure", "unconfirmed"),
    Message.Status.CANCELED: ("idle", "idle", "canceled"),
}
MESSAGE_STATUSES: Final[dict[str, str]] = {status: words for status, (_, _, words) in _MESSAGES.items()}
# What changes by itself: such rows and cards ask again. What waits with us surely moves some day; of what is at
# Twilio, or may be, no more word may ever come.
_WAITING: Final = {Message.Status.SCHEDULED, Message.Status.QUEUED}
_UNDER_WAY: Final = {
    Message.Status.SENDING,
    Message.Status.ACCEPTED,
    Message.Status.SENT,
    Message.Status.UNCONFIRMED,
}
# Of these Twilio never says a price.
WITHOUT_PRICE: Final = {Message.Status.FAILED, Message.Status.CANCELED}
# Of these it is so whatever somebody decides.
_LEFT_AS_IT_IS: Final = {Message.Status.UNDELIVERED, Message.Status.FAILED, Message.Status.UNCONFIRMED}
# Longer than it takes to find out what became of a text, unless somebody has set other delays.
EXPECTED_WITHIN: Final = timedelta(minutes=15)
SOON_S: Final = 2
LATER_S: Final = 60
_HUES: Final = 4
# What is no platform, where it stands in a sentence; the others are known by their titles.
_NO_PLATFORMS: Final = {"api": "the API", "generic": "a webhook"}
ENDINGS: Final[dict[str, str]] = {
    "customer_hung_up": "the caller hung up",
    "agent_hung_up": "the agent hung up",
    "hung_up": "somebody hung up",
    "transferred": "passed on to somebody else",
    "voicemail": "reached a voicemail",
    "no_answer": "nobody answered",
    "busy": "the line was busy",
    "failed": "no connection came about",
    "canceled": "canceled before anybody answered",
    "too_long": "ended by the platform’s time limit",
    "silence": "ended because nobody spoke",
    "error": "broken off by an error",
}
# The fields of a call, as a sentence that lists them has them.
CHANGED_FIELDS: Final[dict[str, str]] = {
    "agent": "the agent",
    "direction": "who called whom",
    "customer_number": "the caller’s number",
    "agent_number": "the agent’s number",
    "started_at": "when it began",
    "ended_at": "when it ended",
    "end_reason": "why it ended",
    "ending": "how it ended",
    "connected": "whether somebody answered",
    "final": "that nothing more is to come",
    "transcript": "the transcript",
    "variables": "values",
    "redacted": "what was taken out",
    "hints": "what the platform makes of it",
    "also_known_as": "its other names",
}
# What a platform took out before it sent a call: what that is, and what follows from it.
REMOVED: Final[dict[str, tuple[str, str]]] = {
    "transcript": ("what was said", "Conditions cannot be judged without it: rules and “always” alone decide."),
    "customer_number": ("the caller’s number", "There is no number to text."),
    "variables": ("values", "An input that is filled from one of them is missing."),
}
_NAMES: Final = ("customer_name", "full_name", "name", "caller_name", "first_name")


@dataclass(frozen=True)
class State:
    """How something stands: `settled` when it will not change by itself."""

    tone: Tone
    icon: str
    words: str
    settled: bool = True

    @property
    def heading(self) -> str:
        """The words where they head something; particulars are said below."""
        return self.words[:1].upper() + self.words[1:].partition(",")[0]


def message_state(message: Message) -> State:
    tone, icon, words = _MESSAGES[message.status]
    if tone == "bad" and message.error_code:
        words = f"{words}, error {message.error_code}"
    return State(tone, icon, words, message.status not in _WAITING and not _is_under_way(message))


def _is_under_way(message: Message) -> bool:
    return message.status in _UNDER_WAY and timezone.now() - message.updated_at < EXPECTED_WITHIN


def asks_every_s(message: Message | None) -> int:
    """How often a card asks whether it has moved: seldom while its text waits for a later hour."""
    if message is None or message.status not in _WAITING or message.due_at is None:
        return SOON_S
    return SOON_S if message.due_at - timezone.now() < timedelta(seconds=LATER_S) else LATER_S


def event_state(status: str) -> State:
    """The state that a delivery event tells of; attempts know two words more than messages."""
    others: dict[str, tuple[Tone, str, str]] = {
        "refused": ("bad", "bad", "refused by Twilio"),
        "absent": ("idle", "unsure", "not found at Twilio: surely not sent"),
    }
    tone, icon, words = _MESSAGES.get(status) or others.get(status) or ("idle", "idle", status)
    return State(tone, icon, words)


def follow_up_state(follow_up: FollowUp) -> State:
    """In a word, for the log, the line on top of a call and the head of its card."""
    if follow_up.outcome == FollowUp.Outcome.PENDING:
        return State("idle", "wait", "being decided", settled=False)
    reason = REASONS.get(follow_up.reason, follow_up.reason)
    if follow_up.outcome == FollowUp.Outcome.HELD:
        # A text that is made already goes by itself once what it waits for is mended.
        settled = (message := message_of(follow_up)) is None or message.status not in _WAITING
        if follow_up.reason == Reason.AWAITING_APPROVAL:
            return State("wait", "held", reason, settled)
        return State("wait", "held", f"held: {reason}" if reason else "held", settled)
    if follow_up.outcome == FollowUp.Outcome.MESSAGE and (message := message_of(follow_up)):
        return message_state(message)
    if (
        follow_up.reason == Reason.REJECTED
        and (message := message_of(follow_up))
        and message.status in _LEFT_AS_IT_IS
    ):
        _, icon, words = _MESSAGES[message.status]
        return State("idle", icon, f"{words}, left as it is")
    return State("idle", "idle", reason or "skipped")


def message_of(follow_up: FollowUp) -> Message | None:
    """The follow-up's message, where there is one."""
    try:
        return follow_up.message
    except Message.DoesNotExist:
        return None


def needs_a_person(follow_up: FollowUp) -> bool:
    return follow_up_state(follow_up).tone in ("wait", "bad")


@dataclass(frozen=True)
class Numbered:
    """A follow-up with the number and hue by which its call's page names it."""

    number: int
    follow_up: FollowUp

    @property
    def hue(self) -> str:
        return f"f{(self.number - 1) % _HUES + 1}"

    @property
    def state(self) -> State:
        return follow_up_state(self.follow_up)

    @property
    def message(self) -> Message | None:
        return message_of(self.follow_up)


def numbered(follow_ups: Iterable[FollowUp]) -> list[Numbered]:
    """Those that need a person first, then what was sent, then what was not."""

    def order(follow_up: FollowUp) -> tuple[bool, bool, object]:
        sent_nothing = follow_up.outcome == FollowUp.Outcome.SKIPPED
        return not needs_a_person(follow_up), sent_nothing, follow_up.pk

    return [Numbered(number, each) for number, each in enumerate(sorted(follow_ups, key=order), 1)]


@dataclass(frozen=True)
class Line:
    """One line of the log: what stands alike of several follow-ups is said once."""

    names: str
    state: State


def lines(follow_ups: Iterable[FollowUp]) -> list[Line]:
    """A call's follow-ups as its row shows them; only those that sent nothing share a line."""
    found: dict[tuple[State, int | None], list[str]] = {}
    for each in numbered(follow_ups):
        alone = each.follow_up.outcome != FollowUp.Outcome.SKIPPED
        found.setdefault((each.state, each.number if alone else None), []).append(each.follow_up.action.name)
    return [Line(", ".join(names), state) for (state, _), names in found.items()]


def platform(kind: str) -> str:
    """How a kind of source is called in a sentence."""
    return _NO_PLATFORMS.get(kind) or (KINDS[kind].title if kind in KINDS else kind)


def awaits_more(call: Call) -> bool:
    """Whether more is to come from the platform, by which the call will be decided."""
    if call.judge_after is None or call.status != Call.Status.RECEIVED:
        return False
    return call.judge_after > timezone.now()


def told_hints(hints: dict[str, Any]) -> list[tuple[str, str]]:
    """What a platform makes of a call, each by its name in words; nothing that says nothing."""
    return [(_in_words(name), _as_text(value)) for name, value in hints.items() if value not in (None, "", [], {})]


def _in_words(name: str) -> str:
    spaced = name.replace("_", " ").replace("-", " ").strip()
    return spaced[:1].upper() + spaced[1:]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict) and not any(isinstance(each, dict | list) for each in value.values()):
        return "; ".join(f"{_in_words(name)}: {_as_text(each)}" for name, each in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def ending(call: Call) -> str:
    """How the call ended, in words; where we do not know the platform's, as it says it. Empty: not told."""
    return ENDINGS.get(call.ending) or call.end_reason.replace("_", " ").replace("-", " ")


def caller_name(call: Call) -> str:
    """The customer's name as far as the call's variables tell it; empty: none told."""
    for namespace in ("collected", "extracted", "pre_call"):
        values = call.variables.get(namespace)
        if not isinstance(values, dict):
            continue
        for key in _NAMES:
            value = values.get(key)
            if not isinstance(value, str) or not 0 < len(name := value.strip()) <= 60 or is_redacted(name):
                continue
            last = values.get("last_name") if key == "first_name" else None
            return f"{name} {last.strip()}".strip() if isinstance(last, str) else name
    return ""


def duration(started: datetime | None, ended: datetime | None) -> str:
    """A call's length as `1:51`; empty where an end is not known."""
    if started is None or ended is None or ended < started:
        return ""
    return clock((ended - started).total_seconds())


def clock(seconds: float) -> str:
    """Seconds as `0:04` or `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
