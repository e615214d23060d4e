"""A wrong POSTCALL_SECRET_KEY is one line that says so, and `postcall check` names what it does not open."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from postcall.followups import optouts

from .conftest import Run


@pytest.fixture
def with_another_key(on_database: Run, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The account that the environment names was stored by the key of before."""
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "1" * 32)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "token-of-the-tests")
    monkeypatch.setenv("TWILIO_FROM_NUMBER", "+14155550100")
    assert on_database("migrate").code == 0
    monkeypatch.setattr(optouts, "_key", None)  # another test may have emptied its table
    optouts.hashed(uuid4(), "+14155550132")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-key-of-the-tests-0123456789", []
    return on_database


def test_it_says_in_one_line_that_a_secret_cannot_be_read(with_another_key: Run) -> None:
    ended = with_another_key("migrate")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert ended.err.startswith("postcall: a stored secret cannot be read: put the POSTCALL_SECRET_KEY")


def test_a_check_names_what_no_key_opens(with_another_key: Run) -> None:
    ended = with_another_key("check", "--json")
    found = {row["subject"]: row for row in json.loads(ended.out)}
    assert (ended.code, found["Secrets"]["level"]) == (1, "error")
    assert "opt_out_key.secret" in found["Secrets"]["text"]
    assert "twilio_account.auth_token" in found["Secrets"]["text"]


def test_a_check_says_that_the_key_opens_all(on_database: Run) -> None:
    found = {row["subject"]: row for row in json.loads(on_database("check", "--json").out)}
    assert found["Secrets"]["level"] == "ok"
