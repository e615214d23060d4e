"""Another content in the place of a data folder's own, by renames inside it: its parent need not be ours, and it
may be a mount point. What a kill cuts short is finished by whoever comes next.

The new content is made in DRAFT, which is worth nothing until the file STEP says that it is whole. STEP then tells
how far the renames are: `aside NAME`, the old entries go into the folder NAME; `in NAME`, the new ones take their
places. Both may be begun again.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from postcall.database.folder import LOCKS, make_private_folder, sync_folder, write_private

DRAFT: Final = ".restoring"
STEP: Final = ".restoring-step"
# A volume's own, and what earlier replacements moved aside.
_STAYS: Final = re.compile(r"lost\+found|before-\d{8}T\d{6}Z")


def is_replacing(data_dir: Path) -> bool:
    return (data_dir / STEP).exists()


def content(data_dir: Path) -> list[Path]:
    """The entries that a replacement moves aside."""
    ours = (LOCKS, DRAFT, STEP, f".{STEP}.new")
    return sorted(
        entry for entry in data_dir.iterdir() if entry.name not in ours and not _STAYS.fullmatch(entry.name)
    )


def replace_content(data_dir: Path, aside: str) -> Path | None:
    """Puts what the draft holds in the place of the content, which goes into the folder `aside`; returns that, or
    None where there was nothing. Nobody else may use either. Where an old entry cannot be moved, all stays.
    """
    sync_folder(data_dir / DRAFT)
    write_private(data_dir / STEP, f"aside {aside}\n")
    try:
        return finish_replacing(data_dir)
    except OSError:
        if _step(data_dir)[0] == "aside":
            _move_back(data_dir, data_dir / aside)
        raise


def finish_replacing(data_dir: Path) -> Path | None:
    """What a kill cut short. The caller holds the folder's locks, and `is_replacing`."""
    step, name = _step(data_dir)
    aside = data_dir / name
    if step == "aside":
        for entry in content(data_dir):
            make_private_folder(aside)
            entry.rename(aside / entry.name)
        sync_folder(data_dir)
        write_private(data_dir / STEP, f"in {name}\n")
    for entry in _made(data_dir / DRAFT):
        entry.rename(data_dir / entry.name)
    sync_folder(data_dir)
    shutil.rmtree(data_dir / DRAFT, ignore_errors=True)
    (data_dir / STEP).unlink()
    sync_folder(data_dir)
    return aside if aside.exists() else None


def _step(data_dir: Path) -> tuple[str, str]:
    step, name = (data_dir / STEP).read_text(encoding="utf-8").split()
    return step, name


def _made(draft: Path) -> Iterator[Path]:
    return (entry for entry in sorted(draft.iterdir()) if entry.name != LOCKS) if draft.exists() else iter(())


def _move_back(data_dir: Path, aside: Path) -> None:
    for entry in sorted(aside.iterdir()) if aside.exists() else ():
        entry.rename(data_dir / entry.name)
    if aside.exists():
        aside.rmdir()
    (data_dir / STEP).unlink()
