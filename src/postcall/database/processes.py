"""What runs on this machine, as far as it concerns a database server."""

import os
import subprocess
from pathlib import Path

_PROC = Path("/proc")


def command_of(pid: int) -> str:
    """Its command line; empty if there is no such process, or only the remains of one."""
    return _commands().get(pid, "") if not _PROC.joinpath("self").exists() else _command_in_proc(pid)


def processes_named(name: str) -> list[int]:
    """The processes that PostgreSQL runs for the cluster called `name`."""
    return [
        pid
        for pid, command in _commands().items()
        if f"cluster_name={name} " in f"{command} " or command.startswith(f"postgres: {name}: ")
    ]


def _commands() -> dict[int, str]:
    if _PROC.joinpath("self").exists():
        pids = [int(entry) for entry in os.listdir(_PROC) if entry.isdigit()]
        return {pid: _command_in_proc(pid) for pid in pids}
    listed = subprocess.run(["/bin/ps", "-A", "-o", "pid=,args="], capture_output=True, text=True, check=True)
    pairs = (line.strip().partition(" ") for line in listed.stdout.splitlines())
    return {int(pid): command.strip() for pid, _, command in pairs}


def _command_in_proc(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
