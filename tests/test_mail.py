"""Mail leaves by the server of the environment, and says in words why it did not."""

import socket
from collections.abc import Iterator

import pytest
from smtp_stand_in import Mails, mail_server

from postcall.config import ConfigError, config
from postcall.mail import CannotMail, can_mail, send_mail, try_server


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    config.cache_clear()
    yield
    config.cache_clear()


@pytest.fixture
def mails() -> Iterator[Mails]:
    with mail_server() as mails:
        yield mails


def set_up(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("POSTCALL_SMTP_URL", url)
    monkeypatch.setenv("POSTCALL_MAIL_FROM", "Postcall <postcall@northgate.example>")
    config.cache_clear()


def test_it_hands_a_mail_over(mails: Mails, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(monkeypatch, mails.url)
    assert can_mail()
    send_mail("dana@northgate.example", "Your\nlink", "Grüße\nhttps://postcall.example/x")
    (mail,) = mails.taken
    assert (mail["To"], mail["From"]) == ("dana@northgate.example", "Postcall <postcall@northgate.example>")
    assert mail["Subject"] == "Your link"
    assert mail.get_content().splitlines() == ["Grüße", "https://postcall.example/x"]


def test_it_signs_in_as_the_address_says(mails: Mails, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(monkeypatch, f"smtp://da%40na:s%3Acret@127.0.0.1:{mails.port}")
    send_mail("dana@northgate.example", "x", "x")
    assert mails.signed_in == ["da@na:s:cret"]


def test_it_speaks_of_nothing_without_tls_where_tls_is_asked_for(
    mails: Mails, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(monkeypatch, f"smtp://dana:secret@127.0.0.1:{mails.port}?tls=starttls")
    with pytest.raises(CannotMail, match="offers no TLS"):
        send_mail("dana@northgate.example", "x", "x")
    assert (mails.taken, mails.signed_in) == ([], [])
    assert [line.split()[0] for line in mails.said] == ["ehlo", "quit"]


@pytest.mark.parametrize(
    ("verb", "answer", "said"),
    [
        ("AUTH", "535 dana:secret is wrong", "does not take the user and password"),
        ("RCPT", "550 nobody here", "takes no mail to dana@northgate.example"),
        ("MAIL", "553 not you", "takes no mail from POSTCALL_MAIL_FROM"),
    ],
)
def test_it_says_why_a_server_refuses(
    mails: Mails, monkeypatch: pytest.MonkeyPatch, verb: str, answer: str, said: str
) -> None:
    mails.refusals[verb] = answer
    set_up(monkeypatch, f"smtp://dana:secret@127.0.0.1:{mails.port}")
    with pytest.raises(CannotMail, match=said) as caught:
        send_mail("dana@northgate.example", "x", "x")
    assert "secret" not in str(caught.value)


def test_it_says_that_no_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        set_up(monkeypatch, f"smtp://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(CannotMail, match="cannot be reached: Connection refused"):
            try_server()


def test_it_sends_nothing_where_no_server_is_set() -> None:
    assert not can_mail()
    with pytest.raises(CannotMail, match="POSTCALL_SMTP_URL"):
        send_mail("dana@northgate.example", "x", "x")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", ("mail.example", 587, "starttls")),
        ("smtps://mail.example", ("mail.example", 465, "always")),
        ("smtp://mail:25?tls=none", ("mail", 25, "none")),
        ("smtp://localhost:1025", ("localhost", 1025, "none")),
        ("smtp://[::1]", ("::1", 587, "none")),
    ],
)
def test_it_speaks_tls_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, url: str, server: tuple[str, int, str]
) -> None:
    set_up(monkeypatch, url)
    found = config().smtp
    assert found is not None
    assert (found.host, found.port, found.tls) == server


@pytest.mark.parametrize(
    "url",
    [
        "mail.example:25",
        "https://mail.example",
        "smtp://",
        "smtp://a:b@c@d",
        "smtp://x/inbox",
        "smtp://x?tls=maybe",
    ],
)
def test_it_refuses_an_address_of_no_mail_server(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    set_up(monkeypatch, url)
    with pytest.raises(ConfigError, match="POSTCALL_SMTP_URL: an address such as"):
        config()


def test_it_wants_a_sender_that_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(monkeypatch, "smtp://mail.example")
    monkeypatch.setenv("POSTCALL_MAIL_FROM", "Postcall\r\nBcc: all@northgate.example")
    with pytest.raises(ConfigError, match="POSTCALL_MAIL_FROM: an address such as"):
        config()
    monkeypatch.delenv("POSTCALL_MAIL_FROM")
    with pytest.raises(ConfigError, match="POSTCALL_MAIL_FROM: set it too"):
        config()
