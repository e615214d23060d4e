"""Locks between processes: the kernel gives them back when their last holder is gone, however it went."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postcall.database.folder import open_private


class HeldLock:
    """A lock on a file. A program that inherits `descriptor` goes on holding it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._holder = os.getpid()

    def make_exclusive(self) -> bool:
        """Turns a shared lock into the only one; False if others hold it too, or if we are a forked child."""
        return self._holder == os.getpid() and _lock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Lets go of it here; a forked child has nothing to let go of."""
        if self.descriptor >= 0 and self._holder == os.getpid():
            os.close(self.descriptor)
        self.descriptor = -1


def try_exclusive(path: Path) -> HeldLock | None:
    return _held(path, fcntl.LOCK_EX | fcntl.LOCK_NB)


def shared(path: Path) -> HeldLock:
    """Waits while somebody holds it exclusively."""
    held = _held(path, fcntl.LOCK_SH)
    assert held is not None
    return held


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Waits for its turn."""
    held = _held(path, fcntl.LOCK_EX)
    assert held is not None
    try:
        yield
    finally:
        held.close()


def _held(path: Path, kind: int) -> HeldLock | None:
    descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        if _lock(descriptor, kind):
            return HeldLock(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind)
    except BlockingIOError:
        return False
    return True
