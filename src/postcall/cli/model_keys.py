"""The keys that language models need, so that a missing one is said in our words and before anything is asked."""

from __future__ import annotations

import os
from typing import Final

from postcall.config import CASCADE

_OPENAI: Final = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
_GOOGLE: Final = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
# By pydantic-ai's provider: any one of these has to be set. A server of one's own may do without a key.
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "openai": _OPENAI,
    "openai-chat": _OPENAI,
    "openai-responses": _OPENAI,
    "anthropic": ("ANTHROPIC_API_KEY",),
    "google": _GOOGLE,
    "google-gla": _GOOGLE,
}


def missing_key(model: str) -> str | None:
    """What to set before `model`, or a cascade's, can be asked; None where nothing is known to be missing."""
    names = _NEEDED.get(model.removeprefix(CASCADE).partition(":")[0], ())
    if not names or any(os.environ.get(name) for name in names):
        return None
    return f"{model} needs its key: set {names[0]} (or {names[0]}_FILE)"
