"""One real PostgreSQL for the whole run, from the embedded binaries; nothing outside loopback is reached."""

from __future__ import annotations

import ipaddress
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# How long an example takes says how busy the machine is, and nothing of the code.
hypothesis.settings.register_profile("postcall", deadline=None)
hypothesis.settings.load_profile("postcall")

# Before Django's settings are read: what the tests' own environment must not leak in.
for _name in [name for name in os.environ if name.startswith(("POSTCALL_", "TWILIO_"))]:
    del os.environ[_name]
os.environ.pop("DATABASE_URL", None)
os.environ["POSTCALL_SECRET_KEY"] = "a-key-of-the-tests-only-0123456789abcdef"


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """The address of the run's own server."""
    from postcall.database.embedded import EmbeddedDatabase

    with tempfile.TemporaryDirectory(prefix="postcall-tests-", ignore_cleanup_errors=True) as folder:
        settings = {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "200",
        }
        database = EmbeddedDatabase(Path(folder) / "data", settings=settings)
        url = database.start()
        try:
            yield url
        finally:
            database.stop()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(database_url: str) -> None:
    """pytest-django's hook before it makes the test database."""
    from django.conf import settings
    from django.db import connections

    from postcall.settings import database

    settings.DATABASES["default"].update(database(database_url))
    connections["default"].settings_dict.update(database(database_url))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs whole deployments takes longest: begun first, nobody waits for it at the end."""
    items.sort(key=lambda item: item.path.parent.name not in ("chaos", "whole"))


_connect = socket.socket.connect


def _loopback_only(self: socket.socket, address: Any) -> Any:
    if self.family in (socket.AF_INET, socket.AF_INET6):
        host = address[0]
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise AssertionError(f"a test reached for {host}: the network outside loopback is forbidden")
    return _connect(self, address)


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    socket.socket.connect = _loopback_only  # type: ignore[method-assign]
    yield
    socket.socket.connect = _connect  # type: ignore[method-assign]
