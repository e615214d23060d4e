"""The deployment that a kind of scenario needs, for as long as a block lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .deployment import Deployment
from .scenario import Kind
from .small_disk import SmallDisk
from .whole import Whole


@contextmanager
def running(kind: Kind, folder: Path, *, pace: float, delays: str | None) -> Iterator[Deployment]:
    """Raises CannotMount for a small disk where the machine allows none."""
    with ExitStack() as stack:
        if kind == "parts":
            deployment = Deployment(folder, pace=pace, delays=delays)
        elif kind == "up":
            deployment = Whole(folder, pace=pace, delays=delays)
        else:
            disk = SmallDisk(folder / "data")
            stack.enter_context(disk.mounted())
            deployment = Whole(folder, pace=pace, delays=delays, disk=disk)
        yield stack.enter_context(deployment.running())
