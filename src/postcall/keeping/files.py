"""Files that appear whole or not at all, for their owner alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from postcall.database.folder import sync_folder

STDOUT = "-"


class Refused(Exception):
    """What was asked for is not done; the message is one sentence that says why, and the mend."""


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raises Refused where writing `path` would destroy something, or cannot succeed."""
    if str(path) == STDOUT:
        return
    if path.is_dir():
        raise Refused(f"{path} is a folder; name a file")
    if not path.parent.is_dir():
        raise Refused(f"{path.parent} is no folder; make it first")
    if path.exists() and not force:
        raise Refused(f"{path} is there already; choose another name, or --force to replace it")


@contextmanager
def whole(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` (0600, on the disk) when the block ends well.

    `-` is standard output. Raises Refused.
    """
    refuse_existing(path, force=force)
    if str(path) == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if force:
            draft.replace(path)
        else:
            _put(draft, path)
        sync_folder(path.absolute().parent)
    finally:
        draft.unlink(missing_ok=True)


def _put(draft: Path, path: Path) -> None:
    # A link is refused where the name is taken; a rename would replace what somebody else has put there meanwhile.
    try:
        os.link(draft, path)
    except FileExistsError:
        raise Refused(f"{path} was made by somebody else meanwhile; choose another name") from None
    except OSError:
        draft.replace(path)  # a file system without hard links
