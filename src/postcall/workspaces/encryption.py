"""Secrets at rest: encrypted with the newest of POSTCALL_SECRET_KEY's keys, readable with any of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class CannotDecrypt(Exception):
    """A stored secret was encrypted with a key that POSTCALL_SECRET_KEY no longer names."""


def _fernet_key(secret: str) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(b"postcall secrets at rest", secret.encode(), hashlib.sha256))


@cache
def _fernets(keys: tuple[str, ...]) -> tuple[Fernet, ...]:
    return tuple(Fernet(_fernet_key(key)) for key in keys)


def _keys() -> tuple[Fernet, ...]:
    """The newest first."""
    return _fernets((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


def _fernet() -> MultiFernet:
    return MultiFernet(_keys())


def encrypt(plain: str) -> str:
    return _fernet().encrypt(plain.encode()).decode()


def decrypt(stored: str) -> str:
    """Raises CannotDecrypt when no present key made it."""
    try:
        return _fernet().decrypt(stored.encode()).decode()
    except InvalidToken:
        raise CannotDecrypt(
            "a stored secret cannot be read: put the POSTCALL_SECRET_KEY that encrypted it back, after a comma"
        ) from None


def is_by_newest(stored: str) -> bool:
    """Whether the newest key alone opens it."""
    try:
        _keys()[0].decrypt(stored.encode())
    except InvalidToken:
        return False
    return True


if TYPE_CHECKING:
    _TextField = models.TextField[str, str]
else:
    _TextField = models.TextField  # Django's fields take type arguments in the stubs only


class EncryptedField(_TextField):
    """Text that is encrypted in its column and plain in Python; empty stays empty. Not for searching."""

    def get_prep_value(self, value: Any) -> Any:
        return encrypt(value) if value else value

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return decrypt(value) if value else value
