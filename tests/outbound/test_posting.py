"""A request goes where it was checked to go, ends in time, and is led nowhere else."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from postcall.outbound.addresses import Refused, Unreachable
from postcall.outbound.posting import Answer, Limits, post

from .servers import answering, certificate, serving

LOOPBACK = ("127.0.0.0/8",)
HOST = "hooks.northgate.example"
QUICK = Limits(connect_s=2, silence_s=0.4, total_s=0.8, answer_bytes=64)


def here(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def ask(port: int, body: bytes = b"{}", **changes: Any) -> Answer:
    options: dict[str, Any] = {"resolve": here, "allow": LOOPBACK, "limits": QUICK}
    headers = {"Content-Type": "application/json", "webhook-id": "msg_1"}
    return post(f"http://{HOST}:{port}/in?x=1", body, headers, **(options | changes))


def test_it_posts_the_body_with_the_name_of_the_host() -> None:
    with serving(answering(b"HTTP/1.1 202 Accepted\r\nX-Seen: yes\r\nContent-Length: 4\r\n\r\nfine")) as server:
        answer = ask(server.port, b'{"a":1}')
    head, _, body = server.asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /in?x=1 HTTP/1.1\r\n")
    assert f"Host: {HOST}:{server.port}".encode() in head
    assert b"webhook-id: msg_1" in head
    assert body == b'{"a":1}'
    assert (answer.status, answer.is_fine, answer.body, answer.headers["x-seen"]) == (202, True, b"fine", "yes")


def test_it_follows_no_redirect() -> None:
    with serving() as elsewhere:
        to = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{elsewhere.port}/\r\n"
        with serving(answering(f"{to}Content-Length: 0\r\n\r\n".encode())) as server:
            answer = ask(server.port)
        assert (answer.status, answer.is_fine) == (307, False)
        assert elsewhere.asked == []


def test_it_reads_only_the_beginning_of_a_huge_answer() -> None:
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        with suppress(OSError):
            while True:
                connection.sendall(b"x" * 65_536)

    with serving(flood) as server:
        assert ask(server.port).body == b"x" * 64


def test_it_takes_no_headers_without_an_end() -> None:
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        with suppress(OSError):
            while True:
                connection.sendall(b"X-More: " + b"x" * 65_536 + b"\r\n")

    with serving(flood) as server, pytest.raises(Unreachable):
        ask(server.port, limits=Limits())


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_it_ends_in_time_however_slowly_the_answer_drips(start: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(start)
        with suppress(OSError):
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.05)

    with serving(drip) as server:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="took too long"):
            ask(server.port)
        assert time.monotonic() - began < 4  # a hundred drips take five


def test_it_waits_for_no_server_that_is_silent() -> None:
    with serving(lambda _: time.sleep(0.6)) as server, pytest.raises(Unreachable, match="took too long"):
        ask(server.port)


def test_it_asks_the_machine_that_was_checked_however_the_name_changes() -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"]]

    def rebinding(_host: str, _port: int) -> Sequence[str]:
        return answers.pop(0)

    with serving() as server:
        ask(server.port, resolve=rebinding, allow=("127.0.0.1/32",))
    assert answers == [["127.0.0.2"]]  # asked once


def test_it_asks_nothing_that_is_refused() -> None:
    with serving() as server:
        with pytest.raises(Refused):
            ask(server.port, allow=())
        with pytest.raises(Refused):
            post(f"http://127.0.0.1:{server.port}/", b"", {}, allow=())
    assert server.asked == []


def test_it_tries_the_next_machine_of_a_host_that_has_several() -> None:
    with serving() as server:
        assert ask(server.port, resolve=lambda *_: ["127.0.0.9", "127.0.0.1"]).status == 204


def test_it_says_that_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable, match=f"takes no connections on port {port}"):
        ask(port)


@pytest.mark.parametrize("nonsense", [b"", b"220 mail.northgate.example ESMTP\r\n", b"HTTP/1.1 banana\r\n\r\n"])
def test_it_says_that_this_is_no_http(nonsense: bytes) -> None:
    with serving(answering(nonsense)) as server, pytest.raises(Unreachable, match="hung up, or did not answer"):
        ask(server.port)


def test_it_trusts_a_certificate_of_the_host_by_its_name(tmp_path: Path) -> None:
    theirs, trust = certificate(tmp_path, HOST)
    named: list[str | None] = []
    theirs.sni_callback = lambda _socket, name, _context: named.append(name)
    with serving(trust=theirs) as server:
        url = f"https://{HOST}:{server.port}/"
        assert post(url, b"", {}, resolve=here, allow=LOOPBACK, trust=trust, limits=QUICK).status == 204
    assert named == [HOST]


def test_it_trusts_no_certificate_of_another_host(tmp_path: Path) -> None:
    theirs, trust = certificate(tmp_path, "other.example")
    with serving(trust=theirs) as server:
        with pytest.raises(Unreachable, match="certificate"):
            post(f"https://{HOST}:{server.port}/", b"", {}, resolve=here, allow=LOOPBACK, trust=trust, limits=QUICK)
        assert server.asked == []


def test_it_trusts_no_certificate_of_its_own_making(tmp_path: Path) -> None:
    theirs, _ = certificate(tmp_path, HOST)
    with serving(trust=theirs) as server, pytest.raises(Unreachable, match="certificate"):
        post(f"https://{HOST}:{server.port}/", b"", {}, resolve=here, allow=LOOPBACK, limits=QUICK)
