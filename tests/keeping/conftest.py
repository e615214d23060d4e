"""A clinic whose callers are texted, and the stand-in that the texts go through, moved by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postcall.config import config
from postcall.messages import twilio_client
from postcall.sandbox.running import Sandbox

from .clinic import Clinic


@pytest.fixture(scope="session")
def standin() -> Iterator[Sandbox]:
    with Sandbox(progress="manual").running() as sandbox:
        yield sandbox
        twilio_client.forget_clients()


@pytest.fixture
def sandbox(standin: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
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
