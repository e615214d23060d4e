"""Vapi, by an HMAC credential as it is when nothing about it was changed."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from . import Platform

START_MS = 1772618400000
BOOKING = {"name": "create_booking", "arguments": '{"day": "Thursday"}'}
BOOKED = '{"reference": "N-117"}'


def said(role: str, text: str, at_s: float) -> dict[str, Any]:
    time = START_MS + at_s * 1000
    return {"role": role, "message": text, "time": time, "endTime": time + 900, "secondsFromStart": at_s}


MESSAGE: dict[str, Any] = {
    "type": "end-of-call-report",
    "timestamp": 1772618520000,
    "endedReason": "customer-ended-call",
    "startedAt": "2026-03-04T10:00:00.000Z",
    "endedAt": "2026-03-04T10:01:52.500Z",
    "cost": 0.0831,
    "analysis": {
        "summary": "Ann booked a cleaning.",
        "successEvaluation": "true",
        "structuredData": {"mood": "glad", "service": "check-up"},
    },
    "artifact": {
        "messages": [
            said("system", "You are the front desk. If voicemail is detected, hang up.", 0),
            said("bot", "Northgate Clinic, how can I help?", 1.2),
            said("user", "A cleaning on Thursday, please.", 4.5),
            said("tool_calls", "", 7.25) | {"toolCalls": [{"id": "tc-1", "type": "function", "function": BOOKING}]},
            {"role": "tool_call_result", "toolCallId": "tc-1", "name": "create_booking", "result": BOOKED}
            | {"time": START_MS + 8500, "secondsFromStart": 8.5},
            said("bot", "Thursday at two it is.", 9.75),
        ],
        "messagesOpenAIFormatted": [
            {"role": "system", "content": "You are the front desk."},
            {"role": "assistant", "content": "Northgate Clinic, how can I help?"},
        ],
        "transcript": "AI: Northgate Clinic, how can I help?\nUser: A cleaning on Thursday, please.\n",
        "recordingUrl": "https://recordings.example/call-1.wav",
        "variableValues": {
            "now": "Mar 4, 2026, 10:00 AM UTC",
            "date": "Mar 4, 2026",
            "customer": {"number": "+14155550132"},
            "plan": "gold",
            "slot": "Thursday at two",
        },
        "structuredOutputs": {
            "0b7e": {"name": "Service", "result": {"kind": "cleaning"}},
            "1c2d": {"name": "Rating", "result": None},
        },
    },
    "call": {
        "id": "call-1",
        "orgId": "org-1",
        "createdAt": "2026-03-04T09:59:58.000Z",
        "updatedAt": "2026-03-04T10:00:00.000Z",
        "type": "inboundPhoneCall",
        "status": "queued",
        "assistantId": "asst-1",
        "phoneCallProvider": "twilio",
        "assistantOverrides": {"variableValues": {"plan": "gold"}, "metadata": {"crm": "77"}},
    },
    "assistant": {"id": "asst-1", "name": "Front desk"},
    "customer": {"number": "+14155550132", "name": "Ann", "externalId": "p-9"},
    "phoneNumber": {"id": "pn-1", "number": "+14155550100"},
}


def sign(body: bytes, at: float, auth: Mapping[str, Any]) -> Mapping[str, str]:
    stamp = str(int(at))
    digest = hmac.new(auth["secret"].encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"x-timestamp": stamp, "x-signature": digest}


PLATFORM = Platform(
    auth={"secret": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="},
    other_auth={"secret": "WllYV1ZVVFNSUVBPTk1MS0pJSEdGRURDQkE="},
    body=json.dumps({"message": MESSAGE}).encode(),
    sign=sign,
    stale_s=330,
    needed=("x-signature", "x-timestamp"),
)
