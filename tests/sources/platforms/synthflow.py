"""Synthflow: the id of the call is signed, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from . import Platform

REPORT: dict[str, Any] = {
    "status": "completed",
    "error_message": "",
    "lead": {
        "name": "Ann Example",
        "phone_number": "+14155550132",
        "prompt_variables": {"clinic": "Harbor Dental", "plan": {"name": "Basic"}},
    },
    "call": {
        "status": "completed",
        "end_call_reason": "human_goodbye",
        "model_id": "agent-1",
        "timezone": "Europe/Berlin",
        "call_id": "call-1",
        "duration": 113,
        "start_time": "2026-03-04T10:59:46+01:00",
        "transcript": "\nbot: Harbor Dental?\nhuman: A cleaning on Tuesday, please.\nbot: Booked.\nhuman: Bye.",
        "recording_url": None,
        "diversion": None,
        "external_id": "crm-7",
    },
    "executed_actions": {
        "extract_info_1": {
            "name": "extract_info_1",
            "action_type": "extract_info_action_type",
            "description": "",
            "parameters_hard_coded": {"identifier": "treatment", "condition": "", "choices": None, "examples": []},
            "error_message": None,
            "return_value": {"treatment": "cleaning"},
        },
        "custom_action_2": {
            "name": "create_booking",
            "action_type": "custom_action",
            "description": "Books",
            "parameters_hard_coded": {"url": "https://clinic.example/book", "headers": {"Authorization": "k"}},
            "error_message": None,
            "return_value": {"reference": "X1"},
        },
    },
    "analysis": {
        "goal": "true",
        "goal_feedback": "",
        "call_summary": "true",
        "user_sentiment": "partial",
        "opted_in": "true",
        "no_opt_out": "not_applicable",
    },
    "metadata": {"campaign": "spring"},
    "collected_variables": {
        "appointment_date": {"value": "2026-03-10", "collected": True},
        "email": {"value": None, "collected": False},
    },
}


def sign(body: bytes, _at: float, auth: Mapping[str, Any]) -> Mapping[str, str]:
    """As Synthflow's documentation has it in Python: generate_hmac_signature(secret_key, call_id)."""
    call_id: str = json.loads(body)["call"]["call_id"]
    made = hmac.new(auth["secret"].encode(), call_id.encode(), hashlib.sha256).digest()
    return {"http-synthflow-signature": base64.b64encode(made).decode()}


PLATFORM = Platform(
    auth={"secret": "c3ludGhmbG93LXdlYmhvb2stc2VjcmV0LWZvci10ZXN0cw=="},
    other_auth={"secret": "YW5vdGhlci13ZWJob29rLXNlY3JldC1mb3ItdGVzdHMuLg=="},
    body=json.dumps(REPORT).encode(),
    sign=sign,
    covers_body=False,
    timed=False,
    needed=("http-synthflow-signature",),
)
