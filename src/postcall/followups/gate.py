"""What is decided without a judge: was anybody reached, can anybody be texted, do the plain rules hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from postcall.actions.models import Revision
from postcall.followups.facts import CallFacts
from postcall.followups.models import Reason
from postcall.followups.rules import first_broken
from postcall.followups.snapshot import Snapshot
from postcall.followups.values import is_nothing
from postcall.judge import guards
from postcall.numbers import e164
from postcall.sources.ended_call import NOT_REACHED
from postcall.words import is_redacted

# How platforms say, in the words of their end reason, that nobody was reached; its separators are made spaces.
_NOT_REACHED: Final = re.compile(
    r"\b(no answer|not answered|did not answer|didnt answer|unanswered|busy|rejected|declined call|call declined"
    r"|unreachable|not connected|never connected|invalid (?:number|destination)|out of service|not in service"
    r"|missed)\b"
)
# These may end a conversation just as well, as in "assistant-error".
_BROKEN: Final = re.compile(r"\b(failed|failure|error|canceled|cancelled)\b")
_AFTER_ALL: Final = re.compile(
    r"\b(assistant|agent|customer|user|caller|hang ?up|hung ?up|ended|completed|pipeline)\b"
)
_MACHINE: Final = re.compile(r"\b(voice ?mail|answering machine|machine (?:detected|start|end)|mailbox|amd)\b")
_WITHHELD: Final = frozenset(
    {"anonymous", "unknown", "private", "restricted", "unavailable", "withheld", "blocked", "web", "webcall",
     "web call", "browser", "none", "null", "undefined", "no caller id", "+266696687"}
)  # fmt: skip
# What services text and call from; nobody's phone has one.
_SHORT_CODE: Final = re.compile(r"\d{3,6}")


@dataclass(frozen=True)
class Stopped:
    """Why there is nothing to judge and nothing to send."""

    reason: Reason
    detail: str


@dataclass(frozen=True)
class Contact:
    """What holds for the whole call, read once for all its follow-ups."""

    stopped: Stopped | None
    recipient: str | Stopped
    customer: str


def contact_of(call: CallFacts) -> Contact:
    recipient = _customer(call)
    return Contact(_reached(call), recipient, recipient if isinstance(recipient, str) else "")


def gate(snapshot: Snapshot, revision: Revision, call: CallFacts, contact: Contact) -> str | Stopped:
    """The E.164 number to text if the condition is met, or why this follow-up ends here."""
    if snapshot.mode == "off":
        return Stopped(Reason.ATTACHMENT_OFF, "The attachment is switched off.")
    if contact.stopped:
        return contact.stopped
    if not revision.always and (stopped := _unreadable(call)):
        return stopped
    recipient = recipient_of(snapshot, contact)
    if isinstance(recipient, Stopped):
        return recipient
    if broken := first_broken(snapshot.only_if, call, snapshot.agent):
        return Stopped(Reason.RULE_NOT_MET, broken)
    if unbound := [name for name in revision.inputs if name not in snapshot.inputs]:
        names = ", ".join(f"<{name}>" for name in unbound)
        return Stopped(Reason.UNMAPPED_INPUT, f"{names} is bound to nothing in this attachment.")
    return recipient


def recipient_of(snapshot: Snapshot, contact: Contact) -> str | Stopped:
    """The operator's explicit number, else the customer's; never anything that was said or judged."""
    if not snapshot.recipient_override:
        return contact.recipient
    override = e164(snapshot.recipient_override)
    if override is None:
        return Stopped(
            Reason.INVALID_RECIPIENT, f"The attachment's number “{snapshot.recipient_override}” is no phone number."
        )
    return override


def _reached(call: CallFacts) -> Stopped | None:
    reason = " ".join(re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", call.end_reason)).lower().split())
    spoke = guards.customer_spoke(call.turns)
    if call.connected is False:
        return Stopped(Reason.NOT_CONNECTED, f"Nobody was reached{_because(call)}.")
    if call.ending == "voicemail" or _MACHINE.search(reason) or guards.is_voicemail(call.turns):
        return Stopped(Reason.VOICEMAIL, "An answering machine took the call.")
    if call.connected is None and not spoke and (call.ending in NOT_REACHED or _says_not_reached(reason)):
        return Stopped(Reason.NOT_CONNECTED, f"Nobody was reached{_because(call)}.")
    if call.connected is None and not call.has_words and "transcript" not in call.redacted:
        return Stopped(Reason.NO_TRANSCRIPT, "Neither a transcript nor the platform says that anybody was reached.")
    if call.connected is None and call.has_words and not spoke and not _blacked_out(call):
        return Stopped(Reason.NOT_CONNECTED, "The customer said nothing.")
    return None


def _says_not_reached(reason: str) -> bool:
    return bool(_NOT_REACHED.search(reason) or (_BROKEN.search(reason) and not _AFTER_ALL.search(reason)))


def _because(call: CallFacts) -> str:
    return f": the call ended with “{call.end_reason}”" if call.end_reason else ""


def _unreadable(call: CallFacts) -> Stopped | None:
    if not call.has_words and "transcript" in call.redacted:
        return Stopped(
            Reason.REDACTED, "The platform took the transcript out, for privacy: its condition cannot be judged."
        )
    if not call.has_words:
        return Stopped(
            Reason.NO_TRANSCRIPT, "The call came without a transcript, so its condition cannot be judged."
        )
    if _blacked_out(call):
        return Stopped(
            Reason.REDACTED, "The platform blacked the transcript out, so its condition cannot be judged."
        )
    return None


def _blacked_out(call: CallFacts) -> bool:
    texts = [turn.text for turn in call.turns if turn.text.strip() and turn.role in ("agent", "customer")]
    return bool(texts) and all(is_redacted(text) for text in texts)


def _customer(call: CallFacts) -> str | Stopped:
    if call.customer_number:
        return call.customer_number
    raw = call.customer_number_raw.strip()
    if "customer_number" in call.redacted and (is_nothing(raw) or raw.lower() in _WITHHELD):
        return Stopped(Reason.REDACTED, "The platform took the customer's number out, for privacy.")
    if is_nothing(raw) or raw.lower() in _WITHHELD:
        return Stopped(Reason.NO_RECIPIENT, "The call has no customer number.")
    if is_redacted(raw):
        return Stopped(Reason.REDACTED, f"The platform blacked the customer's number out: “{raw}”.")
    if _SHORT_CODE.fullmatch(raw):
        return Stopped(
            Reason.NUMBER_REFUSED, f"The customer's number “{raw}” is a short code; those are not texted."
        )
    return Stopped(Reason.INVALID_RECIPIENT, f"The customer's number “{raw}” is no phone number.")
