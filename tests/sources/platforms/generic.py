"""Standard Webhooks, signed by their own library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from . import Platform


def sign(body: bytes, at: float, auth: Mapping[str, Any]) -> Mapping[str, str]:
    moment = datetime.fromtimestamp(at, UTC)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at)),
        "webhook-signature": Webhook(auth["secret"]).sign("msg_1", moment, body.decode("utf-8", "replace")),
    }


PLATFORM = Platform(
    auth={"secret": "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="},
    other_auth={"secret": "whsec_" + "WllYV1ZVVFNSUVBPTk1MS0pJSEdGRURDQkE="},
    body=json.dumps(
        {
            "type": "call.ended",
            "timestamp": "2026-03-04T10:00:00Z",
            "data": {"external_id": "call-1", "agent": "front", "customer_number": "+14155550132"},
        }
    ).encode(),
    sign=sign,
    stale_s=330,
    needed=("webhook-id", "webhook-timestamp", "webhook-signature"),
)
