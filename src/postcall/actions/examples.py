"""Where to begin: four actions as most operators want them, and values to show a message with before any call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Example:
    """An action to start from; `key` names it in addresses."""

    key: str
    name: str
    condition: str
    message: str


EXAMPLES: Final = (
    Example(
        "booking",
        "Appointment confirmation",
        "After scheduling an appointment",
        "Hi <customer_name>, your appointment at <business> is confirmed for <appointment_date>.",
    ),
    Example(
        "information",
        "Follow-up information",
        "When the customer requests more information",
        "Hi <customer_name>, as promised, more about <topic>: <link>. <business>",
    ),
    Example(
        "offer",
        "Offer",
        "When the customer confirms they're interested in the offer",
        "Hi <customer_name>, thanks for your interest. Here is how to go on: <link>. <business>",
    ),
    Example(
        "promotion",
        "Promotion",
        "If the customer agrees to receive promotional messages",
        "Hi <customer_name>, <offer> at <business>, until <valid_until>. Reply STOP to opt out.",
    ),
)

# By what an input's name most likely means; the first that fits.
_VALUES: Final = (
    (r"business|company|brand|clinic|practice|shop|store|firm|garage|salon|hotel|restaurant", "Northgate Clinic"),
    (r"link|url|page|website|site", "northgate.example/f/7q2"),
    (r"e_?mail", "maya@northgate.example"),
    (r"phone|number_to_call|callback", "+1 415 555 0132"),
    (r"reference|code|order|invoice|ticket|confirmation|booking|id$", "NC-4821"),
    (r"price|amount|total|rent|cost|fee|balance|quote", "$120.00"),
    (r"appointment|date_?time|slot", "Tue, Dec 1 at 9:40 AM"),
    (r"until|valid|date|day|deadline|visit_d", "Tuesday, December 1"),
    (r"time|hour", "9:40 AM"),
    (r"doctor|provider|dentist", "Dr. Lin"),
    (r"agent|technician|stylist|staff|advisor", "Jordan"),
    (r"address|street|location|place", "410 Alder St"),
    (r"city|town", "Springfield"),
    (r"car|vehicle|model", "your blue hatchback"),
    (r"product|item|service|topic|subject", "the yearly check-up"),
    (r"offer|deal|discount|treat", "20 % off your next visit"),
    (r"count|quantity|guests|people|party", "4"),
    (r"last_?name|surname", "Ortiz"),
    (r"full_?name", "Maya Ortiz"),
    (r"name|first_?name|customer|caller|client|patient|nombre|user", "Maya"),
)


def value_for(name: str, business: str = "") -> str:
    """A believable value for an input of that name; `business` where the name asks for one."""
    for pattern, value in _VALUES:
        if re.search(rf"(?:^|_)(?:{pattern})", name, re.IGNORECASE):
            return business if business and value == "Northgate Clinic" else value
    return name.replace("_", " ")
