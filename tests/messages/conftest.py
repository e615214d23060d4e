"""A clinic's workspace, its text about to go out, and the stand-in that it goes through, moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from postcall.config import config
from postcall.messages import twilio_client
from postcall.sandbox.running import Sandbox

from .clinic import Clinic

LEASE = timedelta(seconds=30)


@pytest.fixture(scope="session")
def standin() -> Iterator[Sandbox]:
    with Sandbox(progress="manual").running() as sandbox:
        yield sandbox
        twilio_client.forget_clients()


@pytest.fixture
def sandbox(standin: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The stand-in, fresh, and the account's listings due at once."""
    monkeypatch.setenv("POSTCALL_SANDBOX_URL", standin.url)
    monkeypatch.setenv("POSTCALL_RECONCILE_DELAYS", "0,0,0")
    config.cache_clear()
    standin.reset()
    standin.faults = {}
    yield standin
    monkeypatch.undo()
    config.cache_clear()


@pytest.fixture
def clinic(db: None, sandbox: Sandbox) -> Clinic:
    return Clinic("Northgate Clinic", sandbox)
