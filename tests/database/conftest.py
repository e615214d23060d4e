import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from postcall.database.embedded import running

from .servers import Process, Spawn, copy_database, end_everything

# What a process does that uses the database until it is told to end.
USER = """
import signal
import sys
from pathlib import Path
from postcall.database.embedded import running

# Whoever runs the tests in the background has these ignored, and so would we.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
with running(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="session")
def made_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one row, to be copied."""
    data_dir = tmp_path_factory.mktemp("made") / "data"
    with running(data_dir) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE calls (id text)")
        connection.execute("INSERT INTO calls VALUES ('c-1')")
    return data_dir


@pytest.fixture
def data_dir(made_database: Path, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    copy_database(made_database, folder)
    yield folder
    end_everything(folder)


@pytest.fixture
def new_data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "new"
    end_everything(tmp_path / "new")


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts another process that uses a database, in a process group of its own."""
    spawned = []

    def spawn_user(data_dir: Path) -> Process:
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        spawned.append(process)
        return process

    yield spawn_user
    for process in spawned:
        process.kill()
        process.communicate()


@pytest.fixture
def public_dir() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
