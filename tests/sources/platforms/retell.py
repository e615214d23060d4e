"""Retell AI: signed as its SDK does, over the body and the milliseconds after it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from . import Platform


def said(role: str, text: str, at_s: float) -> dict[str, Any]:
    word = {"word": text.split()[0], "start": at_s, "end": at_s + 0.3}
    return {"role": role, "content": text, "words": [word]}


GREETING = said("agent", "Northgate Clinic, how can I help?", 1.2)
WISH = said("user", "A cleaning on Thursday, please.", 4.5)
OFFER = said("agent", "Thursday at two. Press one to confirm.", 9.75)
STEP = {"role": "node_transition", "former_node_name": "greet", "new_node_name": "book"}
BOOKING = {"role": "tool_call_invocation", "tool_call_id": "tc-1", "name": "create_booking"} | {
    "arguments": '{"day": "Thursday"}'
}
BOOKED = {"role": "tool_call_result", "tool_call_id": "tc-1", "content": '{"reference": "N-117"}'}

CALL: dict[str, Any] = {
    "call_type": "phone_call",
    "call_id": "call-1",
    "agent_id": "agent_1",
    "agent_name": "Front desk",
    "agent_version": 3,
    "call_status": "ended",
    "direction": "inbound",
    "from_number": "+14155550132",
    "to_number": "+14155550100",
    "start_timestamp": 1772618400000,
    "end_timestamp": 1772618512500,
    "duration_ms": 112500,
    "disconnection_reason": "user_hangup",
    "data_storage_setting": "everything",
    "transcript": "Agent: Northgate Clinic, how can I help?\nUser: A cleaning on Thursday, please.\n",
    "transcript_object": [GREETING, WISH, OFFER],
    "transcript_with_tool_calls": [GREETING, STEP, WISH, BOOKING, BOOKED, OFFER, {"role": "dtmf", "digit": "1"}],
    "call_analysis": {
        "call_summary": "Ann booked a cleaning.",
        "in_voicemail": False,
        "user_sentiment": "Positive",
        "call_successful": True,
        "custom_analysis_data": {"service": "cleaning", "rating": 5},
    },
    "retell_llm_dynamic_variables": {"plan": "gold"},
    "collected_dynamic_variables": {"first_name": "Ann"},
    "metadata": {"crm": "77"},
    "telephony_identifier": {"twilio_call_sid": "CA00000000000000000000000000000001"},
}


def event(name: str = "call_analyzed", **changed: Any) -> bytes:
    """An event with some fields of its call changed; None takes one out."""
    call = {key: value for key, value in (CALL | changed).items() if value is not None}
    if name == "call_ended":
        call.pop("call_analysis", None)
    return json.dumps({"event": name, "call": call}).encode()


def sign(body: bytes, at: float, auth: Mapping[str, Any]) -> Mapping[str, str]:
    stamp = str(int(at * 1000))
    digest = hmac.new(auth["secret"].encode(), body + stamp.encode(), hashlib.sha256).hexdigest()
    return {"x-retell-signature": f"v={stamp},d={digest}"}


PLATFORM = Platform(
    auth={"secret": "key_of_the_tests_only_1"},
    other_auth={"secret": "key_of_the_tests_only_2"},
    body=event(),
    sign=sign,
    stale_s=330,
    needed=("x-retell-signature",),
)
