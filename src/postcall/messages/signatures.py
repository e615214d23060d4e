"""Whether Twilio itself sent a webhook."""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlparse

from twilio.request_validator import (  # type: ignore[import-untyped]  # the SDK ships no types
    RequestValidator,
    add_port,
    get_signature_algorithm,
    remove_port,
)

from postcall.config import config
from postcall.messages.addresses import INSIST
from postcall.messages.models import Account

SIGNATURE = "x-twilio-signature"
SETTINGS = "x-twilio-webhooks-signature-settings"


class WebhookError(Exception):
    """A webhook of Twilio's that is not taken.

    WebhookError
      ├─ UnknownAddress   nobody was given this address
      └─ BadSignature     it was not signed by the account that the address was given to
    """


class UnknownAddress(WebhookError):
    pass


class BadSignature(WebhookError):
    pass


class Params:
    """A form's fields, repeated ones and empty ones too, as the SDK's validator reads them."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in pairs:
            self._values[name].append(value)

    def __iter__(self):  # type: ignore[no-untyped-def]  # the names
        return iter(self._values)

    def __bool__(self) -> bool:
        return bool(self._values)

    def getall(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def get(self, name: str, default: str = "") -> str:
        """The last value, as a form's reader takes it."""
        values = self._values.get(name)
        return values[-1] if values else default


def _auth_tokens(account: Account) -> Iterator[str]:
    """The version's own, then those that its owner saved for the same account before or since: Twilio signs with
    the present one, also what goes to an address that it was given under an older one."""
    yield account.auth_token
    versions = Account.objects.filter(workspace=account.workspace_id, account_sid=account.account_sid)
    for other in versions.exclude(pk=account.pk).order_by("-id"):
        if other.auth_token != account.auth_token:
            yield other.auth_token


def _is_signed(auth_token: str, url: str, params: Params, signature: str, algorithm: str) -> bool:
    """As the SDK's `validate`, whose own comparison does not take the same time for every signature.

    Twilio signs the address with its port or without.
    """
    validator, parts = RequestValidator(auth_token), urlparse(url)
    try:
        portless, whole = (
            validator.compute_signature(form(parts), params, algorithm).encode() for form in (remove_port, add_port)
        )
    except ValueError:  # an algorithm that there is not
        return False
    given = signature.encode()
    return hmac.compare_digest(portless, given) | hmac.compare_digest(whole, given)


def verify(account: Account, path: str, params: Params, headers: Mapping[str, str]) -> None:
    """Raises BadSignature unless the account's auth token signed this form for this address.

    `path` is the raw path with its raw query, as it was requested; the address before it is the configured one,
    never one rebuilt from headers. Twilio does not say whether the fragment of an address is signed, so both
    ways count.
    """
    given = {name.lower(): value for name, value in headers.items()}
    signature = given.get(SIGNATURE, "")
    if not signature:
        raise BadSignature("the request carries no X-Twilio-Signature")
    if params.get("AccountSid") != account.account_sid:
        raise BadSignature("the request speaks of another Twilio account")
    algorithm = get_signature_algorithm(given.get(SETTINGS))
    url = config().base_url + path
    if not any(
        _is_signed(auth_token, address, params, signature, algorithm)
        for auth_token in _auth_tokens(account)
        for address in (url, url + INSIST)
    ):
        raise BadSignature(
            f"the signature does not fit: is {config().base_url} the address that Twilio was given, "
            "and the auth token the account's primary one?"
        )
