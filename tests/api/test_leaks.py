"""What is said when something fails, on the page, in the answer and in the log, holds no secret."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client

from postcall.logs import scrubbed
from postcall.sources.models import Source
from postcall.workspaces.models import Membership, User

from .conftest import Api, api_for

NUMBER = "+14155550132"
WORDS = "my-diagnosis-is-private"
NO_AGENTS = "ALTER TABLE agent RENAME TO agent_gone"
COOKIE = "session-of-somebody"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the service's own log handler writes."""
    (ours,) = [each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler]
    written = io.StringIO()
    beside = logging.StreamHandler(written)
    beside.setFormatter(ours.formatter)
    logging.getLogger().addHandler(beside)
    yield written
    logging.getLogger().removeHandler(beside)


@contextmanager
def damaged(*statements: str) -> Iterator[None]:
    """Meanwhile the database is not as it should be."""
    before = transaction.savepoint()
    with connection.cursor() as cursor:
        for statement in ("SET CONSTRAINTS ALL IMMEDIATE", *statements):
            cursor.execute(statement)
    yield
    transaction.savepoint_rollback(before)


def fails(client: Client) -> Client:
    client.raise_request_exception = False
    return client


def test_an_answer_that_fails_tells_a_reference_alone(api: Api, log: io.StringIO) -> None:
    fails(api.client)
    with damaged(NO_AGENTS):
        failed = api.post("/agents", {"name": f"{WORDS} {NUMBER}"}, Cookie=f"postcall_session={COOKIE}")
    assert failed.status == 500
    assert failed.headers["Content-Type"] == "application/problem+json"
    told = failed.response.content.decode()
    reference = failed.json["detail"].split("reference ")[1].split(".")[0]
    for hidden in ("agent_gone", "Traceback", "psycopg", "SELECT", "/site-packages/", WORDS):
        assert hidden not in told
    written = log.getvalue()
    assert reference in written
    assert "Traceback" in written
    for hidden in (api.key, NUMBER, NUMBER[1:], WORDS, COOKIE, "Bearer"):
        assert hidden not in written


def test_a_row_that_does_not_fit_is_not_told(api: Api, log: io.StringIO) -> None:
    """PostgreSQL tells the whole row with its refusal."""
    fails(api.client)
    with damaged("ALTER TABLE agent ADD COLUMN needed text NOT NULL"):
        assert api.post("/agents", {"name": f"{WORDS}\n\nand more"}).status == 500
    assert "NotNullViolation" in log.getvalue()
    assert "DETAIL:…" in json.loads(log.getvalue().splitlines()[0])["exception"]
    for hidden in (WORDS, "and more"):
        assert hidden not in log.getvalue()


def test_a_page_that_fails_tells_nothing(api: Api, log: io.StringIO) -> None:
    person = User.objects.create_user("dana@northgate.example", "a long password of the tests")
    Membership.objects.create(workspace=api.workspace, user=person, role=Membership.Role.OWNER)
    client = fails(Client())
    client.force_login(person)
    session = client.cookies["postcall_session"].value
    with damaged(NO_AGENTS):
        failed = client.get(f"/w/{api.workspace.pk}/agents?q={NUMBER}")
    assert failed.status_code == 500
    page = failed.content.decode()
    assert "Something went wrong" in page
    for hidden in ("agent_gone", "Traceback", "psycopg", "SELECT", "DJANGO", session, NUMBER):
        assert hidden not in page
    assert "Traceback" in log.getvalue()
    for hidden in (session, NUMBER, NUMBER[1:]):
        assert hidden not in log.getvalue()


def test_a_webhook_that_fails_does_not_tell_its_token(api: Api, log: io.StringIO) -> None:
    token = api.made("/sources", {"kind": "generic", "name": "Desk"})["url"].rsplit("/", 1)[1]
    with damaged("ALTER TABLE source RENAME TO source_gone"):
        failed = fails(Client()).post(f"/in/generic/{token}", WORDS, content_type="application/json")
    assert failed.status_code == 500
    assert token not in failed.content.decode()
    assert "Internal Server Error: /in/generic/" in log.getvalue()
    assert token not in log.getvalue()
    assert WORDS not in log.getvalue()


def test_it_never_shows_djangos_own_error_page() -> None:
    assert settings.DEBUG is False


