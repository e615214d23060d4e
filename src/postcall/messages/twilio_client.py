"""The only place that talks to Twilio. What can come of a request is mapped here, once, to our own types:

Accepted     Twilio has the message
Refused      Twilio said no: surely nothing was sent
NotReached   it failed before the request was written: surely nothing was sent
Ambiguous    anything else: it may have been sent
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from ssl import SSLCertVerificationError
from typing import Any, Final, TypeVar
from uuid import UUID

import requests
from django.db import DatabaseError, InterfaceError
from requests.adapters import HTTPAdapter
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]  # the SDK ships no types
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]  # the SDK ships no types
from twilio.rest import Client  # type: ignore[import-untyped]  # the SDK ships no types
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError, SSLError

from postcall.followups.handing import Sender
from postcall.messages.accounts import SANDBOX_URL
from postcall.messages.errors import sent_nothing
from postcall.messages.models import Account
from postcall.pace import paced
from postcall.work import clock

# Seconds to connect, and to wait for each part of the answer. Twilio may take 26 s to give up by itself.
TIMEOUT_S: tuple[float, float] = (paced(5), paced(30))
IN_FLIGHT = 20
PAGE_SIZE = 1000
MIN_VALIDITY_S, MAX_VALIDITY_S = 5, 36_000

_SDK_WORDS = tuple(f"Unable to {verb} record: " for verb in ("create", "fetch", "update", "delete"))
_BAD_SCHEME = requests.exceptions.MissingSchema | requests.exceptions.InvalidSchema

_Answer = TypeVar("_Answer")

_slots = threading.BoundedSemaphore(IN_FLIGHT)


@dataclass(frozen=True)
class RemoteMessage:
    """A message as Twilio shows it."""

    sid: str
    status: str
    to: str
    body: str
    direction: str
    created_at: datetime | None
    error_code: int | None = None
    error_message: str = ""
    price: Decimal | None = None
    price_unit: str = ""
    segments: int | None = None
    from_number: str = ""


@dataclass(frozen=True)
class Accepted:
    message: RemoteMessage


@dataclass(frozen=True)
class Refused:
    """`status` is HTTP's, `code` Twilio's, where it gave one. `retry_after_s` is what it asked to wait."""

    status: int
    code: int | None
    message: str
    retry_after_s: float | None = None


@dataclass(frozen=True)
class NotReached:
    why: str


@dataclass(frozen=True)
class Ambiguous:
    why: str


Outcome = Accepted | Refused | NotReached | Ambiguous


@dataclass(frozen=True)
class Listing:
    """All messages to one number; `twilio_time` is Twilio's clock when it answered, and `ahead_s` how many seconds
    that was ahead of ours."""

    messages: tuple[RemoteMessage, ...]
    twilio_time: datetime | None
    ahead_s: float | None = None


@dataclass(frozen=True)
class Unread:
    """A question that was not answered. `gone`: Twilio has no such message (any more). `denied`: it does not take
    the account's credentials, which never change: asking again is useless."""

    why: str
    gone: bool = False
    denied: bool = False


class _TooLate(Exception):
    """The request was not written: its time was over."""


_begins = threading.local()
"""Of each thread: what is asked before its request is written."""


class _Fenced:
    """A connection that asks once more when it stands and nothing is left to do but write: preparing a request and
    connecting take long on a busy machine, and a process may be stopped meanwhile."""

    sock: Any

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]  # the connection's, to which this is added
        may_begin = getattr(_begins, "may", None)
        if may_begin is not None and not may_begin():
            raise _TooLate
        super().send(data)  # type: ignore[misc]  # as above


class _HttpConnection(_Fenced, HTTPConnection):
    pass


