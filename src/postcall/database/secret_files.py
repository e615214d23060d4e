"""Secrets that Postcall makes for itself, each a file in the data folder that only its owner may read."""

from collections.abc import Callable
from pathlib import Path

from postcall.database.errors import explained
from postcall.database.folder import LOCKS, prepare_data_dir, write_private
from postcall.database.locks import exclusive


def generated_secret(data_dir: Path, name: str, make: Callable[[], str]) -> str:
    """The secret kept in `data_dir` under `name`; made the first time, by one process only."""
    data_dir = prepare_data_dir(data_dir)
    path = data_dir / name
    with explained(f"The secret {name} cannot be kept", path):
        known = kept_secret(path)
        if known is not None:
            return known
        with exclusive(data_dir / LOCKS / "secrets"):
            known = kept_secret(path)
            if known is None:
                known = make()
                write_private(path, known + "\n")
        return known


def kept_secret(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
