"""How much room there is for the embedded database."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

# The next segment of PostgreSQL's log needs a third of that.
FULL_BYTES: Final = 50_000_000
IN_USE: Final = "POSTCALL_EMBEDDED_DATA_DIR"


def disk_is_full(folder: Path) -> bool:
    """Whether a database in `folder` has no room to write any more, or will have none in a moment."""
    return shutil.disk_usage(folder).free < FULL_BYTES


def embedded_folder() -> Path | None:
    """The data folder of the embedded database that this process uses; None: it uses another one."""
    folder = os.environ.get(IN_USE)
    return Path(folder) if folder else None
