"""What a check-up of credentials reads: the account, its numbers, a messaging service."""

from __future__ import annotations

import re

from aiohttp import web

from postcall.sandbox.api import STAND_IN, account_of, answer_json, twilio
from postcall.sandbox.creating import pool_number
from postcall.sandbox.errors import Refusal
from postcall.sandbox.magic import BAD_SENDERS
from postcall.sandbox.wire import account_path, date

_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")


def routes() -> list[web.RouteDef]:
    pattern = "/2010-04-01/Accounts/{account_sid:[A-Z0-9a-z]+}"
    return [
        web.get(f"{pattern}.json", twilio("account", account)),
        web.get(f"{pattern}/IncomingPhoneNumbers.json", twilio("numbers", numbers)),
        web.get("/v1/Services/{sid}", twilio("service", service)),
    ]


async def account(request: web.Request) -> web.StreamResponse:
    account_sid = account_of(request)
    return answer_json(
        {
            "auth_token": None,
            "date_created": date(0),
            "date_updated": date(0),
            "friendly_name": "Sandbox",
            "owner_account_sid": account_sid,
            "sid": account_sid,
            "status": "active",
            "subresource_uris": {"messages": f"{account_path(account_sid)}/Messages.json"},
            "type": "Full",
            "uri": f"{account_path(account_sid)}.json",
        }
    )


async def numbers(request: web.Request) -> web.StreamResponse:
    """The account owns every number that it asks for by name, save those that cannot send."""
    account_sid = account_of(request)
    asked = request.query.get("PhoneNumber", "+15005550006")
    found = [] if asked in BAD_SENDERS else [_number(account_sid, asked)]
    path = f"{account_path(account_sid)}/IncomingPhoneNumbers.json"
    return answer_json(
        {
            "end": max(0, len(found) - 1),
            "first_page_uri": path,
            "incoming_phone_numbers": found,
            "next_page_uri": None,
            "page": 0,
            "page_size": 50,
            "previous_page_uri": None,
            "start": 0,
            "uri": path,
        }
    )


def _number(account_sid: str, number: str) -> dict[str, object]:
    sid = f"PN{int(re.sub(r'[^0-9]', '', number) or 0):032x}"
    return {
        "account_sid": account_sid,
        "api_version": "2010-04-01",
        "capabilities": {"fax": False, "mms": True, "sms": True, "voice": True},
        "date_created": date(0),
        "date_updated": date(0),
        "friendly_name": number,
        "phone_number": number,
        "sid": sid,
        "status": "in-use",
        "uri": f"{account_path(account_sid)}/IncomingPhoneNumbers/{sid}.json",
    }


async def service(request: web.Request) -> web.StreamResponse:
    account_sid = request.app[STAND_IN].accounts.check(request.headers.get("Authorization"))
    sid = request.match_info["sid"]
    if not _SERVICE.fullmatch(sid):
        raise Refusal(20404, sid)
    return answer_json(
        {
            "account_sid": account_sid,
            "date_created": "1970-01-01T00:00:00Z",
            "date_updated": "1970-01-01T00:00:00Z",
            "friendly_name": f"Sandbox service sending from {pool_number(sid)}",
            "sid": sid,
            "url": f"https://messaging.twilio.com/v1/Services/{sid}",
        }
    )
