"""The data folder: the embedded database and the generated secrets, private to one user."""

import hashlib
import os
import pwd
import re
import stat
from pathlib import Path

from postcall.database.errors import EmbeddedDatabaseError, explained

ROOT_HOME = Path("/var/lib/postcall")
LOCKS = "locks"


def default_data_dir() -> Path:
    """`.postcall` in the working folder; for root a folder of its own under /var/lib/postcall.

    Root's name is derived from the working folder's path, so that two checkouts do not share one.
    """
    here = Path.cwd()
    if os.geteuid() != 0:
        return here / ".postcall"
    name = re.sub(r"[^A-Za-z0-9]+", "-", here.name).strip("-")[:40] or "postcall"
    digest = hashlib.sha256(os.fsencode(here)).hexdigest()[:12]
    return ROOT_HOME / "data" / f"{name}-{digest}"


def prepare_data_dir(data_dir: Path) -> Path:
    """Makes the folder, closed to everybody else, if need be; returns its absolute path.

    A folder that was there before and holds other things is used as it is, provided that nobody else
    may write to it: whoever can, could put their own database in the place of ours.
    """
    data_dir = data_dir.absolute()
    with explained("The data folder cannot be used", data_dir):
        if data_dir.is_relative_to(ROOT_HOME) and os.geteuid() == 0:
            prepare_root_home()
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(data_dir)
        make_private_folder(data_dir / LOCKS)
    return data_dir


def prepare_root_home() -> None:
    """/var/lib/postcall: everybody may pass, root alone may write.

    Raises EmbeddedDatabaseError where it is, or holds, the data folder of a service with an account of its own.
    """
    ROOT_HOME.mkdir(parents=True, exist_ok=True)
    owner = ROOT_HOME.stat().st_uid
    if owner != 0 and any(_is_data_dir(folder) for folder in (ROOT_HOME, *ROOT_HOME.iterdir())):
        raise EmbeddedDatabaseError(
            f"{ROOT_HOME} is the data folder of the account {_name_of(owner)}.",
            "Run this command as that account and not as root; docs/deploy.md has a line for it.",
        )
    os.chown(ROOT_HOME, 0, 0)
    ROOT_HOME.chmod(0o755)


def _is_data_dir(folder: Path) -> bool:
    return (folder / LOCKS).is_dir() or (folder / "postgres").is_dir()


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def make_private_folder(folder: Path) -> None:
    """Makes `folder`, for its parent's owner alone; one that exists is left alone."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    _give_to_owner_of_parent(folder)


def open_private(path: Path, flags: int) -> int:
    """Opens a file (never through a symbolic link), which is made for the owner of its folder alone."""
    existed = path.exists()
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    if not existed:
        _give_to_owner_of_parent(path)
    return descriptor


def write_private(path: Path, text: str) -> None:
    """Puts a whole new file, or none, in the place of `path`."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(open_private(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _close_to_others(data_dir: Path) -> None:
    info = data_dir.stat()
    if not stat.S_IMODE(info.st_mode) & 0o077:
        return
    if not any(data_dir.iterdir()):
        data_dir.chmod(0o700)
        return
    if info.st_mode & 0o022:
        raise EmbeddedDatabaseError(
            f"Others may write to the data folder {data_dir}.",
            "Set POSTCALL_DATA_DIR to a folder of its own (it is made if need be).",
        )


def _give_to_owner_of_parent(path: Path) -> None:
    # Root may work on another user's data folder, who must still be able to use it afterwards.
    owner = path.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
