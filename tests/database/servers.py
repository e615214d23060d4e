"""What the tests of the database look at and do, beside the database's own functions."""

import os
import pwd
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg

from postcall.database.cluster import cluster_name, read_record
from postcall.database.embedded import EmbeddedDatabase
from postcall.database.processes import processes_named
from postcall.database.sockets import remove_socket_folder

Process = subprocess.Popen[str]
Spawn = Callable[[Path], Process]


def copy_database(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def first_line(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def server_pid(data_dir: Path) -> int:
    record = read_record(EmbeddedDatabase(data_dir).cluster)
    assert record is not None
    return record.pid


def server_processes(data_dir: Path) -> list[int]:
    return processes_named(cluster_name(EmbeddedDatabase(data_dir).cluster))


def end_everything(data_dir: Path) -> None:
    if not EmbeddedDatabase(data_dir).cluster.exists():
        return
    for pid in server_processes(data_dir):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    record = read_record(EmbeddedDatabase(data_dir).cluster)
    if record is not None and record.socket_folder is not None:
        remove_socket_folder(record.socket_folder, data_dir)


def rows(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM calls ORDER BY id")]


def log_of(data_dir: Path) -> str:
    logs = (EmbeddedDatabase(data_dir).cluster / "log").glob("*.log")
    return "".join(log.read_text() for log in logs)


def as_nobody(action: Callable[[], str]) -> str:
    """What `action` says, or the error it ends with, when an ordinary user runs it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _become_nobody_and(action, writer)
    os.close(writer)
    with open(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def _become_nobody_and(action: Callable[[], str], writer: int) -> None:
    nobody = pwd.getpwnam("nobody")
    try:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        said = action()
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
    os.write(writer, said.encode())
    os._exit(0)
