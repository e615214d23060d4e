"""A clinic whose texts are told of, and a receiver on loopback that it may reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from messages.clinic import Clinic
from messages.conftest import sandbox, standin

from postcall.config import config

__all__ = ["sandbox", "standin"]


@pytest.fixture
def clinic(db: None, sandbox: None, standin: object, allowed: None) -> Clinic:
    from postcall.sandbox.running import Sandbox

    assert isinstance(standin, Sandbox)
    return Clinic("Northgate Clinic", standin)


@pytest.fixture
def allowed(sandbox: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loopback may be reached, as whoever runs this Postcall says."""
    monkeypatch.setenv("POSTCALL_OUTBOUND_ALLOW", "127.0.0.0/8")
    config.cache_clear()
    yield
    config.cache_clear()
