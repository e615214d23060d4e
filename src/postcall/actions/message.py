"""What stands in a message: its `<placeholders>`."""

from __future__ import annotations

import re

# The reference product's advice; Twilio's own limit is MAX_LENGTH (its Body parameter, error 21617).
ADVISED_LENGTH = 128
MAX_LENGTH = 1_600

NAME = r"[A-Za-z][A-Za-z0-9_]{0,63}"
PLACEHOLDER = re.compile(rf"<({NAME})>")
BRACES = re.compile(rf"\{{\{{\s*({NAME})\s*\}}\}}|\{{\s*({NAME})\s*\}}")


def inputs_of(message: str) -> list[str]:
    """The distinct placeholder names, in the order in which they first stand in the text."""
    return list(dict.fromkeys(PLACEHOLDER.findall(message)))


def corrected(message: str) -> str:
    """`{name}` and `{{name}}` written as `<name>`."""
    return BRACES.sub(lambda found: f"<{found[1] or found[2]}>", message)
