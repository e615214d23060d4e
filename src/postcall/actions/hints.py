"""What a careful colleague would say about a message and its condition. Hints stop nobody from saving."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from postcall.actions.conditions import about_condition
from postcall.actions.message import ADVISED_LENGTH, BRACES, NAME, PLACEHOLDER, corrected
from postcall.actions.warning import Warning

__all__ = [
    "Draft",
    "Warning",
    "names_the_sender",
    "praise_for",
    "stands_for_the_sender",
    "warnings_about",
    "warnings_in",
]

_BROKEN: Final = re.compile(r"<([^<>\n]{1,64})>")
# Shared by everybody, so that carriers know them from spam.
_SHORTENERS: Final = re.compile(
    r"\b((?:bit\.ly|tinyurl\.com|tiny\.cc|goo\.gl|t\.co|ow\.ly|is\.gd|soo\.gd|buff\.ly|rebrand\.ly|cutt\.ly|rb\.gy"
    r"|t\.ly|s2r\.co|clicky\.me|budurl\.com|bc\.vc)/)",
    re.IGNORECASE,
)
# An input with one of these words in its name most likely says who is texting.
_WHO: Final = re.compile(
    r"business|company|brand|clinic|practice|shop|store|firm|office|organi[sz]ation|restaurant|salon|garage|hotel"
    r"|empresa|negocio|clinica|tienda|firma|praxis",
    re.IGNORECASE,
)
_SHOUTED_LETTERS: Final = 12


@dataclass(frozen=True)
class Draft:
    """Words that may not be saved yet. `businesses`: by which names the agents know whom they speak for; None: that
    is not looked at."""

    message: str
    condition: str = ""
    always: bool = False
    businesses: Collection[str] | None = None


def warnings_about(message: str, condition: str) -> list[Warning]:
    """What is amiss with a message and its condition, whoever sends it."""
    return warnings_in(Draft(message, condition, always=not condition))


def warnings_in(draft: Draft) -> list[Warning]:
    """What is amiss, in the order in which it should be mended."""
    checks = (_braces, _no_placeholders, _long, _shortener, _business, _shouting, _condition)
    return [warning for check in checks for warning in check(draft)]


def praise_for(draft: Draft) -> list[str]:
    """What is well, in words: each stands where a warning would stand otherwise."""
    if not draft.message.strip():
        return []
    well = []
    if draft.businesses is not None and not any(_business(draft)):
        well.append("Says who is texting.")
    if draft.condition.strip() and not draft.always and not any(_condition(draft)):
        well.append("The condition says what has to have happened.")
    if not any(_shortener(draft)):
        well.append("No link shortener that carriers block.")
    return well


def _braces(draft: Draft) -> Iterator[Warning]:
    if BRACES.search(draft.message):
        right = corrected(draft.message)
        yield Warning(
            "braces_placeholder",
            f"Placeholders are written <name>; this text would go out with its braces. Corrected: {right}",
            right,
        )


def _no_placeholders(draft: Draft) -> Iterator[Warning]:
    for odd in dict.fromkeys(_BROKEN.findall(draft.message)):
        if not re.fullmatch(NAME, odd):
            mended = _as_name(odd)
            yield Warning(
                "not_a_placeholder",
                f"<{odd}> goes out as it stands: a placeholder's name is letters, digits and underscores, "
                "starting with a letter",
                draft.message.replace(f"<{odd}>", f"<{mended}>") if mended else None,
            )


def _as_name(odd: str) -> str:
    """What may stand in a placeholder in its stead, such as `customer_name` for `customer name`; empty: nothing."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", odd).strip("_")
    return name if re.fullmatch(NAME, name) else ""


def _long(draft: Draft) -> Iterator[Warning]:
    if len(draft.message) > ADVISED_LENGTH:
        yield Warning(
            "long",
            f"{len(draft.message)} characters; longer than {ADVISED_LENGTH} a text may be split and cost more",
        )


def _shortener(draft: Draft) -> Iterator[Warning]:
    if _SHORTENERS.search(draft.message):
        yield Warning("link_shortener", "Carriers block texts with shortened links; use the full address")


def _business(draft: Draft) -> Iterator[Warning]:
    if draft.businesses is None or not draft.message.strip() or names_the_sender(draft.message, draft.businesses):
        return
    known = next(iter(draft.businesses), "")
    such_as = f", such as “{known}”" if known else ""
    yield Warning(
        "no_business_name",
        f"The text does not say who is texting; name your business{such_as}, or use an input such as <business>",
    )


def names_the_sender(message: str, businesses: Collection[str]) -> bool:
    """Whether the text holds one of the names, or an input that looks as if it stood for one."""
    written = " ".join(message.split()).casefold()
    if any(name.strip() and " ".join(name.split()).casefold() in written for name in businesses):
        return True
    return any(stands_for_the_sender(name) for name in PLACEHOLDER.findall(message))


def stands_for_the_sender(name: str) -> bool:
    """Whether an input of that name most likely says who is texting."""
    return _WHO.search(name) is not None


def _shouting(draft: Draft) -> Iterator[Warning]:
    letters = [letter for letter in PLACEHOLDER.sub("", draft.message) if letter.isalpha()]
    large = sum(letter.isupper() for letter in letters)
    if large >= _SHOUTED_LETTERS and large > len(letters) / 2:
        yield Warning("shouting", "Mostly capital letters: people read that as shouting, and take it for spam")


def _condition(draft: Draft) -> Iterator[Warning]:
    if not draft.always:
        yield from about_condition(draft.condition, draft.message)
