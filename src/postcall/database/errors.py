"""What can go wrong with the embedded database, in words that a person can act on."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_QUOTED_LINES = 10

_MENDS_BY_ERRNO = {
    errno.EACCES: "Run Postcall as the user who owns the folder, or set POSTCALL_DATA_DIR to one of its own.",
    errno.EPERM: "Run Postcall as the user who owns the folder, or set POSTCALL_DATA_DIR to one of its own.",
    errno.EROFS: "The file system is read-only: set POSTCALL_DATA_DIR to a folder that can be written.",
    errno.ENOSPC: "The disk is full: free some space and start again.",
    errno.EDQUOT: "The disk quota is used up: free some space and start again.",
    errno.ENOLCK: "The file system has no file locks: set POSTCALL_DATA_DIR to a folder on a local disk.",
    errno.EOPNOTSUPP: "The file system has no file locks: set POSTCALL_DATA_DIR to a folder on a local disk.",
    errno.ENAMETOOLONG: "Set POSTCALL_DATA_DIR to a shorter path.",
    errno.ENOTDIR: "Set POSTCALL_DATA_DIR to a folder.",
}

_CORRUPTED = (
    "The database files are damaged, or come from another kind of machine: move the data folder away and "
    "put a copy of it back in its place, if there is one."
)

# PostgreSQL's words (it runs with untranslated messages) and what to do about them, most telling first.
_MENDS_BY_LOG = (
    ("No space left on device", "The disk is full: free some space and start again."),
    ("Disk quota exceeded", "The disk quota is used up: free some space and start again."),
    (
        "could not look up effective user ID",
        "This user id has no name on the system: run Postcall as a user that the system knows, "
        "or set DATABASE_URL to an existing PostgreSQL.",
    ),
    ("has wrong ownership", "Give the folder back to the user who made it (chown -R) and start again."),
    ("has invalid permissions", "Run `chmod 700` on that folder and start again."),
    (
        "pre-existing shared memory block",
        "A PostgreSQL that Postcall did not start is using this folder: stop it first.",
    ),
    (
        'lock file "postmaster.pid" already exists',
        "A PostgreSQL that Postcall did not start is using this folder: stop it first.",
    ),
    ("shared memory", "The system refused shared memory: free some, or give the container more of /dev/shm."),
    ("configuration file", "Correct postgresql.conf in the database folder and start again."),
    ("could not locate a valid checkpoint record", _CORRUPTED),
    ("files are incompatible with server", _CORRUPTED),
    ("pg_control", _CORRUPTED),
    ("PANIC", _CORRUPTED),
    ("invalid page", _CORRUPTED),
    ("is not a valid data directory", _CORRUPTED),
    ("could not open directory", _CORRUPTED),
    ("Permission denied", _MENDS_BY_ERRNO[errno.EACCES]),
)


class EmbeddedDatabaseError(Exception):
    """The embedded database cannot be used.

    `what` says what failed and `mend` what to do about it, a sentence each; `log` holds PostgreSQL's
    last lines, if it said anything.
    """

    def __init__(self, what: str, mend: str, log: str = "") -> None:
        self.what = what
        self.mend = mend
        self.log = log
        message = f"{what} {mend}"
        super().__init__(f"{message}\n{log}" if log else message)


def failure(what: str, log: str) -> EmbeddedDatabaseError:
    """The error for `what`, with the advice that fits PostgreSQL's own words in `log`."""
    last_lines = "\n".join(log.splitlines()[-_QUOTED_LINES:])
    for words, mend in _MENDS_BY_LOG:
        if words in log:
            return EmbeddedDatabaseError(what, mend, last_lines)
    mend = "PostgreSQL's own words follow." if log else "It left no log."
    return EmbeddedDatabaseError(what, mend, last_lines)


@contextmanager
def explained(what: str, path: Path) -> Iterator[None]:
    """Turns what the operating system refuses about `path` into an EmbeddedDatabaseError."""
    try:
        yield
    except OSError as error:
        mend = _MENDS_BY_ERRNO.get(error.errno or 0, "Set POSTCALL_DATA_DIR to another folder.")
        where = error.filename if isinstance(error.filename, str) else path
        raise EmbeddedDatabaseError(f"{what} ({error.strerror}: {where}).", mend) from error
