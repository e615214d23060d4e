"""Migrating through a pooler that hands connections out a transaction at a time leaves no lock behind."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
import pytest

from postcall.database.programs import SYSTEM_ACCOUNT

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="no PgBouncer on this machine")


@pytest.fixture
def pooled(database_url: str, public_dir: Path) -> Iterator[str]:
    """An empty database behind a pool of few connections, taken in turns: no two statements of a session that are
    not in one transaction meet the same."""
    parts = urlsplit(database_url)
    password, host = unquote(parts.password or ""), parse_qs(parts.query)["host"][0]
    with psycopg.connect(database_url, autocommit=True) as own:
        own.execute("CREATE DATABASE pooled")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = f"host={host} port={parse_qs(parts.query)['port'][0]} user=postcall password={password}"
    settings = public_dir / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\npooled = {server}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 3\nmin_pool_size = 3\nserver_round_robin = 1\n"
    )
    if os.geteuid() == 0:
        shutil.chown(settings, SYSTEM_ACCOUNT)
        shutil.chown(public_dir, SYSTEM_ACCOUNT)
    as_account = ["-u", SYSTEM_ACCOUNT] if os.geteuid() == 0 else []
    assert PGBOUNCER is not None
    with (public_dir / "log").open("wb") as log:
        pooler = subprocess.Popen([PGBOUNCER, *as_account, str(settings)], stdout=log, stderr=log)
    url = f"postgresql://postcall@127.0.0.1:{port}/pooled"
    try:
        _wait_for(url, public_dir / "log")
        yield url
    finally:
        pooler.terminate()
        pooler.wait(30)
        with psycopg.connect(database_url, autocommit=True) as own:
            own.execute("DROP DATABASE pooled WITH (FORCE)")


def _wait_for(url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(psycopg.OperationalError), psycopg.connect(url):
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_it_leaves_no_lock_and_no_setting_in_the_pool(pooled: str, database_url: str) -> None:
    environment = os.environ | {"DATABASE_URL": pooled, "POSTCALL_NOTIFY": "false"}
    migrate = [sys.executable, "-m", "postcall", "migrate"]
    at_once = [subprocess.Popen(migrate, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in at_once:
        _, said = process.communicate(timeout=150)
        assert process.returncode == 0, said
    with psycopg.connect(database_url) as own:
        held = own.execute(
            "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
            " WHERE locktype = 'advisory' AND datname = 'pooled'"
        ).fetchall()
    assert held == []
