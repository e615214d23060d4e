"""LiveKit: a JSON Web Token over the body's SHA-256, written out from RFC 7515 and LiveKit's page on webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from . import Platform

# As long as the server's own tokens hold.
VALID_S = 300
# The minute that LiveKit's libraries allow for clocks.
LEEWAY_S = 60


def _coded(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def token(body: bytes, at: float, auth: Mapping[str, Any], **changed: Any) -> str:
    claims = {
        "iss": auth["key"],
        "nbf": int(at),
        "exp": int(at) + VALID_S,
        "sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
    } | changed
    left = {name: value for name, value in claims.items() if value is not None}
    signed = _coded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()) + b"." + _coded(json.dumps(left).encode())
    return (signed + b"." + _coded(hmac.digest(auth["secret"].encode(), signed, "sha256"))).decode()


def sign(body: bytes, at: float, auth: Mapping[str, Any]) -> Mapping[str, str]:
    return {"authorization": token(body, at, auth)}


STARTED = 1772618400.0  # 2026-03-04T10:00:00Z


def message(role: str, text: str, at: float, **more: Any) -> dict[str, Any]:
    said = {"id": f"item_{at}", "type": "message", "role": role, "content": [text], "interrupted": False}
    return said | {"created_at": STARTED + at} | more


ITEMS = [
    message("system", "You are the front desk of Northgate Clinic.", 0),
    message("assistant", 'Northgate Clinic, <expr type="tone" label="warm"/>good morning.', 1),
    message("user", "A check-up on Tuesday, please.", 4.5),
    {
        "id": "item_3",
        "type": "function_call",
        "call_id": "call_1",
        "name": "create_booking",
        "arguments": '{"day": "Tuesday"}',
        "created_at": STARTED + 6,
        "extra": {},
    },
    {
        "id": "item_4",
        "type": "function_call_output",
        "name": "create_booking",
        "call_id": "call_1",
        "output": "{'reference': 'X1'}",  # a dict, as its library writes it
        "is_error": False,
        "created_at": STARTED + 7,
    },
    message("assistant", "Booked, your reference is X1.", 8),
]
REPORT = {
    "job_id": "AJ_1",
    "room_id": "call-1",
    "room": "call-_+14155550132_a1B2",
    "events": [{"type": "close", "error": None, "reason": "participant_disconnected", "created_at": STARTED + 20}],
    "options": {"allow_interruptions": True, "max_tool_steps": 3},
    "chat_history": {"items": ITEMS},
    "timestamp": STARTED + 20.5,
    "usage": None,
    "sdk_version": "1.8.9",
    "agent_name": "front-desk",
    "tags": ["lk.amd:human"],
    "duration_ms": 20500,
    "user_turns": 1,
    "errors": {"llm": 0, "stt": 1, "tts": 0, "realtime": 0, "interruption": 0},
    "close_reason": "CR_PARTICIPANT_DISCONNECTED",
}
CALLER = {
    "sip.callID": "SCL_1",
    "sip.callStatus": "hangup",
    "sip.phoneNumber": "+14155550132",
    "sip.ruleID": "SDR_1",
    "sip.trunkID": "ST_1",
    "sip.trunkPhoneNumber": "+14155550100",
}

PLATFORM = Platform(
    auth={"key": "APInorthgate", "secret": "a-secret-of-the-tests-only-0123456789"},
    other_auth={"key": "APIother", "secret": "another-secret-of-the-tests-0123456789"},
    body=json.dumps(
        {
            "event": "session_report",
            "report": REPORT,
            "caller": CALLER | {"plan": "gold"},
            "metadata": '{"customer_name": "Ann"}',
            "collected": {"day": "Tuesday"},
        }
    ).encode(),
    sign=sign,
    stale_s=VALID_S + LEEWAY_S + 30,
    needed=("authorization",),
)