@pytest.mark.parametrize(
    ("written", "hidden"),
    [
        ("Internal Server Error: /in/vapi/Abc-d_ef123?x=1", "Abc-d_ef123"),
        ("Service Unavailable: /twilio/status/Abc-d_ef123", "Abc-d_ef123"),
        ("POST https://postcall.example/twilio/inbound/Abc-d_ef123", "Abc-d_ef123"),
        ("{'Authorization': 'Bearer pc_abcdefghijkl'}", "abcdefghijkl"),
        ("authorization: basic QUM5OTk6dG9rZW4=", "QUM5OTk6dG9rZW4"),
        ("a key pc_abcdefghijkl of somebody's", "abcdefghijkl"),
        ("signed with whsec_QUJDREVGR0hJSktM=", "QUJDREVGR0hJSktM"),
        ("connection to postgresql://postcall:hunter22@db:5432/postcall failed", "hunter22"),
        ('{"auth_token": "0123abcd0123"}', "0123abcd0123"),
        ("Account(auth_token='0123abcd0123')", "0123abcd0123"),
        ("/opt-outs/+14155550132", "4155550132"),
        ("X: no\nDETAIL:  Failing row contains (1, a\n\nword of hers).\n\nThe above exception", "word of hers"),
        ("no\nLINE 1: SELECT 'word of hers'\n         ^", "word of hers"),
        ("a\n  wrong [type=x, input_value='word of hers', input_type=str]", "word of hers"),
        ("invalid key sk-proj-abcdefghijkl", "abcdefghijkl"),
    ],
)
def test_its_log_masks_secrets_and_numbers_wherever_they_stand(written: str, hidden: str) -> None:
    assert hidden in written
    assert hidden not in scrubbed(written)


@pytest.mark.parametrize("harmless", ["Password: reset asked for", "the token: is it whole?", "took 1234567 ms"])
def test_its_log_leaves_other_words_alone(harmless: str) -> None:
    assert scrubbed(harmless) == harmless


@dataclass
class Web:
    """`postcall web`, in a process of its own."""

    port: int
    output: Path

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> int:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", method=method, data=body or None, headers=given
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def raw(self, head: str, body: Iterable[bytes] = ()) -> bytes:
        """The first line of the answer to these very bytes; what is left of the body when it comes is not sent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as asking:
            asking.sendall(head.replace("\n", "\r\n").encode())
            asking.settimeout(0.05)
            for part in body:
                try:
                    asking.sendall(part)
                    return asking.recv(100).split(b"\r\n")[0]
                except TimeoutError:
                    continue
                except OSError:
                    break
            asking.settimeout(30)
            return asking.recv(100).split(b"\r\n")[0]


@pytest.fixture
def web(transactional_db: None, tmp_path: Path) -> Iterator[Web]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    database = connection.settings_dict
    url = (
        f"postgresql://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}"
        f"?host={database['HOST']}&port={database['PORT']}"
    )
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "PYTHONPATH")} | {
        "DATABASE_URL": url,
        "POSTCALL_SECRET_KEY": settings.SECRET_KEY,
        "POSTCALL_PORT": str(port),
        "POSTCALL_LOG_FORMAT": "json",
    }
    output = tmp_path / "output"
    with output.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "postcall", "web"], env=environment, stdout=written, stderr=subprocess.STDOUT
        )
    running = Web(port, output)
    try:
        deadline = time.monotonic() + 90
        while True:
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            try:
                if running.ask("GET", "/healthz") == 200:
                    break
            except OSError:
                time.sleep(0.1)
        yield running
    finally:
        process.terminate()
        process.wait(60)


def test_the_real_process_reads_no_more_than_it_must_and_logs_no_secret(web: Web) -> None:
    api = api_for("Northgate Clinic")
    source = Source.objects.create(workspace=api.workspace, kind="generic", name="Desk", auth='{"secret": "x"}')
    bearer = f"Bearer {api.key}"
    assert web.ask("GET", f"/api/v1/calls?number={NUMBER[1:]}", Authorization=bearer) == 200
    assert web.ask("GET", "/api/v1/calls", Authorization=f"{bearer}wrong") == 401
    assert web.ask("POST", f"/in/generic/{source.token}", b"{}") == 401
    assert web.ask("POST", "/in/generic/a-token-of-nobodys", b"{}") == 404
    assert web.ask("POST", "/twilio/status/a-token-of-nobodys", b"To=%2B14155550132") == 404

    head = f"POST /api/v1/calls HTTP/1.1\nHost: 127.0.0.1\nAuthorization: {bearer}\n"
    assert web.raw(f"{head}Content-Length: 100000000000\n\n") == b"HTTP/1.1 413 Payload Too Large"
    sign_in = "POST /sign-in HTTP/1.1\nHost: 127.0.0.1\nContent-Type: multipart/form-data; boundary=x\n"
    assert web.raw(f"{sign_in}Content-Length: 100000000000\n\n") == b"HTTP/1.1 413 Payload Too Large"
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        while len(sent) < 400:
            sent.append(1)
            yield b"40000\r\n" + b"x" * 0x40000 + b"\r\n"

    assert web.raw(f"{head}Transfer-Encoding: chunked\n\n", endless()) == b"HTTP/1.1 413 Payload Too Large"

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE source RENAME TO source_gone")
    try:
        assert web.ask("POST", f"/in/generic/{source.token}", WORDS.encode()) == 500
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE source_gone RENAME TO source")

    said = web.output.read_text()
    assert "request failed" in said
    assert all(json.loads(line) for line in said.splitlines() if line.startswith("{"))
    for hidden in (source.token, "a-token-of-nobodys", api.key, NUMBER[2:], WORDS, settings.SECRET_KEY):
        assert hidden not in said
