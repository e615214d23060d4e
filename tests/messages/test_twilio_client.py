"""What can come of a request, told apart at the edge."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError, ReadTimeoutError

from postcall.followups.handing import Sender
from postcall.messages import twilio_client
from postcall.messages.addresses import is_public, status_callback
from postcall.messages.models import Account
from postcall.messages.twilio_client import Accepted, Ambiguous, NotReached, Outcome, Refused, Unread

from .clinic import ANN, BODY, Clinic


def account(url: str) -> Account:
    return Account(account_sid="AC" + "9" * 32, auth_token="token", api_url=url, from_number="+15005550006")


def create(by: Account, body: str = BODY, to: str = ANN) -> Outcome:
    return twilio_client.create(
        by,
        to=to,
        sender=Sender("+15005550006"),
        body=body,
        status_callback=None,
        valid_for_s=1,
        may_begin=lambda: True,
    )


class Server:
    """Answers one connection with what it is told to, or only listens."""

    def __init__(self, answer: bytes) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._answer = answer
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(self._answer)

    def close(self) -> None:
        self._thread.join()
        self._socket.close()


@pytest.fixture(autouse=True)
def _clients() -> Iterator[None]:
    yield
    twilio_client.forget_clients()


def answer(raw: bytes) -> Outcome:
    server = Server(raw)
    try:
        return create(account(server.url))
    finally:
        server.close()


def http(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_it_was_accepted(clinic: Clinic) -> None:
    outcome = create(clinic.account)
    assert isinstance(outcome, Accepted)
    assert (outcome.message.status, outcome.message.to) == ("queued", ANN)
    assert clinic.sandbox.messages[0].parameters["ValidityPeriod"] == "5"


def test_a_refusal_carries_twilios_code_and_words() -> None:
    body = b'{"code": 21211, "message": "Invalid \'To\' Phone Number", "status": 400}'
    assert answer(http("400 Bad Request", body)) == Refused(400, 21211, "Invalid 'To' Phone Number")


def test_a_refusal_in_the_newer_shape_is_one_too() -> None:
    body = b'{"type": "about:blank", "title": "Bad", "status": 400, "code": 21211, "detail": "Invalid number"}'
    assert answer(http("400 Bad Request", body)) == Refused(400, 21211, "Invalid number")


def test_a_429_says_when_to_come_back() -> None:
    outcome = answer(http("429 Too Many Requests", b'{"code": 20429, "message": "Slow down"}', "Retry-After: 7"))
    assert outcome == Refused(429, 20429, "Slow down", retry_after_s=7)


def test_a_429_may_name_a_date() -> None:
    outcome = answer(http("429 Too Many Requests", b"slow", "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT"))
    assert isinstance(outcome, Refused)
    assert outcome.code == 429
    assert outcome.retry_after_s is not None
    assert outcome.retry_after_s > 1e9


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(http("500 Internal Server Error", b'{"code": 20500, "message": "oops"}'), id="500"),
        pytest.param(http("503 Unavailable", b"<html>busy</html>"), id="503 of a proxy"),
        pytest.param(http("408 Request Timeout", b""), id="408"),
        pytest.param(http("302 Found", b"", "Location: /elsewhere"), id="a redirect"),
        pytest.param(http("201 Created", b'{"sid": "SM'), id="unreadable"),
        pytest.param(http("201 Created", b"[]"), id="a list"),
        pytest.param(http("201 Created", b"{}"), id="no sid"),
        pytest.param(b"", id="cut before an answer"),
        pytest.param(b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{", id="cut in the answer"),
        pytest.param(b"not http at all\r\n\r\n", id="not HTTP"),
    ],
)
def test_it_may_have_been_sent(raw: bytes) -> None:
    assert isinstance(answer(raw), Ambiguous)


def test_it_may_have_been_sent_when_no_answer_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twilio_client, "TIMEOUT_S", (1, 0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = create(account(f"http://127.0.0.1:{silent.getsockname()[1]}"))
    assert outcome == Ambiguous("ReadTimeout")


def test_nobody_listened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    assert isinstance(create(account(url)), NotReached)


def test_the_name_is_unknown() -> None:
    assert isinstance(create(account("http://nowhere.invalid")), NotReached)


def test_the_proxy_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # nobody listens there
    assert isinstance(create(account("http://twilio.invalid")), NotReached)


def test_the_sandbox_is_reached_past_any_proxy(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert isinstance(create(clinic.account), Accepted)


def test_the_address_is_no_address() -> None:
    assert isinstance(create(account("ftp://127.0.0.1")), NotReached)


def test_the_connection_took_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twilio_client, "TIMEOUT_S", (0.05, 5))
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
        socket.socket() as waiting,
        socket.socket() as more,
    ):
        for other in (waiting, more):
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        outcome = create(account(f"http://127.0.0.1:{full.getsockname()[1]}"))
    assert outcome == NotReached("ConnectTimeout")


def test_a_server_whose_certificate_is_not_trusted_was_told_nothing() -> None:
    import ssl

    from urllib3.exceptions import SSLError

    pool = None
    bad = SSLError(ssl.SSLCertVerificationError("self-signed"))
    broken = SSLError(ssl.SSLError("bad record mac"))
    assert twilio_client._surely_unwritten(requests.exceptions.SSLError(MaxRetryError(pool, "/", bad)))  # type: ignore[arg-type]  # no pool needed
    assert not twilio_client._surely_unwritten(requests.exceptions.SSLError(MaxRetryError(pool, "/", broken)))  # type: ignore[arg-type]  # no pool needed


@pytest.mark.parametrize(
    ("reason", "unwritten"),
    [
        (NewConnectionError(None, "refused"), True),  # type: ignore[arg-type]  # no connection needed
        (ReadTimeoutError(None, "/", "slow"), False),  # type: ignore[arg-type]  # no pool needed
        (ProtocolError("Connection aborted."), False),
    ],
)
def test_only_a_failure_to_connect_is_surely_unwritten(reason: Exception, unwritten: bool) -> None:
    error = requests.exceptions.ConnectionError(MaxRetryError(None, "/", reason))  # type: ignore[arg-type]  # no pool needed
    assert twilio_client._surely_unwritten(error) == unwritten


def test_a_kept_connection_that_was_closed_is_not_surely_unwritten() -> None:
    error = requests.exceptions.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError()))
    assert not twilio_client._surely_unwritten(error)


def test_it_does_not_begin_when_it_may_not(clinic: Clinic) -> None:
    outcome = twilio_client.create(
        clinic.account,
        to=ANN,
        sender=Sender("+15005550006"),
        body=BODY,
        status_callback=None,
        valid_for_s=1,
        may_begin=lambda: False,
    )
    assert isinstance(outcome, NotReached)
    assert not clinic.sandbox.requests


@pytest.mark.parametrize("asked", [2, 3])
def test_it_writes_no_request_whose_time_was_over_meanwhile(clinic: Clinic, asked: int) -> None:
    """Before its head was written, and before its body was."""
    answers = iter([True] * (asked - 1) + [False])
    outcome = twilio_client.create(
        clinic.account,
        to=ANN,
        sender=Sender("+15005550006"),
        body=BODY,
        status_callback=None,
        valid_for_s=1,
        may_begin=lambda: next(answers),
    )
    assert isinstance(outcome, NotReached)
    assert not clinic.sandbox.creates
    assert isinstance(create(clinic.account), Accepted)
    assert sum(clinic.sandbox.creates.values()) == 1


def test_without_a_sandbox_nothing_is_reached(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTCALL_SANDBOX_URL")
    assert isinstance(create(clinic.account), NotReached)
    assert isinstance(twilio_client.fetch(clinic.account, "SM1"), Unread)


def test_it_signs_in_with_an_api_key_where_there_is_one(clinic: Clinic) -> None:
    create(clinic.account)
    clinic.account.api_key_sid, clinic.account.api_key_secret = "SK" + "1" * 32, "secret"
    twilio_client.forget_clients()
    assert isinstance(create(clinic.account), Accepted)


def test_twilios_environment_does_not_rewrite_the_address(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    monkeypatch.setenv("TWILIO_REGION", "au1")
    twilio_client.forget_clients()
    assert isinstance(create(clinic.account), Accepted)


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://postcall.example.org", True),
        ("http://8.8.8.8:8000", True),
        ("http://127.0.0.1:8000", False),
        ("http://10.0.0.3", False),
        ("http://[::1]:8000", False),
        ("http://localhost:8000", False),
        ("http://my_host.example.org", False),
        ("http://postcall:8000", False),
        ("http://mac.local", False),
    ],
)
def test_it_knows_which_addresses_twilio_reaches(url: str, public: bool) -> None:
    assert is_public(url) == public


def test_twilio_is_given_no_address_that_it_would_refuse() -> None:
    assert status_callback(account("https://api.twilio.com"), "t") is None
    assert status_callback(account("http://127.0.0.1:9100"), "t") is not None
