"""Who may ask, and with which token an account's callbacks are signed."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from postcall.sandbox.errors import Refusal
from postcall.sandbox.store import Store

_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_KEY_SID = re.compile(r"SK[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Account:
    """A Twilio account that the stand-in knows. `api_keys` are secrets by key SID (SK…).

    `status` and `type` are Twilio's words (active, suspended, closed; Full, Trial). `test`: its token is that of
    test credentials, with which nothing can be looked at. `numbers` says of each of its numbers whether it can send
    texts, `services` which senders each of its messaging services has; None: whatever it is asked for.
    """

    sid: str
    auth_token: str = field(repr=False)
    api_keys: dict[str, str] = field(default_factory=dict, repr=False)
    status: str = "active"
    type: str = "Full"
    test: bool = False
    numbers: dict[str, bool] | None = None
    services: dict[str, tuple[str, ...]] | None = None


class Accounts:
    """Fixed accounts, or, when none are given, any well-formed account SID with any token.

    An open stand-in signs an account's callbacks with the first token the account came with. An API key does
    not tell that token, so it is refused until the account was seen with it.
    """

    def __init__(self, accounts: Iterable[Account], store: Store) -> None:
        self._fixed = {account.sid: account for account in accounts}
        self._store = store
        self._seen: set[str] = set()

    def token_of(self, account_sid: str) -> str | None:
        """The auth token that signs the account's callbacks, when it is known."""
        if account := self._fixed.get(account_sid):
            return account.auth_token
        return self._store.token_of(account_sid)

    def known(self, account_sid: str) -> Account:
        """The account as it was given; of an open stand-in one that has everything."""
        return self._fixed.get(account_sid) or Account(account_sid, self._store.token_of(account_sid) or "")

    def check(self, authorization: str | None, account_sid: str | None = None) -> str:
        """The account that a request speaks for; `account_sid` is the one in its path, where there is one.

        Raises Refusal 20003.
        """
        user, secret = _basic(authorization)
        asked = account_sid or (user if user.startswith("AC") else self._owner_of(user))
        if not _ACCOUNT_SID.fullmatch(asked):
            raise Refusal(20003, "the account SID is not AC and 32 hexadecimal digits")
        if not secret:
            raise Refusal(20003, "the auth token or key secret is empty")
        if self._fixed:
            self._check_fixed(asked, user, secret)
        else:
            self._check_open(asked, user, secret)
        return asked

    def _owner_of(self, key_sid: str) -> str:
        for account in self._fixed.values():
            if key_sid in account.api_keys:
                return account.sid
        raise Refusal(20003, "unknown API key")

    def _check_fixed(self, account_sid: str, user: str, secret: str) -> None:
        account = self._fixed.get(account_sid)
        if account is None:
            raise Refusal(20003)
        known = account.auth_token if user == account.sid else account.api_keys.get(user)
        if known is None or not hmac.compare_digest(known.encode(), secret.encode()):
            raise Refusal(20003)

    def _check_open(self, account_sid: str, user: str, secret: str) -> None:
        if user == account_sid:
            self._remember(account_sid, secret)
            return
        if not _KEY_SID.fullmatch(user):
            raise Refusal(20003, "the user is neither this account nor an API key")
        if self._store.token_of(account_sid) is None:
            raise Refusal(20003, f"the auth token of {account_sid} is not known yet; use it once before an API key")

    def _remember(self, account_sid: str, auth_token: str) -> None:
        if account_sid not in self._seen:
            self._store.remember_token(account_sid, auth_token)
            self._seen.add(account_sid)


def _basic(authorization: str | None) -> tuple[str, str]:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        raise Refusal(20003, "HTTP Basic credentials are missing")
    try:
        user, separator, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refusal(20003, "HTTP Basic credentials are unreadable") from None
    if not separator:
        raise Refusal(20003, "HTTP Basic credentials are unreadable")
    return user, secret
