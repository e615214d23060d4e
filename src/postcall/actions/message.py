"""What stands in a message: its `<placeholders>`, and what a careful colleague would say about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The reference product's advice; Twilio's own limit is MAX_LENGTH (its Body parameter, error 21617).
ADVISED_LENGTH = 128
MAX_LENGTH = 1_600

NAME = r"[A-Za-z][A-Za-z0-9_]{0,63}"
PLACEHOLDER = re.compile(rf"<({NAME})>")
_BRACES = re.compile(rf"\{{\{{\s*({NAME})\s*\}}\}}|\{{\s*({NAME})\s*\}}")
_BROKEN = re.compile(r"<([^<>\n]{1,64})>")
_SHORTENERS = re.compile(r"\b(?:bit\.ly|tinyurl\.com|goo\.gl|t\.co|ow\.ly|is\.gd|buff\.ly|rebrand\.ly)/", re.I)


@dataclass(frozen=True)
class Warning:
    """`code` is for programs, `message` for people; `suggestion` is the corrected text, where there is one."""

    code: str
    message: str
    suggestion: str | None = None


def inputs_of(message: str) -> list[str]:
    """The distinct placeholder names, in the order in which they first stand in the text."""
    return list(dict.fromkeys(PLACEHOLDER.findall(message)))


def corrected(message: str) -> str:
    """`{name}` and `{{name}}` written as `<name>`."""
    return _BRACES.sub(lambda found: f"<{found[1] or found[2]}>", message)


def warnings_about(message: str, condition: str) -> list[Warning]:
    """Hints that stop nobody from saving."""
    found = []
    if _BRACES.search(message):
        found.append(
            Warning(
                "braces_placeholder",
                "Placeholders are written <name>; this text would go out with its braces. "
                f"Corrected: {corrected(message)}",
                corrected(message),
            )
        )
    for odd in _BROKEN.findall(message):
        if not re.fullmatch(NAME, odd):
            found.append(
                Warning(
                    "not_a_placeholder",
                    f"<{odd}> goes out as it stands: a placeholder's name is letters, digits and underscores, "
                    "starting with a letter",
                )
            )
    if len(message) > ADVISED_LENGTH:
        found.append(
            Warning(
                "long",
                f"{len(message)} characters; longer than {ADVISED_LENGTH} a text may be split and cost more",
            )
        )
    if _SHORTENERS.search(message):
        found.append(Warning("link_shortener", "Carriers block texts with shortened links; use the full address"))
    if condition and len(condition.split()) < 3:
        found.append(
            Warning(
                "vague_condition",
                "This condition leaves much open; say what must have happened, such as "
                "“After the caller has booked an appointment”",
            )
        )
    return found
