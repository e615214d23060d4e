"""Standard Webhooks as their sender makes them: by whose secret, under which name, at which moment."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook


def new_secret() -> str:
    """One that signs Standard Webhooks."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


def headers_of(name: str, at: datetime, body: bytes, by: Sequence[str]) -> dict[str, str]:
    """The headers of one try. `name` is the same at each try, by which the receiver knows the event; `at` is the
    try's moment, in UTC. Each secret of `by` signs: a receiver needs to know one of them."""
    return {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(name, at, body.decode()) for secret in by),
    }
