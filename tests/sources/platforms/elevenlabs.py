"""ElevenLabs: `t=<seconds>,v0=<hex>`, an HMAC-SHA256 over the seconds, a dot and the body; they have no signer."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from . import Platform

EVENT: dict[str, Any] = {
    "type": "post_call_transcription",
    "event_timestamp": 1772618500,
    "data": {
        "agent_id": "agent_front_desk",
        "agent_name": "Northgate front desk",
        "conversation_id": "call-1",
        "status": "done",
        "user_id": None,
        "user_message_count": 2,
        "agent_message_count": 2,
        "transcript": [
            {
                "role": "agent",
                "message": "Northgate Clinic, how may I help?",
                "tool_calls": None,
                "tool_results": None,
                "time_in_call_secs": 0,
                "interrupted": False,
            },
            {
                "role": "user",
                "message": "I need an appointment on Tuesday. I am Ann.",
                "tool_calls": [],
                "tool_results": [],
                "time_in_call_secs": 4,
                "source_medium": "audio",
            },
            {
                "role": "agent",
                "message": "One moment.",
                "tool_calls": [
                    {
                        "type": "webhook",
                        "request_id": "req_1",
                        "tool_name": "create_booking",
                        "params_as_json": '{"day": "2026-03-10"}',
                        "tool_has_been_called": True,
                    }
                ],
                "tool_results": [],
                "time_in_call_secs": 9,
            },
            {
                "role": "agent",
                "message": "You are booked for Tuesday at ten.",
                "tool_calls": [],
                "tool_results": [
                    {
                        "type": "webhook",
                        "request_id": "req_1",
                        "tool_name": "create_booking",
                        "result_value": '{"reference": "NG-7"}',
                        "is_error": False,
                        "tool_has_been_called": True,
                        "dynamic_variable_updates": [
                            {
                                "variable_name": "booking_reference",
                                "old_value": None,
                                "new_value": "NG-7",
                                "updated_at": 1772618420.5,
                                "tool_name": "create_booking",
                                "tool_request_id": "req_1",
                            }
                        ],
                    }
                ],
                "time_in_call_secs": 12,
            },
            {"role": "user", "message": "Thank you, goodbye.", "time_in_call_secs": 17},
        ],
        "metadata": {
            "start_time_unix_secs": 1772618400,
            "accepted_time_unix_secs": 1772618401,
            "call_duration_secs": 21,
            "cost": 154,
            "termination_reason": "Call ended by remote party",
            "error": None,
            "warnings": [],
            "main_language": "en",
            "phone_call": {
                "type": "twilio",
                "direction": "inbound",
                "phone_number_id": "phnum_1",
                "agent_number": "+14155550100",
                "external_number": "+14155550132",
                "call_sid": "CA0001",
                "stream_sid": "MZ0001",
            },
            "batch_call": None,
            "whatsapp": None,
            "sms": None,
        },
        "analysis": {
            "evaluation_criteria_results": {
                "booked": {"criteria_id": "booked", "result": "success", "rationale": "A time was agreed."}
            },
            "data_collection_results": {
                "first_name": {
                    "data_collection_id": "first_name",
                    "value": "Ann",
                    "json_schema": {"type": "string"},
                    "rationale": "She says so.",
                },
                "insurer": {"data_collection_id": "insurer", "value": None, "rationale": "Not said."},
            },
            "call_successful": "success",
            "transcript_summary": "Ann booked an appointment.",
            "call_summary_title": "Appointment booked",
        },
        "conversation_initiation_client_data": {
            "dynamic_variables": {
                "clinic": "Northgate",
                "system__caller_id": "+14155550132",
                "system__called_number": "+14155550100",
                "system__conversation_id": "call-1",
            }
        },
        "has_audio": True,
    },
}


def sign(body: bytes, at: float, auth: Mapping[str, Any]) -> Mapping[str, str]:
    stamp = str(int(at))
    made = hmac.new(auth["secret"].encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"elevenlabs-signature": f"t={stamp},v0={made}"}


PLATFORM = Platform(
    auth={"secret": "wsec_0123456789abcdef0123456789abcdef"},
    other_auth={"secret": "wsec_fedcba9876543210fedcba9876543210"},
    body=json.dumps(EVENT).encode(),
    sign=sign,
    stale_s=3630,
    needed=("elevenlabs-signature",),
)
