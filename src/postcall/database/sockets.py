"""Where the server's socket lies: a folder that no other user can enter, on a path short enough for one."""

import os
import re
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from postcall.database.errors import EmbeddedDatabaseError, explained
from postcall.database.folder import ROOT_HOME, make_private_folder
from postcall.database.programs import Account

PORT = 5432
SOCKET = f".s.PGSQL.{PORT}"

# The operating systems allow 104 to 108 bytes for the whole path, the socket's own name included.
_LONGEST_FOLDER = 104 - len(f"/{SOCKET}.lock") - 1


def socket_folder(data_dir: Path, server: Account) -> Path:
    """The folder for the socket of the server of `data_dir`; the same one whenever that is possible.

    It lies in the data folder if its path is short and plain and the file system there knows sockets;
    otherwise in the temporary folder. Raises EmbeddedDatabaseError if another user holds that place.
    """
    if os.geteuid() != server.uid:
        # The server runs as another account than we, which might not reach the data folder.
        return _folder_for_account(ROOT_HOME / "run" / _identity(data_dir), server)
    own = data_dir / "run"
    if _fits(own) and re.fullmatch(r"[A-Za-z0-9/._-]+", str(own)):
        with explained("The folder of the database's socket cannot be made", own):
            make_private_folder(own)
        if is_private(own, server) and _holds_sockets(own):
            return own
    return _temporary_folder(f"postcall-{server.uid}-{_identity(data_dir)}", server)


def clear_sockets(folder: Path) -> None:
    """Removes what a killed server left: PostgreSQL takes it for its own if the pid is in use again."""
    for name in (SOCKET, f"{SOCKET}.lock"):
        (folder / name).unlink(missing_ok=True)


def remove_socket_folder(folder: Path, data_dir: Path) -> None:
    """Removes the folder that socket_folder() made for `data_dir`, and no other."""
    if folder != data_dir / "run" and not folder.name.endswith(_identity(data_dir)):
        return
    with suppress(OSError):
        clear_sockets(folder)
        folder.rmdir()


def is_private(folder: Path, account: Account) -> bool:
    """Whether it is a real folder (no symbolic link) that `account` owns and nobody else can enter."""
    try:
        info = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == account.uid and not info.st_mode & 0o077


def _folder_for_account(folder: Path, account: Account) -> Path:
    # Its parents belong to root and nobody else may write there, so that what we make stays what it is.
    with explained("The folder of the database's socket cannot be made", folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.parent.chmod(0o755)
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    return folder


def _temporary_folder(name: str, account: Account) -> Path:
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108  # ownership is verified below
        folder = parent / name
        if not _fits(folder):
            continue
        with explained("The folder of the database's socket cannot be made", folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        if is_private(folder, account):
            return folder
        raise EmbeddedDatabaseError(
            f"The folder {folder} is not ours alone, so the database's socket cannot be put there.",
            "Remove it, or set TMPDIR to a folder of your own.",
        )
    raise EmbeddedDatabaseError(
        "No folder has a path that is short enough for a socket.", "Set TMPDIR to a folder with a short path."
    )


def _identity(folder: Path) -> str:
    info = folder.stat()
    return f"{info.st_dev:x}-{info.st_ino:x}"


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder)) <= _LONGEST_FOLDER


def _holds_sockets(folder: Path) -> bool:
    probe = folder / ".s.probe"
    probe.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.bind(str(probe))
        except OSError:
            return False
    probe.unlink()
    return True
