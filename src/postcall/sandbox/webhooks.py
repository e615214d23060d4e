"""Webhooks out: signed like Twilio's, tried again like Twilio's, and recorded.

The address is signed and requested without its fragment: a fragment never travels over HTTP, and Twilio uses
it for connection overrides (`#rc=3&rp=5xx,ct`), which are honoured here.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

import aiohttp
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK ships no types
from yarl import URL

KEPT = 10_000
RETRY_PAUSE_S = 0.1
CONNECTIONS = 50

_FAILURES = frozenset({"4xx", "5xx", "ct", "rt"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook as it went out. `status` is the answer's, None with an `error` where there was none."""

    url: str
    parameters: dict[str, str]
    signature: str | None
    status: int | None
    error: str | None
    tries: int
    at: float
    answer: str = ""

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Overrides:
    """How often and upon what a webhook is tried again, and its timeouts. The defaults are Twilio's."""

    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})
    connect_s: float = 5
    read_s: float = 15
    total_s: float = 15

    @classmethod
    def of(cls, fragment: str) -> Overrides:
        """Reads a fragment; what is not understood or out of range stays at the default."""
        given = {name: values[-1] for name, values in parse_qs(fragment).items()}
        policy = frozenset(given.get("rp", "ct").split(","))
        return cls(
            retries=int(_within(given.get("rc"), 0, 5, default=1)),
            retry_on=_FAILURES if "all" in policy else (policy & _FAILURES) or frozenset({"ct"}),
            connect_s=_within(given.get("ct"), 100, 10_000, default=5_000) / 1000,
            read_s=_within(given.get("rt"), 100, 15_000, default=15_000) / 1000,
            total_s=_within(given.get("tt"), 100, 15_000, default=15_000) / 1000,
        )


def _within(given: str | None, low: int, high: int, *, default: int) -> int:
    if given is None or not given.isdecimal() or not low <= int(given) <= high:
        return default
    return int(given)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One try: the answer's status or an error, and its kind (2xx…5xx, ct: no connection, rt: no answer)."""

    status: int | None
    error: str | None
    failure: str
    answer: str = ""


class Webhooks:
    """Posts webhooks. `token_of` gives the token that signs an account's requests."""

    def __init__(self, token_of: Callable[[str], str | None]) -> None:
        self._token_of = token_of
        self._session: aiohttp.ClientSession | None = None
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)

    async def post(self, url: str, parameters: Mapping[str, str], *, token: str | None = None) -> Delivery:
        """Posts the form, again where the address asks for it; `token` tells repetitions of one webhook."""
        address, _, fragment = url.partition("#")
        overrides = Overrides.of(fragment)
        form = dict(parameters)
        signature = self._sign(address, form)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
            "I-Twilio-Idempotency-Token": token or str(uuid.uuid4()),
        } | ({"X-Twilio-Signature": signature} if signature else {})
        outcome, tries = await self._tries(address, urlencode(form).encode(), headers, overrides)
        delivery = Delivery(
            address, form, signature, outcome.status, outcome.error, tries, time.time(), outcome.answer
        )
        self.deliveries.append(delivery)
        return delivery

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _sign(self, address: str, form: Mapping[str, str]) -> str | None:
        auth_token = self._token_of(form["AccountSid"])
        return None if auth_token is None else str(RequestValidator(auth_token).compute_signature(address, form))

    async def _tries(
        self, address: str, body: bytes, headers: Mapping[str, str], overrides: Overrides
    ) -> tuple[_Outcome, int]:
        """The outcome of the last try and how many there were."""
        deadline = time.monotonic() + overrides.total_s
        for tries in range(1, overrides.retries + 2):
            outcome = await self._try(address, body, headers, overrides, deadline - time.monotonic())
            if outcome.failure not in overrides.retry_on or time.monotonic() + RETRY_PAUSE_S >= deadline:
                break
            if tries <= overrides.retries:
                await asyncio.sleep(RETRY_PAUSE_S)
        return outcome, tries

    async def _try(
        self, address: str, body: bytes, headers: Mapping[str, str], overrides: Overrides, left: float
    ) -> _Outcome:
        timeout = aiohttp.ClientTimeout(total=left, sock_connect=overrides.connect_s, sock_read=overrides.read_s)
        try:
            async with self._client().post(
                URL(address, encoded=True), data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                answer = (await response.read())[:4096].decode(errors="replace")
                return _Outcome(response.status, None, f"{response.status // 100}xx", answer)
        except aiohttp.ConnectionTimeoutError as error:
            return _Outcome(None, _named(error), "ct")
        except TimeoutError as error:
            return _Outcome(None, _named(error), "rt")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Refused, reset, closed without an answer: a connection that failed.
            return _Outcome(None, _named(error), "ct")

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Servers close idle connections after 5 s and more; a shorter life here avoids losing the race.
            connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=2)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
