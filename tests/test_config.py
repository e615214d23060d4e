"""The environment is read once, typed, and loud when it is wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from postcall.config import Config, ConfigError, config


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    config.cache_clear()
    yield
    config.cache_clear()


def read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Config:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return config()


def test_it_has_the_documented_defaults() -> None:
    found = config()
    assert (found.base_url, found.judge_model, found.reconcile_after) == (
        "http://127.0.0.1:8000",
        "offline",
        (30.0, 120.0, 300.0, 600.0),
    )


def test_it_refuses_an_unknown_name_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"^POSTCALL_PROT: there is no such setting"):
        read(monkeypatch, POSTCALL_PROT="8000")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTCALL_PORT", "eighty"),
        ("POSTCALL_PORT", "70000"),
        ("POSTCALL_PUBLIC_URL", "postcall.example.org"),
        ("POSTCALL_JUDGE_MODEL", "gpt"),
        ("POSTCALL_RECONCILE_DELAYS", "30,soon"),
        ("POSTCALL_OUTBOUND_ALLOW", "everything"),
        ("POSTCALL_API_KEY", "short"),
        ("POSTCALL_LOG_FORMAT", "xml"),
        ("POSTCALL_ADMIN_EMAIL", "nobody"),
        ("TWILIO_API_URL", "api.twilio.com"),
    ],
)
def test_it_names_the_variable_whose_value_is_bad(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(monkeypatch, **{name: value})
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)


def test_it_wants_what_belongs_together(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="TWILIO_AUTH_TOKEN: set it too"):
        read(monkeypatch, TWILIO_ACCOUNT_SID="AC1", TWILIO_FROM_NUMBER="+14155550100")


def test_it_wants_a_sender_with_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="TWILIO_FROM_NUMBER"):
        read(monkeypatch, TWILIO_ACCOUNT_SID="AC1", TWILIO_AUTH_TOKEN="token")


def test_it_reads_a_secret_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("POSTCALL_SECRET_KEY")
    (tmp_path / "key").write_text("new,old\n")
    assert read(monkeypatch, POSTCALL_SECRET_KEY_FILE=str(tmp_path / "key")).secret_keys == ("new", "old")


def test_it_says_which_secret_file_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^DATABASE_URL_FILE: cannot read"):
        read(monkeypatch, DATABASE_URL_FILE=str(tmp_path / "none"))


def test_it_refuses_a_secret_given_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not both"):
        read(monkeypatch, POSTCALL_SECRET_KEY_FILE=str(tmp_path / "key"))


def test_it_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "a-secret-of-the-database" not in repr(
        read(monkeypatch, DATABASE_URL="postgresql://u:a-secret-of-the-database@localhost/x")
    )
