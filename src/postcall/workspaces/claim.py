"""The link by which an instance without people becomes somebody's. Needs no database and no Django."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence


def token_of(secret_key: str, workspace_id: str) -> str:
    """The same for every process of the instance, which is how each of them can print the link; nobody without
    the secret key has it, and another instance's does not fit. It opens nothing once there is a person."""
    told = hmac.new(secret_key.encode(), f"postcall set-up {workspace_id}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(told.digest()).decode().rstrip("=")


def fits(token: str, secret_keys: Sequence[str], workspace_id: str) -> bool:
    given = token.encode()
    return any(hmac.compare_digest(given, token_of(key, workspace_id).encode()) for key in secret_keys)
