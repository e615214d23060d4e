"""How Twilio writes things: the message resource, a page of them, dates, SIDs, headers."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote, urlencode

from postcall.sandbox.errors import DELIVERY_ERRORS
from postcall.sandbox.message import Message

API_VERSION = "2010-04-01"


def new_sid(prefix: str) -> str:
    return prefix + uuid.uuid4().hex


def date(at: float | None) -> str | None:
    """RFC 2822 in UTC, whole seconds."""
    return None if at is None else format_datetime(datetime.fromtimestamp(int(at), UTC))


def account_path(account_sid: str) -> str:
    return f"/{API_VERSION}/Accounts/{account_sid}"


def message_resource(message: Message) -> dict[str, object]:
    """The Message resource. Numbers are strings; a pooled sender and its segments show once it was chosen."""
    path = f"{account_path(message.account_sid)}/Messages/{message.sid}"
    unassigned = message.messaging_service_sid is not None and message.status in ("accepted", "scheduled")
    error = None if message.error_code is None else DELIVERY_ERRORS.get(message.error_code)
    return {
        "account_sid": message.account_sid,
        "api_version": API_VERSION,
        "body": message.body,
        "date_created": date(message.created_at),
        "date_sent": date(message.sent_at),
        "date_updated": date(message.updated_at),
        "direction": message.direction,
        "error_code": message.error_code,
        "error_message": error,
        "from": message.from_number,
        "messaging_service_sid": message.messaging_service_sid,
        "num_media": "0",
        "num_segments": "0" if unassigned else str(message.segments),
        "price": message.price,
        "price_unit": None if message.price is None else "USD",
        "sid": message.sid,
        "status": message.status,
        "subresource_uris": {"media": f"{path}/Media.json"},
        "to": message.to,
        "uri": f"{path}.json",
    }


def page_uri(path: str, filters: dict[str, str], *, size: int, page: int, token: str | None = None) -> str:
    query = {**filters, "PageSize": str(size), "Page": str(page)} | ({"PageToken": token} if token else {})
    return f"{path}?{urlencode(query, quote_via=quote)}"


def answer_headers() -> dict[str, str]:
    return {
        "Twilio-Request-Id": new_sid("RQ"),
        "Twilio-Concurrent-Requests": "1",
        "X-API-Domain": "api.twilio.com",
    }
