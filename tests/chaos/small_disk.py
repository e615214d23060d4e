"""A file system of one's own that can be full."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .waiting import wait_until

_ROOM = 2 << 30


class SmallDisk:
    """A file system of its own in `folder`, filled and emptied by moving its limit, so that it takes no more memory
    than what stands on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Raises CannotMount where the machine does not allow it."""
        self.folder.mkdir(exist_ok=True)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_ROOM},mode=700", "postcall-chaos", str(self.folder)],
            capture_output=True,
        )
        if mounted.returncode:
            raise CannotMount(mounted.stderr.decode().strip())
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self) -> None:
        # What is written while we look makes the limit too small, and it is refused.
        wait_until(lambda: self._limit(shutil.disk_usage(self.folder).used), "the disk was full")

    def empty(self) -> None:
        assert self._limit(_ROOM)

    def _limit(self, size: int) -> bool:
        command = ["mount", "-o", f"remount,size={size}", str(self.folder)]
        return subprocess.run(command, capture_output=True).returncode == 0


class CannotMount(Exception):
    """Only root may mount a file system, and not in every container."""


def can_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None
