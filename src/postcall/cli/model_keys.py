"""What language models need to be set, so that a missing key is said in our words and before anything is asked."""

from __future__ import annotations

import os

from postcall.config import CASCADE
from postcall.judge.vendors import needed_by


def missing_key(model: str) -> str | None:
    """What to set before `model`, or a cascade's, can be asked; None where nothing is known to be missing."""
    names = needed_by(model.removeprefix(CASCADE))
    if not names or any(os.environ.get(name) for name in names):
        return None
    if names[0].endswith("_BASE_URL"):
        return f"{model} needs its server's address: set {names[0]}"
    return f"{model} needs its key: set {names[0]} (or {names[0]}_FILE)"
