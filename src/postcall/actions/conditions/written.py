"""What all readers of a condition share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from postcall.actions.english import sentence
from postcall.actions.warning import Warning

LONGEST: Final = 300
FEW_WORDS: Final = 3


@dataclass(frozen=True)
class Written:
    """A condition, with white space as one would type it, and the message that it is for."""

    text: str
    message: str = ""

    @property
    def example(self) -> str:
        """What this message is most likely sent after, in testable words."""
        return next(
            (words for found, words in _LIKELY if found.search(self.message)),
            "After the caller booked an appointment",
        )


_LIKELY: Final = [
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"\b(?:re-?scheduled?|moved|new time)\b", "After the caller moved their appointment to another time"),
        (r"\bcancel", "After the caller cancelled their appointment"),
        (r"\b(?:appointment|visit|see you|viewing)", "After the caller booked an appointment"),
        (r"\b(?:reservation|reserved|table|room)\b", "After the caller made a reservation"),
        (r"\border", "After the caller placed an order"),
        (r"\b(?:quote|estimate|price|pricing)", "When the caller asked for the price"),
        (r"\b(?:invoice|payment|pay|paid)\b", "After the caller agreed to pay"),
        (r"\b(?:directions|address|find us|located)\b", "When the caller asked where to find us"),
        (r"\b(?:call(?:ed)? you back|callback)\b", "When the caller asked to be called back"),
        (r"\b(?:info|information|brochure|website|link|details)\b", "When the caller asked for more information"),
        (r"\b(?:booking|booked|confirmed)\b", "After the caller made a booking"),
    )
]

Check = Callable[[Written], Iterator[Warning]]


def hint(code: str, message: str, *better: str | None) -> Warning:
    first, *others = dict.fromkeys(each for each in better if each) or [None]
    return Warning(code, message, first, "condition", tuple(each for each in others if each))


START: Final = r"(?:only )?(?:if|when(?:ever)?|after|once|as soon as|in case|unless)"
WHO: Final = r"(?:they|he|she|(?:the |a |any )?(?:caller|customer|client|user|person|guest|patient|lead)s?)"


def without(text: str, says: Callable[[str], str]) -> str | None:
    """The other half of two that are joined by “and”, where only one of them is at fault."""
    halves = re.split(r"\s*,?\s+and(?: also| if| when)?\s+", text, flags=re.IGNORECASE)
    left = [half for half in halves if not says(half) and not says(f"if {half}")]
    if len(halves) < 2 or not left or len(left) == len(halves):
        return None
    kept = " and ".join(left)
    return sentence(kept if re.match(START, kept, re.IGNORECASE) else f"If {kept}").rstrip(".")


OF_WHAT: Final = {
    "appointment": "After the caller booked an appointment",
    "booking": "After the caller made a booking",
    "reservation": "After the caller made a reservation",
    "order": "After the caller placed an order",
    "payment": "After the caller agreed to pay",
}
TIME_FIRST: Final = re.compile(
    r"^(?:send (?:it |this )?)?(?:exactly |about |the )?(?:\d+|an?|one|two|three|four|five|six|seven|ten|few|next|"
    r"following|day|evening|"
    r"morning)[\w ]*?\b(?P<way>after|before|following)\s+(?P<rest>.+)$",
    re.IGNORECASE,
)
