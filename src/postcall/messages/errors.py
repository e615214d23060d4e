"""What Twilio's error codes mean to the person whose text did not go out, and what sending does about each.

Twilio splits and rewords its codes at any time, so this is a table and nothing else knows a code by heart.
A code that is not in it is shown in Twilio's own words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "retry",  # refused before it was processed: the same request may go again, later
    "config",  # nothing goes out from this sender or account until somebody mends it: pause the sender
    "country",  # the account may not text this country; every other number is fine
    "permanent",  # this text to this number will never go
    "landline",  # this number takes no texts
    "opt_out",  # the recipient said stop: record it
    "filtered",  # blocked as spam or fraud: the operator must look, or the next ones go the same way
    "transient",  # failed after it was accepted, and may work later: a second text is the operator's decision
    "terminal",  # its time ran out or a rule stopped it after it was accepted: it will not go
    "ambiguous",  # it may or may not have been sent: find out before anything else
    "show",  # nothing to conclude: show it
]


@dataclass(frozen=True)
class ErrorText:
    """One error in plain words: what happened, what to do, and how sending has to take it."""

    code: int | None
    message: str
    fix: str
    kind: Kind

    @property
    def more_info(self) -> str | None:
        """Twilio's page about the code."""
        return None if self.code is None or is_http_status(self.code) else page(self.code)


def page(code: int) -> str:
    """The address of Twilio's page about `code`."""
    return f"https://www.twilio.com/docs/api/errors/{code}"


def explain(code: int | None, message: str = "") -> ErrorText:
    """The text for Twilio's `code`; `message`, Twilio's own words, is shown where we have none.

    An answer that was not JSON has its HTTP status for a code.
    """
    if code is None:
        return ErrorText(None, message or "Twilio gave no reason.", _UNEXPLAINED, "show")
    known = TEXTS.get(code)
    if known:
        return known
    if 500 <= code < 600 or 20500 <= code < 20600:
        return ErrorText(code, _FAULT, _WAIT, "ambiguous")
    if is_http_status(code):
        return ErrorText(code, _NOT_TWILIO, _ADDRESS, "show")
    return ErrorText(code, message or f"Twilio error {code}.", f"See {page(code)}", "show")


def is_http_status(code: int) -> bool:
    """Whether it is no code of Twilio's but the status of an answer that was not Twilio's."""
    return 100 <= code < 600


def sent_nothing(status: int, code: int | None) -> bool:
    """Whether an HTTP answer other than 2xx proves that no text went out.

    A refusal (4xx) does, save a request timeout. A server fault proves nothing: Twilio's create is not
    idempotent, and the text may be on its way.
    """
    if not 400 <= status < 500 or status == 408:
        return False
    return explain(code).kind != "ambiguous"


def stops_sending(code: int | None) -> bool:
    """Whether further texts of the same sender would fail the same way, so that sending had better pause."""
    return explain(code).kind == "config" and code != _VERIFIED_ONLY


def concerns_account(code: int | None) -> bool:
    """Whether texts of any sender of the account would fail the same way."""
    return code in _WHOLE_ACCOUNT


def is_told_later(code: int | None) -> bool:
    """Whether Twilio takes a text first and refuses it by this code afterwards: such a text has failed for good."""
    return code is not None and 30000 <= code < 40000


# A trial account does text the numbers that its owner verified.
_VERIFIED_ONLY: Final = 21608
_WHOLE_ACCOUNT: Final = frozenset({401, 403, 404, 407, 20003, 20404, 30002})
_UNEXPLAINED: Final = "Look the message up in Twilio's console; its log may say more."
_FAULT: Final = "Twilio had a fault while taking the message, so it may or may not have been sent."
_WAIT: Final = "Nothing to do: Postcall asks Twilio what became of it before anything is sent again."
_OTHER_SENDER: Final = (
    "Choose a sender number of the connected account that can send texts: under Settings, Twilio, or on the agent "
    "that has this one."
)
_NOT_TWILIO: Final = "Something on the way to Twilio refused the text; the answer is not Twilio's own."
_ADDRESS: Final = "Check TWILIO_API_URL and the proxy that this machine uses, then save the Twilio settings again."
_SCHEDULING: Final = "Report this: Postcall holds texts back itself and asks Twilio to schedule none."
_SHORTEN: Final = "Shorten the action's message, or the values that fill it."
_NO_TEXTS: Final = "Ask the customer for a mobile number."
_LATER: Final = "Send it again later if it still matters."

