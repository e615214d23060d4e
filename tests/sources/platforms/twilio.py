"""Twilio's callback about the end of a ConversationRelay session, signed by Twilio's SDK."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK ships no types

from . import URL, Platform

CALL_SID = "CA0123456789abcdef0123456789abcdef"
FORM = {
    "AccountSid": "AC0123456789abcdef0123456789abcdef",
    "ApiVersion": "2010-04-01",
    "CallSid": CALL_SID,
    "CallStatus": "completed",
    "CallerCity": "",
    "Direction": "inbound",
    "From": "+14155550132",
    "To": "+14155550100",
    "SessionId": "VX0123456789abcdef0123456789abcdef",
    "SessionStatus": "ended",
    "SessionDuration": "94",
    "HandoffData": json.dumps(
        {
            "transcript": [
                {"role": "agent", "text": "Harbor Dental, hello?"},
                {"role": "customer", "text": "A cleaning on Tuesday, please."},
            ],
            "variables": {"collected": {"treatment": "cleaning"}},
            "reasonCode": "done",
        }
    ),
}


def sign(body: bytes, _at: float, auth: Mapping[str, Any]) -> Mapping[str, str]:
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
    signature: str = RequestValidator(auth["secret"]).compute_signature(URL, fields)
    return {"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded"}


PLATFORM = Platform(
    auth={"secret": "0123456789abcdef0123456789abcdef"},
    other_auth={"secret": "fedcba9876543210fedcba9876543210"},
    body=urlencode(FORM).encode(),
    sign=sign,
    call_id=CALL_SID,
    timed=False,
    needed=("x-twilio-signature",),
)
