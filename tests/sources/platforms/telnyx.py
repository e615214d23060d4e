"""Telnyx, signed as its documentation says: Ed25519 over the timestamp, a bar and the body."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import Platform


def private_key(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def auth_of(key: Ed25519PrivateKey) -> dict[str, str]:
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"secret": base64.b64encode(public).decode()}


KEYS = {auth_of(private_key(number))["secret"]: private_key(number) for number in (1, 2)}


def sign(body: bytes, at: float, auth: Mapping[str, Any]) -> Mapping[str, str]:
    signature = KEYS[auth["secret"]].sign(f"{int(at)}|".encode() + body)
    return {
        "telnyx-signature-ed25519": base64.b64encode(signature).decode(),
        "telnyx-timestamp": str(int(at)),
    }


def event(what: str, payload: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """One event in Telnyx's envelope."""
    data = {
        "record_type": "event",
        "event_type": what,
        "id": "0b2f6a60-0000-4000-8000-000000000001",
        "occurred_at": "2026-03-04T10:01:30.500000Z",
        "payload": payload,
    }
    return {
        "data": data | fields,
        "meta": {"attempt": 1, "delivered_to": "https://postcall.example/in/telnyx/token"},
    }


IDS = {"call_control_id": "v3:control-1", "call_leg_id": "leg-1", "call_session_id": "session-1"}

ENDED: dict[str, Any] = {
    "assistant_id": "assistant-front-desk",
    **IDS,
    "calling_party_type": "pstn",
    "client_state": base64.b64encode(b'{"plan": {"name": "family"}}').decode(),
    "connection_id": "2694490000000000000",
    "conversation_id": "call-1",
    "duration_sec": 90,
    "from": "+14155550132",
    "to": "+14155550100",
    "reason": None,
    "llm_model": "openai/gpt-4o",
    "stt_model": "deepgram/nova-3",
    "tts_provider": "telnyx",
    "messages": [
        {"role": "system", "content": "You answer for Northgate Clinic."},
        {"role": "assistant", "content": "Northgate Clinic, hello.", "timestamp": "2026-03-04T10:00:01.000000Z"},
        {"role": "user", "content": "A cleaning on Thursday?", "timestamp": "2026-03-04T10:00:05.250000Z"},
        {
            "role": "assistant",
            "content": None,
            "timestamp": "2026-03-04T10:00:07.000000Z",
            "tool_calls": [
                {
                    "id": "tool-1",
                    "type": "function",
                    "function": {"name": "create_booking", "arguments": '{"day": "Thursday"}'},
                }
            ],
        },
        {
            "role": "tool",
            "content": '{"reference": "X1"}',
            "tool_call_id": "tool-1",
            "timestamp": "2026-03-04T10:00:08.000000Z",
        },
        {"role": "assistant", "content": "Thursday at two, X1.", "timestamp": "2026-03-04T10:00:10.000000Z"},
    ],
}

PLATFORM = Platform(
    auth=auth_of(private_key(1)),
    other_auth=auth_of(private_key(2)),
    body=json.dumps(event("call.conversation.ended", ENDED)).encode(),
    sign=sign,
    stale_s=330,
    needed=("telnyx-signature-ed25519", "telnyx-timestamp"),
)
