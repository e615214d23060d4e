"""How hard to try: the same few cases at every `make test`, many new ones at `make fuzz`."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, Phase, settings

LONG: Final = os.environ.get("FUZZ") == "long"


def effort(quick: int, long: int) -> settings:
    """Hypothesis settings for so many examples; `quick` ones are the same at every run."""
    if LONG:
        return settings(max_examples=long, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
    return settings(
        max_examples=quick,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