class _HttpsConnection(_Fenced, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


class _Adapter(HTTPAdapter):
    """Whose connections are fenced."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _fence(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return _fence(super().proxy_manager_for(*args, **kwargs))


def _fence(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return manager


class _Http(TwilioHttpClient):  # type: ignore[misc]  # the SDK ships no types
    """Keeps each thread's last response: the SDK's exceptions do not carry headers. And how far Twilio's clock was
    ahead of ours when it answered last; None: not known yet."""

    ahead_s: float | None = None

    def __init__(self, base: str, *, heed_proxies: bool) -> None:
        super().__init__(max_retries=0)
        self._base = f"{base.rstrip('/')}/"
        self.session.trust_env = heed_proxies
        # The SDK's constructor compares the timeout with a number; its requests take a pair.
        self.timeout = TIMEOUT_S
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, _Adapter(pool_maxsize=IN_FLIGHT, max_retries=0))
        self._last = threading.local()

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        """Goes nowhere but to the account's own address, wherever an answer says that its next page is."""
        self._last.response = None
        if not url.startswith(self._base):
            raise requests.exceptions.InvalidURL("not under the account's own address")
        self._last.response = super().request(method, url, *args, **kwargs)
        self.ahead_s = _ahead_s(_date(self.headers))
        return self._last.response

    @property
    def headers(self) -> dict[str, str]:
        response = getattr(self._last, "response", None)
        return {} if response is None else response.headers or {}

    @property
    def status(self) -> int | None:
        response = getattr(self._last, "response", None)
        return None if response is None else response.status_code


_TOO_SLOW: Final = NotReached("The worker was too slow to begin in time.")

_clients: dict[tuple[UUID, str], Client] = {}
_clients_lock = threading.Lock()


def create(
    account: Account,
    *,
    to: str,
    sender: Sender,
    body: str,
    status_callback: str | None,
    valid_for_s: float,
    may_begin: Callable[[], bool],
) -> Outcome:
    """Hands one text to Twilio. `may_begin` is asked before the request is made, and again before each part of it
    is written: False, and it is not. Twilio makes no text of a request without its end."""
    client = _client(account)
    if client is None:
        return NotReached("The sandbox is not running.")
    given = {
        "to": to,
        "body": body,
        "from_": sender.from_number or None,
        "messaging_service_sid": sender.messaging_service_sid or None,
        "status_callback": status_callback,
        "validity_period": max(MIN_VALIDITY_S, min(MAX_VALIDITY_S, int(valid_for_s))),
    }
    with _slots:
        if not may_begin():
            return _TOO_SLOW
        _begins.may = may_begin
        try:
            instance = client.messages.create(**{name: value for name, value in given.items() if value is not None})
        except _TooLate:
            return _TOO_SLOW
        except TwilioException as error:
            return _refusal(error, client.http_client.headers)
        except requests.RequestException as error:
            return NotReached(_named(error)) if _surely_unwritten(error) else Ambiguous(_named(error))
        except (ValueError, TypeError, AttributeError) as error:
            return Ambiguous(f"Twilio's answer is unreadable ({_named(error)}).")
        finally:
            _begins.may = None
        message = _read(instance)
        if not is_sid(message.sid):
            return Ambiguous("Twilio's answer names no message.")
        return Accepted(message)


def ahead_s(account: Account) -> float | None:
    """How many seconds Twilio's clock was ahead of ours when it last answered this process about the account;
    None: not known."""
    client = _client(account)
    return None if client is None else client.http_client.ahead_s


def fetch(account: Account, sid: str) -> RemoteMessage | Unread:
    """The message as it is now."""
    return _ask(account, lambda client: _read(client.messages(sid).fetch()))


def list_to(account: Account, to: str) -> Listing | Unread:
    """Every message of the account to the number, all pages of them.

    Not filtered by date: a message has no sending date until it was sent.
    """
    return _list(account, to=to)


def list_from(account: Account, number: str) -> Listing | Unread:
    """Every message of the account from the number, which texted one of the account's own."""
    return _list(account, from_=number)


def _list(account: Account, **numbers: str) -> Listing | Unread:
    def ask(client: Client) -> Listing:
        page = client.messages.page(**numbers, page_size=PAGE_SIZE)
        twilio_time = _date(client.http_client.headers)
        messages = tuple(_read(instance) for instance in _instances(page))
        return Listing(messages, twilio_time, _ahead_s(twilio_time))

    return _ask(account, ask)


def erase(account: Account, sid: str) -> Unread | None:
    """Takes a text out of Twilio: its words first, then its whole record with the number. None: it is gone.

    Twilio refuses while it has not passed the text on yet. May be asked again.
    """

    def ask(client: Client) -> None:
        client.messages(sid).update(body="")
        client.messages(sid).delete()

    answer = _ask(account, ask)
    return None if answer is None or answer.gone else answer


@dataclass(frozen=True)
class Looked:
    """What Twilio answered to a look at something of the account's; `body` is its JSON, empty where it was none."""

    status: int
    body: dict[str, Any]


def look(
    account: Account, path: str, *, of_messaging: bool = False, by_token: bool = False, **query: str
) -> Looked | Unread:
    """Reads what changes nothing. `of_messaging`: it stands at Twilio's address for messaging services. `by_token`:
    asks with the auth token also where the account has an API key, which may not see everything."""

    def ask(client: Client) -> Looked:
        base = _messaging_base(client.api.base_url) if of_messaging else client.api.base_url
        auth = (account.account_sid, account.auth_token) if by_token else None
        response = client.request("GET", f"{base}{path}", params=query, auth=auth)
        return Looked(response.status_code, _object(response.text))

    return _ask(account, ask)


def _messaging_base(base: str) -> str:
    """Twilio's messaging services stand beside its API, in the same region; a stand-in has one address for both."""
    head, _, host = base.partition("://")
    is_twilios = host.startswith("api.") and host.endswith("twilio.com")
    return f"{head}://messaging.{host.removeprefix('api.')}" if is_twilios else base


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def forget_client(account: Account) -> None:
    """Closes the connections of an account that is not kept."""
    with _clients_lock:
        for key in [key for key in _clients if key[0] == account.pk]:
            _clients.pop(key).http_client.session.close()


def forget_clients() -> None:
    """Closes every connection; the next request makes a new client."""
    with _clients_lock:
        for client in _clients.values():
            client.http_client.session.close()
        _clients.clear()


def _instances(page: Any) -> Iterator[Any]:
    while page is not None:
        yield from page
        page = page.next_page()


def _ask(account: Account, question: Callable[[Client], _Answer]) -> _Answer | Unread:
    """Asks what changes nothing, or may be asked twice; every failure is the same: no answer."""
    client = _client(account)
    if client is None:
        return Unread("The sandbox is not running.")
    with _slots:
        try:
            return question(client)
        except TwilioException as error:
            # Of a page of a list the SDK's exception carries the response as text alone.
            status = getattr(error, "status", None) or client.http_client.status
            why = _said(error) if hasattr(error, "status") else f"HTTP {status}"
            return Unread(why, gone=status == 404, denied=status == 401)
        except (requests.RequestException, ValueError, TypeError, AttributeError, KeyError) as error:
            return Unread(_named(error))


def _client(account: Account) -> Client | None:
    """The account's own client, made once a process; None for the sandbox while there is none."""
    url = os.environ.get("POSTCALL_SANDBOX_URL", "") if account.api_url == SANDBOX_URL else account.api_url
    if not url:
        return None
    with _clients_lock:
        client = _clients.get((account.pk, url))
        if client is None:
            user, secret = (
                (account.api_key_sid, account.api_key_secret)
                if account.api_key_sid
                else (account.account_sid, account.auth_token)
            )
            http = _Http(url, heed_proxies=account.api_url != SANDBOX_URL)
            # An environment of nothing: TWILIO_EDGE and TWILIO_REGION would rewrite our address.
            client = Client(user, secret, account.account_sid, http_client=http, environment={"_": ""})
            client.api.base_url = url
            _clients[account.pk, url] = client
    return client


def _refusal(error: Any, headers: Mapping[str, str]) -> Outcome:
    status, code = getattr(error, "status", None), getattr(error, "code", None)
    if not isinstance(status, int) or not sent_nothing(status, code if isinstance(code, int) else None):
        return Ambiguous(_said(error))
    return Refused(status, code if isinstance(code, int) else None, _said(error), _retry_after(headers))


def _said(error: Any) -> str:
    """Twilio's own words, without what the SDK puts around them."""
    words = getattr(error, "msg", None) or getattr(error, "detail", None) or getattr(error, "title", None)
    for prefix in _SDK_WORDS:
        words = str(words or error).removeprefix(prefix)
    return str(words)


def _surely_unwritten(error: requests.RequestException) -> bool:
    """Whether the failure came before the request was written.

    A kept-alive connection that was closed meanwhile is not such a case: when it broke cannot be known.
    """
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidHeader | _BAD_SCHEME):
        return True
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    cause: BaseException | None = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    if isinstance(reason, NewConnectionError | ConnectTimeoutError | ProxyError):
        return True  # urllib3 names the proxy only while it has not connected through it
    # A certificate is looked at before anything is sent.
    return isinstance(reason, SSLError) and any(isinstance(arg, SSLCertVerificationError) for arg in reason.args)


