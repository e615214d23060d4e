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
        ("POSTCALL_JUDGE_MODEL", "openai:"),
        ("POSTCALL_JUDGE_MODEL", "cascade:"),
        ("POSTCALL_JUDGE_MODEL", "cascade:gpt"),
        ("POSTCALL_JUDGE_MODEL", "cascade:offline"),
        ("POSTCALL_JUDGE_MODEL", "cascade:cascade:openai:gpt"),
        ("POSTCALL_JUDGE_OUTPUT", "xml"),
        ("POSTCALL_JUDGE_TIMEOUT", "0"),
        ("POSTCALL_JUDGE_CONTEXT", "2048"),
        ("POSTCALL_RECONCILE_DELAYS", "30,soon"),
        ("POSTCALL_OUTBOUND_ALLOW", "everything"),
        ("POSTCALL_API_KEY", "short"),
        ("POSTCALL_LOG_FORMAT", "xml"),
        ("POSTCALL_ADMIN_EMAIL", "nobody"),
        ("TWILIO_API_URL", "api.twilio.com"),
        ("TWILIO_API_URL", "http://127.0.0.1:port"),
        ("POSTCALL_PUBLIC_URL", "https://postcall.example.org/texts"),
        ("POSTCALL_PUBLIC_URL", "https://dana:secret@postcall.example.org"),
        ("POSTCALL_SANDBOX_URL", "127.0.0.1:9100"),
        ("POSTCALL_SECRET_KEY", "short"),
        ("POSTCALL_SECRET_KEY", "a-key-that-is-long-enough,short"),
        ("TWILIO_FROM_NUMBER", "415 555 0100"),
        ("TWILIO_FROM_NUMBER", "Northgate Clinic"),
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


def test_it_wants_one_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    account = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "token"}
    with pytest.raises(ConfigError, match="not both"):
        read(monkeypatch, **account, TWILIO_FROM_NUMBER="+14155550100", TWILIO_MESSAGING_SERVICE_SID="MG1")


@pytest.mark.parametrize(
    "variables",
    [
        {"TWILIO_FROM_NUMBER": "+14155550100"},
        {"TWILIO_MESSAGING_SERVICE_SID": "MG1"},
        {"TWILIO_API_KEY_SID": "SK1", "TWILIO_API_KEY_SECRET": "secret"},
    ],
)
def test_it_wants_an_account_with_the_rest(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"^TWILIO_ACCOUNT_SID: set it too"):
        read(monkeypatch, **variables)


@pytest.mark.parametrize("sender", ["+14155550100", "72345", "Northgate", "NG-Clinic 1"])
def test_it_takes_numbers_short_codes_and_names_as_senders(monkeypatch: pytest.MonkeyPatch, sender: str) -> None:
    account = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "token"}
    assert read(monkeypatch, **account, TWILIO_FROM_NUMBER=sender).twilio_from_number == sender


@pytest.mark.parametrize(
    "url",
    [
        "mysql://postcall:hunter2@localhost/postcall",
        "localhost/hunter2",
        "postgresql://postcall:hunter2@localhost:port/postcall",
        "postgresql://postcall:hunter2@localhost:70000/postcall",
        "postgresql://postcall:hun#ter2@localhost/postcall",
        "postgresql://postcall:hun/ter2@localhost/postcall",
        "postgresql://postcall:hun@hunter2@localhost/postcall",
        "postgresql://postcall:hun%ter2@localhost/postcall",
        "postgresql://postcall:hun?ter2@localhost/postcall",
        "postgresql://postcall:1?hunter2@localhost/postcall",
        "postgresql://postcall:hunter2@[localhost/postcall",
    ],
)
def test_it_refuses_a_database_address_without_repeating_it(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(monkeypatch, DATABASE_URL=url)
    said = str(caught.value)
    assert said.startswith("DATABASE_URL: ")
    assert "\n" not in said
    assert "ter2" not in said


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postcall:p%40ss@db.example.org:5432/postcall?sslmode=require",
        "postgres://localhost/postcall",
        "postgresql://postcall:secret@/postcall?host=/var/run/postgresql&port=5432",
        "postgresql:///postcall",
        "postgresql://postcall@[::1]:5432/postcall",
    ],
)
def test_it_takes_what_libpq_takes(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert read(monkeypatch, DATABASE_URL=url).database_url is not None


def test_it_reads_a_secret_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("POSTCALL_SECRET_KEY")
    (tmp_path / "key").write_text("the-new-key-of-tests,the-old-key-of-tests\n")
    found = read(monkeypatch, POSTCALL_SECRET_KEY_FILE=str(tmp_path / "key"))
    assert found.secret_keys == ("the-new-key-of-tests", "the-old-key-of-tests")


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
