"""Bland: the hex HMAC-SHA256 of the body; no time is signed. Written out from the sample in its documentation."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from . import Platform

EVENT: dict[str, Any] = {
    "call_id": "call-1",
    "c_id": "call-1",
    "call_length": 0.75,
    "corrected_duration": "46",
    "batch_id": None,
    "to": "+14155550132",
    "from": "+14155550100",
    "inbound": False,
    "completed": True,
    "status": "completed",
    "queue_status": "complete",
    "created_at": "2026-03-04T09:59:50.025251+00:00",
    "started_at": "2026-03-04T10:00:00+00:00",
    "end_at": "2026-03-04T10:30:00.000Z",
    "max_duration": 30,
    "error_message": None,
    "answered_by": "human",
    "call_ended_by": "ASSISTANT",
    "record": False,
    "recording_url": None,
    "price": 0.068,
    "pathway_id": "pathway_bookings",
    "pathway_logs": None,
    "pathway_tags": [{"name": "Booked"}],
    "disposition_tag": "BOOKED",
    "summary": "Ann booked an appointment.",
    "analysis": {"booked": True, "day": "Tuesday"},
    "transferred_to": None,
    "metadata": {"campaign": "spring"},
    "request_data": {"phone_number": "+14155550132", "wait": True, "language": "ENG", "first_name": "Ann"},
    "variables": {
        "now": "Wed Mar 04 2026 10:00:00 GMT+0000",
        "now_utc": "Wed, 04 Mar 2026 10:00:00 GMT",
        "short_from": "4155550100",
        "short_to": "4155550132",
        "from": "+14155550100",
        "to": "+14155550132",
        "phone_number": "+14155550132",
        "call_id": "call-1",
        "city": "SAN FRANCISCO",
        "state": "CA",
        "country": "US",
        "zip": "94103",
        "first_name": "Ann",
        "appointment_time": "Tuesday at ten",
        "input": {"date": "2026-03-10"},
    },
    "concatenated_transcript": "assistant: Northgate Clinic. \n user: Tuesday, please. \n assistant: Done. ",
    "transcripts": [
        {
            "id": 1,
            "created_at": "2026-03-04T10:00:01.5+00:00",
            "text": "Northgate Clinic, is this Ann?",
            "user": "assistant",
            "c_id": "call-1",
        },
        {"id": 2, "created_at": "2026-03-04T10:00:05+00:00", "text": "Yes. Tuesday, please.", "user": "user"},
        {"id": 3, "created_at": "2026-03-04T10:00:09+00:00", "text": "Calling tool: Book", "user": "agent-action"},
        {"id": 4, "created_at": "2026-03-04T10:00:12+00:00", "text": "You are booked.", "user": "assistant"},
    ],
}


def sign(body: bytes, at: float, auth: Mapping[str, Any]) -> Mapping[str, str]:
    return {"x-webhook-signature": hmac.new(auth["secret"].encode(), body, hashlib.sha256).hexdigest()}


PLATFORM = Platform(
    auth={"secret": "northgate-signing-secret"},
    other_auth={"secret": "another-signing-secret"},
    body=json.dumps(EVENT, separators=(",", ":")).encode(),
    sign=sign,
    timed=False,
    needed=("x-webhook-signature",),
)
