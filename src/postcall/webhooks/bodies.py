"""An event as its receiver reads it: {"type", "timestamp", "data"}, the same bytes at each try."""

from __future__ import annotations

import json
from typing import Any, Final

from postcall.messages.errors import explain
from postcall.webhooks.models import WebhookEndpoint, WebhookEvent

# The convention asks for less than about 20 kB. A text has 1,600 characters at most, so only a name can be endless.
MOST_BYTES: Final = 20_000
_LONGEST_VALUE: Final = 500


def name_of(event: WebhookEvent) -> str:
    """The `webhook-id`: constant over tries and replays. It must hold no full stop."""
    return f"evt_{event.pk.hex}"


def body_of(event: WebhookEvent, endpoint: WebhookEndpoint) -> bytes:
    data = _data(event, endpoint)
    body = _json(event, data)
    return body if len(body) < MOST_BYTES else _json(event, _cut(data))


def _data(event: WebhookEvent, endpoint: WebhookEndpoint) -> dict[str, Any]:
    data = {**event.data, "workspace_id": str(event.workspace_id)}
    if not endpoint.with_text:
        data.pop("body", None)
    if error := data.get("error"):
        known = explain(error["code"], error["said"])
        data["error"] = {"code": error["code"], "message": known.message, "fix": known.fix}
    return data


def _json(event: WebhookEvent, data: dict[str, Any]) -> bytes:
    content = {"type": event.type, "timestamp": event.at.isoformat().replace("+00:00", "Z"), "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cut(each) for name, each in value.items()}
    return value[:_LONGEST_VALUE] if isinstance(value, str) else value
