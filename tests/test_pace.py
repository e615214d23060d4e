"""Tests may hasten every wait alike; nobody else does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from postcall.config import ConfigError, config
from postcall.pace import paced, paced_delta


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcall.pace.config", config.__wrapped__)
    monkeypatch.setenv("TWILIO_API_URL", "http://127.0.0.1:9100")


def test_it_waits_as_long_as_it_says_by_itself() -> None:
    assert paced(30) == 30


def test_it_hastens_every_wait_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTCALL_TEST_PACE", "0.1")
    assert paced(30) == pytest.approx(3)
    assert paced_delta(minutes=1).total_seconds() == pytest.approx(6)
    assert config.__wrapped__().reconcile_after == pytest.approx((3, 12, 30, 60))


@pytest.mark.parametrize("given", ["0", "2", "-1", "soon"])
def test_it_takes_no_other_factor(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("POSTCALL_TEST_PACE", given)
    with pytest.raises(ConfigError, match="POSTCALL_TEST_PACE"):
        config.__wrapped__()


@pytest.mark.parametrize("twilio", ["https://api.twilio.com", "https://stand-in.example.org"])
def test_it_never_hastens_what_goes_to_twilio(monkeypatch: pytest.MonkeyPatch, twilio: str) -> None:
    monkeypatch.setenv("POSTCALL_TEST_PACE", "0.5")
    monkeypatch.setenv("TWILIO_API_URL", twilio)
    with pytest.raises(ConfigError, match="POSTCALL_TEST_PACE: for tests alone"):
        config.__wrapped__()


def test_it_keeps_the_proportions_on_which_fencing_rests() -> None:
    """In a process of its own: the waits are fixed when they are first read."""
    said = subprocess.run(
        [sys.executable, "-c", _PRINT_THEM],
        env={"POSTCALL_TEST_PACE": "0.1", **_ENOUGH},
        capture_output=True,
        text=True,
    )
    assert said.stdout.split() == ["7.5", "1.0", "3.5", "3.0", "1.0"], said.stderr


_ENOUGH = {
    "TWILIO_API_URL": "http://127.0.0.1:9100",
    "DJANGO_SETTINGS_MODULE": "postcall.settings",
    "DATABASE_URL": "postgresql://a@127.0.0.1/none",
}
_PRINT_THEM = """
import os
os.environ["POSTCALL_SECRET_KEY"] = "only-to-start-with-0123456789"
import django
django.setup()
from postcall.messages.claim import FENCE_S, LEASE
from postcall.messages.twilio_client import TIMEOUT_S
from postcall.work.seen import HEARTBEAT_S
from postcall.worker.lanes import LEASE as ROWS
print(LEASE.total_seconds(), FENCE_S, sum(TIMEOUT_S), ROWS.total_seconds(), HEARTBEAT_S)
"""