def _named(error: Exception) -> str:
    """The kind of failure alone: its text may hold the address with a number in it."""
    return type(error).__name__


def _retry_after(headers: Mapping[str, str]) -> float | None:
    given = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    try:
        return max(0.0, float(given))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _date(headers: Mapping[str, str]) -> datetime | None:
    given = {name.lower(): value for name, value in headers.items()}.get("date", "")
    try:
        at = parsedate_to_datetime(given)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _ahead_s(twilio_time: datetime | None) -> float | None:
    """None without a time, or while the database, whose clock is ours, does not answer."""
    try:
        return None if twilio_time is None else (twilio_time - clock.now()).total_seconds()
    except (DatabaseError, InterfaceError):
        return None


def _read(instance: Any) -> RemoteMessage:
    return RemoteMessage(
        sid=instance.sid or "",
        status=instance.status or "",
        to=instance.to or "",
        body=instance.body or "",
        direction=instance.direction or "",
        created_at=instance.date_created,
        error_code=instance.error_code if isinstance(instance.error_code, int) else None,
        error_message=instance.error_message or "",
        price=_decimal(instance.price),
        price_unit=(instance.price_unit or "")[:3].upper(),
        segments=int(instance.num_segments) if re.fullmatch(r"\d{1,3}", str(instance.num_segments)) else None,
        from_number=instance.from_ or "",
    )


def is_sid(text: str) -> bool:
    """Whether it has the shape of a message's SID: SM or MM, and 32 hexadecimal digits."""
    return re.fullmatch(r"[A-Z]{2}[0-9a-fA-F]{32}", text) is not None


def _decimal(given: Any) -> Decimal | None:
    try:
        price = None if given is None else Decimal(str(given))
    except InvalidOperation:
        return None
    return price if price is not None and price.is_finite() and abs(price) < 100_000 else None
