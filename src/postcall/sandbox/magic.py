"""Numbers with a fate: the ones of Twilio's test credentials, and our own for what only happens later.

Recipients, in order of precedence:

    +1 500 555 000N      Twilio's own; the create is refused (REFUSED_RECIPIENTS)
    +1 500 55 CCCCC      accepted, then ends with delivery error CCCCC, for instance +15005530003
    +1 AAA 555 01NN      fictional numbers of any area code, NN from 81 to 99 (FICTIONAL_RECIPIENTS)
    any other            delivered

Senders: the ones of BAD_SENDERS are refused, any other is accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from postcall.sandbox.errors import DELIVERY_ERRORS

Final = Literal["delivered", "undelivered", "failed", "sent"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a message to a number.

    `refused` is the code with which the create is refused. Else the message ends as `final`, with
    `error_code` where it is undelivered (after it was sent) or failed (before it was sent). A final `sent`
    is a carrier that gives no receipt.
    """

    final: Final = "delivered"
    error_code: int | None = None
    refused: int | None = None


BAD_SENDERS: dict[str, int] = {
    "+15005550001": 21212,
    "+15005550007": 21606,
    "+15005550008": 21611,
}

REFUSED_RECIPIENTS: dict[str, int] = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}

FICTIONAL_RECIPIENTS: dict[str, Fate] = {
    "5550181": Fate(refused=21211),
    "5550182": Fate(refused=21612),
    "5550183": Fate(refused=21408),
    "5550184": Fate(refused=21610),
    "5550189": Fate(refused=21614),
    "5550190": Fate("sent"),
    "5550191": Fate("undelivered", 30003),
    "5550192": Fate("undelivered", 30005),
    "5550193": Fate("undelivered", 30006),
    "5550194": Fate("undelivered", 30007),
    "5550195": Fate("undelivered", 30034),
    "5550196": Fate("undelivered", 30004),
    "5550197": Fate("undelivered", 30008),
    "5550198": Fate("failed", 30001),
    "5550199": Fate("failed", 30500),
}

FAILED_BEFORE_SENDING = frozenset({30001, 30002, 30022, 30032, 30036, 30450, 30500, 30610})

_BY_CODE = re.compile(r"\+150055(\d{5})")
_FICTIONAL = re.compile(r"\+1\d{3}(55501\d\d)")


def fate_of(to: str) -> Fate:
    """What becomes of a message to `to` (E.164)."""
    if refused := REFUSED_RECIPIENTS.get(to):
        return Fate(refused=refused)
    if (match := _BY_CODE.fullmatch(to)) and (code := int(match[1])) in DELIVERY_ERRORS:
        return Fate("failed" if code in FAILED_BEFORE_SENDING else "undelivered", code)
    if match := _FICTIONAL.fullmatch(to):
        return FICTIONAL_RECIPIENTS.get(match[1], Fate())
    return Fate()