_ALL: Final = (
    ErrorText(
        20003,
        "Twilio does not accept the account's credentials.",
        "Enter the account SID and auth token again under Settings, Twilio.",
        "config",
    ),
    ErrorText(
        20404,
        "Twilio does not know this account or Messaging Service.",
        "Check the account SID and the Messaging Service SID under Settings, Twilio.",
        "config",
    ),
    ErrorText(
        20429,
        "Twilio is getting too many requests at once from this account and did not take this one.",
        "Nothing to do: it is tried again by itself.",
        "retry",
    ),
    ErrorText(20500, _FAULT, _WAIT, "ambiguous"),
    ErrorText(20503, _FAULT, _WAIT, "ambiguous"),
    ErrorText(
        21211,
        "The recipient's number is not one that can be texted.",
        "Check the number on the call: it has to be a full number with its country code, and not your own.",
        "permanent",
    ),
    ErrorText(21212, "The sender number is not a valid number.", _OTHER_SENDER, "config"),
    ErrorText(
        21408,
        "The account is not allowed to text this country.",
        "Allow the country in Twilio's console under Messaging, Geo permissions.",
        "country",
    ),
    ErrorText(21602, "The text was empty.", "Write a message in the action.", "permanent"),
    ErrorText(21603, "No sender number was given.", _OTHER_SENDER, "config"),
    ErrorText(21605, "The text is longer than the 160 characters this connection takes.", _SHORTEN, "permanent"),
    ErrorText(
        21606,
        "The sender number is not yours, or cannot send texts to this destination.",
        _OTHER_SENDER,
        "config",
    ),
    ErrorText(
        21608,
        "The account may text verified numbers only: it is a trial or its profile is not approved.",
        "Upgrade the account and finish its compliance profile in Twilio's console.",
        "config",
    ),
    ErrorText(
        21610,
        "The recipient has told this sender to stop texting.",
        "Do not text this number. It becomes reachable once its owner texts START to the sender.",
        "opt_out",
    ),
    ErrorText(
        21611,
        "The sender's queue is full: more texts wait than it can send in hours.",
        "It is tried again by itself. If this keeps happening, use a Messaging Service with more numbers.",
        "retry",
    ),
    ErrorText(
        21612,
        "Twilio has no way to carry a text from this sender to this number.",
        "Try a sender number of the recipient's country, or call the customer instead.",
        "permanent",
    ),
    ErrorText(21614, "The recipient's number is not a mobile number.", _NO_TEXTS, "landline"),
    ErrorText(21617, "The text is longer than 1,600 characters.", _SHORTEN, "permanent"),
    ErrorText(21635, "The recipient's number is a landline.", _NO_TEXTS, "landline"),
    ErrorText(
        21658, "The text is longer than Twilio takes; an emoji counts more than once.", _SHORTEN, "permanent"
    ),
    ErrorText(21659, "The sender number is not a Twilio number.", _OTHER_SENDER, "config"),
    ErrorText(21660, "The sender number belongs to another Twilio account.", _OTHER_SENDER, "config"),
    ErrorText(21661, "The sender number cannot send texts.", _OTHER_SENDER, "config"),
    ErrorText(
        21703,
        "The Messaging Service has no number to send from.",
        "Add a number to the Messaging Service in Twilio's console.",
        "config",
    ),
    ErrorText(
        21705,
        "The Messaging Service does not exist or cannot be used.",
        "Check the Messaging Service SID under Settings, Twilio.",
        "config",
    ),
    ErrorText(35114, "Twilio does not take the time for which the text was scheduled.", _SCHEDULING, "permanent"),
    ErrorText(35115, "Twilio refused to schedule the text.", _SCHEDULING, "permanent"),
    ErrorText(35117, "Twilio refused to schedule the text.", _SCHEDULING, "permanent"),
    ErrorText(
        30001,
        "The text waited in the sender's queue for too long.",
        "Send it again if it still matters. A Messaging Service with more numbers has a shorter queue.",
        "transient",
    ),
    ErrorText(
        30002,
        "The Twilio account was suspended before the text went out.",
        "Settle what Twilio's console asks for, then send again.",
        "config",
    ),
    ErrorText(
        30003,
        "The recipient's phone could not be reached: switched off or out of coverage.",
        _LATER,
        "transient",
    ),
    ErrorText(
        30004,
        "The recipient or their carrier blocks texts from this sender.",
        "Call the customer instead; sending again will not help.",
        "permanent",
    ),
    ErrorText(
        30005,
        "The recipient's number does not exist or is out of service.",
        "Check the number with the customer.",
        "permanent",
    ),
    ErrorText(30006, "The recipient's number is a landline, or its carrier takes no texts.", _NO_TEXTS, "landline"),
    ErrorText(
        30007,
        "The text was filtered as spam by Twilio or the carrier.",
        "Reword the message: name your business, avoid shortened links, and say how to opt out.",
        "filtered",
    ),
    ErrorText(
        30008,
        "The carrier did not deliver the text and gave no reason.",
        "Send it again once; if it fails again, call the customer.",
        "show",
    ),
    ErrorText(
        30022,
        "The sender goes over the rate its US registration (10DLC) allows.",
        "Send it again later. A higher rate needs a better vetted brand or more numbers.",
        "transient",
    ),
    ErrorText(
        30032,
        "The toll-free sender number is not verified.",
        "Have the number verified in Twilio's console, or choose another sender.",
        "config",
    ),
    ErrorText(
        30034,
        "The sender number is not registered for business texts in the US (A2P 10DLC).",
        "Register a brand and a campaign in Twilio's console and add the number to it.",
        "config",
    ),
    ErrorText(30036, "The text could not be delivered within its validity time.", _LATER, "terminal"),
    ErrorText(
        30047,
        "Twilio's compliance rules held the text back and could not find a later time for it.",
        "Send it again during the recipient's day.",
        "terminal",
    ),
    ErrorText(
        30450,
        "Twilio took the text for fraudulent traffic (SMS pumping) and blocked it.",
        "If the number is a real customer, adjust SMS pumping protection in Twilio's console.",
        "filtered",
    ),
    ErrorText(30500, "Twilio had an internal fault after it took the text.", _LATER, "transient"),
    ErrorText(
        30610,
        "The text was blocked because it is quiet hours at the recipient's.",
        "Send it again during the recipient's day.",
        "terminal",
    ),
    ErrorText(
        30640,
        "Twilio lists this number as one whose owner sues over unwanted texts.",
        "Do not text this number.",
        "permanent",
    ),
    ErrorText(63014, "The recipient has blocked this sender.", "Do not text this number.", "show"),
    ErrorText(
        63017, "The account and its subaccounts send more texts a second than Twilio allows.", _LATER, "show"
    ),
    ErrorText(63036, "The recipient's phone cannot be reached over RCS.", "Send it as a plain text.", "show"),
    ErrorText(
        11200,
        "Twilio could not reach Postcall's address with news of the text.",
        "Check that POSTCALL_PUBLIC_URL is reachable from the internet with a valid certificate.",
        "show",
    ),
    # An answer that is not Twilio's JSON carries its HTTP status for a code.
    ErrorText(403, _NOT_TWILIO, _ADDRESS, "config"),
    ErrorText(404, _NOT_TWILIO, _ADDRESS, "config"),
    ErrorText(407, "The proxy on the way to Twilio wants credentials.", _ADDRESS, "config"),
    ErrorText(
        401,
        "Twilio does not accept the account's credentials.",
        "Enter the account SID and auth token again under Settings, Twilio.",
        "config",
    ),
    ErrorText(
        429,
        "Twilio is getting too many requests at once and did not take this one.",
        "Nothing to do: it is tried again by itself.",
        "retry",
    ),
)

TEXTS: Final[dict[int, ErrorText]] = {text.code: text for text in _ALL if text.code is not None}
