"""The one way out to addresses that somebody entered: looked up once, asked under a deadline, followed nowhere."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import httpcore2

from postcall.outbound.addresses import (
    Address,
    Destination,
    Resolver,
    Unreachable,
    machines,
    read,
    resolve_by_system,
)

USER_AGENT: Final = "Postcall"


@dataclass(frozen=True)
class Limits:
    """Seconds for a connection, for each silence, and for all of it; bytes of the answer that are read."""

    connect_s: float = 5.0
    silence_s: float = 10.0
    total_s: float = 15.0
    answer_bytes: int = 4096


LIMITS: Final = Limits()


@dataclass(frozen=True)
class Answer:
    """What came back, whatever the status; `body` is its beginning. A redirect is an answer like others."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_s: float

    @property
    def is_fine(self) -> bool:
        return 200 <= self.status < 300


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    resolve: Resolver = resolve_by_system,
    allow: Sequence[str] | None = None,
    trust: ssl.SSLContext | None = None,
    limits: Limits = LIMITS,
) -> Answer:
    """Posts `body` to an address that somebody entered, once.

    Its host is looked up once, and the connection made to what was found and checked then: a name that leads
    elsewhere a moment later leads nowhere. `allow`: see `addresses.look_up`. `trust` is whose certificates are
    believed; by default those of the system. Raises Refused, before anything is sent, and Unreachable.
    """
    began = time.monotonic()
    to = read(url)
    found = machines(to, resolve, allow)
    by = _Deadline(began + limits.total_s)
    try:
        with httpcore2.ConnectionPool(
            ssl_context=trust or _system_trust(), max_connections=1, network_backend=_Pinned(found, by, limits)
        ) as pool:
            return _asked(pool, to, body, headers, limits, began)
    except (httpcore2.TimeoutException, TimeoutError):
        raise Unreachable(f"{to.host} took too long to answer.") from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
        raise Unreachable(_in_words(to, error)) from error


def _asked(
    pool: httpcore2.ConnectionPool,
    to: Destination,
    body: bytes,
    headers: Mapping[str, str],
    limits: Limits,
    began: float,
) -> Answer:
    url = httpcore2.URL(scheme=to.scheme, host=to.host, port=to.port, target=to.target)
    timeouts = {"connect": limits.connect_s, "read": limits.silence_s, "write": limits.silence_s}
    sent = {
        "Host": to.host_header,
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "identity",
        "Connection": "close",
        "Content-Length": str(len(body)),
        **headers,
    }
    with pool.stream(
        "POST", url, headers=list(sent.items()), content=body, extensions={"timeout": timeouts}
    ) as response:
        return Answer(
            response.status,
            {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers},
            _beginning(response.iter_stream(), limits.answer_bytes),
            time.monotonic() - began,
        )


def _beginning(parts: Iterable[bytes], most: int) -> bytes:
    read = bytearray()
    for part in parts:
        read += part
        if len(read) >= most:
            break
    return bytes(read[:most])


@cache
def _system_trust() -> ssl.SSLContext:
    return httpcore2.default_ssl_context()


def _in_words(to: Destination, error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"{to.host} shows a certificate that is not to be trusted: {cause.verify_message}."
        if isinstance(cause, ssl.SSLError):
            return f"{to.host} does not speak TLS as it should."
        if isinstance(cause, ConnectionRefusedError):
            return f"{to.host} takes no connections on port {to.port}."
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore2.ProtocolError):
        return f"{to.host} hung up, or did not answer by HTTP."
    return f"{to.host} cannot be reached, or hung up."


class _Deadline:
    """What is left of the whole time, whatever each step may take."""

    def __init__(self, at: float) -> None:
        self._at = at

    def within(self, seconds: float | None) -> float:
        """The shorter of both. Raises TimeoutError when nothing is left."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left if seconds is None else min(seconds, left)


class _Pinned(httpcore2.NetworkBackend):
    """Connects to the machines that were checked, whatever name it is given."""

    def __init__(self, found: Sequence[Address], by: _Deadline, limits: Limits) -> None:
        self._found = found
        self._by = by
        self._limits = limits

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002  # its addresses are known
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002  # theirs
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002  # theirs
    ) -> httpcore2.NetworkStream:
        failed: OSError | None = None
        for address in self._found:
            try:
                connected = socket.create_connection((str(address), port), self._by.within(timeout))
            except OSError as error:
                failed = error
                continue
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _Hurried(connected, self._by)
        raise failed or TimeoutError


class _Hurried(httpcore2.NetworkStream):
    """A connection whose every step ends by the deadline: who drips a byte now and then gains nothing by it."""

    def __init__(self, connected: socket.socket, by: _Deadline) -> None:
        self._socket = connected
        self._by = by

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._socket.settimeout(self._by.within(timeout))
        return self._socket.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        while rest:
            self._socket.settimeout(self._by.within(timeout))
            try:
                rest = rest[self._socket.send(rest) :]
            except ConnectionError as error:
                # A server may answer and hang up before it has read all: its answer is read nevertheless.
                raise httpcore2.WriteError(str(error)) from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        self._socket.settimeout(self._by.within(timeout))
        try:
            return _Hurried(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname), self._by)
        except BaseException:
            self._socket.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        return None if info != "socket" else self._socket
