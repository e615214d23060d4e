"""What is broken, by name. Each scenario breaks a running deployment once, by a seed, and returns the verdict."""

from __future__ import annotations

from . import clock, database, disk, doubled, kills, poison, stopped, twilio
from .scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        *kills.ALL,
        *twilio.ALL,
        *stopped.ALL,
        *doubled.ALL,
        *database.ALL,
        *disk.ALL,
        *poison.ALL,
        *clock.ALL,
    )
}
