"""Reading a Synthflow account by its API. Nothing is ever changed there."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpcore2

from postcall.sources.loose import identifier, mapping, number
from postcall.sources.reading import NotJson, read_json

BASE_URL: Final = "https://api.synthflow.ai/v2"
PAGE: Final = 100
TRIES: Final = 5
TIMEOUTS: Final = {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": 30.0}
LONGEST_WAIT_S: Final = 60.0
MOST_BYTES: Final = 20 * 1024 * 1024
# An account of more is read no further: a server that pages for ever is not one.
MOST_PAGES: Final = 1_000

Told = Callable[[int, int], None]
"""Is told how many of how many are read."""


class CannotRead(Exception):
    """The account could not be read; the text says why, and what can be done, in one line. It never holds the
    key."""


class KeyRefused(CannotRead):
    pass


class NotThere(CannotRead):
    """There is nothing of that id."""


class Synthflow:
    """One account. `base_url` ends with the version (`…/v2`); `sleep` waits so many seconds; `trust` is whose
    certificates are believed, by default those of the system.

    Raises CannotRead when it is made with an address to which a key must not be sent.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        trust: ssl.SSLContext | None = None,
        timeouts: dict[str, float] = TIMEOUTS,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        _check_address(self.base_url)
        if not key.isascii() or not key.isprintable() or " " in key:
            raise KeyRefused("the key holds a space, a line break or a letter that no key has: copy it again")
        self._key = key
        self._sleep = sleep
        self._timeouts = timeouts
        self._pool = httpcore2.ConnectionPool(
            ssl_context=trust or httpcore2.default_ssl_context(), max_connections=1
        )

    def __enter__(self) -> Synthflow:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def assistants(self, told: Told | None = None) -> Iterator[dict[str, Any]]:
        """Each as GET /assistants lists it."""
        return self._listed("assistants", "model_id", told)

    def actions(self, told: Told | None = None) -> Iterator[dict[str, Any]]:
        """Each as GET /actions lists it: without what it is attached to."""
        return self._listed("actions", "action_id", told)

    def action(self, action_id: str) -> dict[str, Any]:
        """One with what it is attached to, and how. Raises NotThere."""
        said = self._get(f"/actions/{quote(action_id, safe='')}?include_assistants=true")
        response = mapping(said.get("response"))
        found = [mapping(one) for one in _rows(response, "actions")]
        return found[0] if found else response

    def _listed(self, what: str, key: str, told: Told | None) -> Iterator[dict[str, Any]]:
        """All pages. How many rows a page really has is the server's to say; one that brings nothing new is the
        last."""
        seen: set[str] = set()
        offset = 0
        for _ in range(MOST_PAGES):
            response = mapping(self._get(f"/{what}?limit={PAGE}&offset={offset}").get("response"))
            rows = [mapping(one) for one in _rows(response, what)]
            new = {found: row for row in rows if (found := identifier(row.get(key))) and found not in seen}
            seen |= new.keys()
            offset += len(rows)
            total = number(mapping(response.get("pagination")).get("total_records"))
            if told:
                told(len(seen), int(total or len(seen)))
            yield from new.values()
            if not new or (total is not None and offset >= total):
                return

    def _get(self, target: str) -> dict[str, Any]:
        """Tries again after a 429, a 5xx and a connection that broke: reading twice changes nothing."""
        for last in range(TRIES):
            status, headers, body = self._asked(target)
            if status == 200:
                return _answer(body)
            if status and status != 429 and status < 500:
                raise _refusal(status, target)
            if last + 1 < TRIES:
                self._sleep(_pause(headers, last))
        raise CannotRead(_gave_up(status, self.base_url))

    def _asked(self, target: str) -> tuple[int, dict[str, str], bytes]:
        """Status 0: nothing came back. Raises CannotRead for what another try does not mend."""
        try:
            with self._pool.stream(
                "GET",
                self.base_url + target,
                headers=[
                    ("Authorization", f"Bearer {self._key}"),
                    ("Accept", "application/json"),
                    ("Accept-Encoding", "identity"),
                    ("User-Agent", "Postcall"),
                ],
                extensions={"timeout": self._timeouts},
            ) as response:
                headers = {
                    name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
                }
                return response.status, headers, _whole(response.iter_stream())
        except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            if said := _certificate(error):
                raise CannotRead(f"{self.base_url} shows a certificate that is not to be trusted: {said}") from None
            return 0, {}, b""


def _check_address(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    plain = parts.scheme in ("http", "https") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if not host or not plain or any(letter <= " " for letter in base_url):
        raise CannotRead(f"{base_url!r} is no address such as {BASE_URL}")
    if parts.scheme == "http" and not _is_this_machine(host):
        raise CannotRead(f"{base_url} would get the key unencrypted: give an address that begins with https://")


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _rows(response: dict[str, Any], what: str) -> list[Any]:
    found = response.get(what)
    return found if isinstance(found, list) else []


def _whole(parts: Iterator[bytes]) -> bytes:
    read = bytearray()
    for part in parts:
        read += part
        if len(read) > MOST_BYTES:
            raise CannotRead("one answer is larger than 20 MiB: this is not Synthflow's API")
    return bytes(read)


def _answer(body: bytes) -> dict[str, Any]:
    try:
        said = read_json(body)
    except NotJson as error:
        raise CannotRead(
            f"the answer is {error}; the base address has to end with /v2, such as {BASE_URL}"
        ) from None
    if not isinstance(said, dict):
        raise CannotRead(f"the answer is no object; the base address has to end with /v2, such as {BASE_URL}")
    return said


def _refusal(status: int, target: str) -> CannotRead:
    where = target.partition("?")[0]
    if status == 401:
        return KeyRefused(
            "Synthflow does not know this key. A key of another region answers so, too: try "
            "--base-url https://api.eu.synthflow.ai/v2 or https://api.us.synthflow.ai/v2"
        )
    if status == 403:
        return KeyRefused(f"this key may not read {where} (403)")
    if status == 404:
        return NotThere(f"there is no {where} (404); the base address has to end with /v2, such as {BASE_URL}")
    if 300 <= status < 400:
        return CannotRead(
            f"{where} leads elsewhere ({status}), and the key is not sent there: give that --base-url"
        )
    return CannotRead(f"Synthflow answered {status} to {where}")


def _gave_up(status: int, base_url: str) -> str:
    if status == 429:
        return f"Synthflow still says 429, too many requests, after {TRIES} tries: run the same again in a while"
    if status:
        return f"Synthflow answered {status} {TRIES} times: run the same again later"
    return f"{base_url} did not answer {TRIES} times: is the address right, and is this machine online?"


def _pause(headers: dict[str, str], tried: int) -> float:
    """What the server asks for, else 1, 2, 4 … seconds."""
    asked = number(headers.get("retry-after"))
    return min(max(asked, 0.0) if asked is not None else 2.0**tried, LONGEST_WAIT_S)


def _certificate(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return ""
