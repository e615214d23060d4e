"""What a check-up of credentials reads: the account, its numbers, a messaging service."""

from __future__ import annotations

import re

from aiohttp import web

from postcall.sandbox.accounts import Account
from postcall.sandbox.api import STAND_IN, account_of, answer_json, twilio
from postcall.sandbox.creating import pool_number
from postcall.sandbox.errors import Refusal
from postcall.sandbox.magic import BAD_SENDERS
from postcall.sandbox.wire import account_path, date

_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")


def routes() -> list[web.RouteDef]:
    pattern = "/2010-04-01/Accounts/{account_sid:[A-Z0-9a-z]+}"
    service_path = "/v1/Services/{sid}"
    return [
        web.get(f"{pattern}.json", twilio("account", account)),
        web.get(f"{pattern}/IncomingPhoneNumbers.json", twilio("numbers", numbers)),
        web.get(f"{pattern}/Keys/{{sid}}.json", twilio("key", key)),
        web.get(service_path, twilio("service", service)),
        web.get(f"{service_path}/{{kind:PhoneNumbers|ShortCodes|AlphaSenders}}", twilio("senders", senders)),
    ]


async def account(request: web.Request) -> web.StreamResponse:
    known = _looked_at(request)
    return answer_json(
        {
            "auth_token": None,
            "date_created": date(0),
            "date_updated": date(0),
            "friendly_name": "Sandbox",
            "owner_account_sid": known.sid,
            "sid": known.sid,
            "status": known.status,
            "subresource_uris": {"messages": f"{account_path(known.sid)}/Messages.json"},
            "type": known.type,
            "uri": f"{account_path(known.sid)}.json",
        }
    )


def _looked_at(request: web.Request) -> Account:
    """The account that a request looks at. Raises Refusal."""
    known = request.app[STAND_IN].accounts.known(account_of(request))
    if known.test:
        raise Refusal(20008)
    return known


async def key(request: web.Request) -> web.StreamResponse:
    known, sid = _looked_at(request), request.match_info["sid"]
    if sid not in known.api_keys:
        raise Refusal(20404, sid)
    return answer_json(
        {"sid": sid, "friendly_name": "Sandbox key", "date_created": date(0), "date_updated": date(0)}
    )


async def numbers(request: web.Request) -> web.StreamResponse:
    """Where nothing is said of its numbers, the account owns every one that it asks for by name, save those that
    cannot send."""
    known = _looked_at(request)
    asked = request.query.get("PhoneNumber", "+15005550006")
    if known.numbers is None:
        found = [] if asked in BAD_SENDERS else [_number(known.sid, asked, sends=True)]
    else:
        found = [_number(known.sid, asked, sends=known.numbers[asked])] if asked in known.numbers else []
    path = f"{account_path(known.sid)}/IncomingPhoneNumbers.json"
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


def _number(account_sid: str, number: str, *, sends: bool) -> dict[str, object]:
    sid = f"PN{int(re.sub(r'[^0-9]', '', number) or 0):032x}"
    return {
        "account_sid": account_sid,
        "api_version": "2010-04-01",
        "capabilities": {"fax": False, "mms": sends, "sms": sends, "voice": True},
        "date_created": date(0),
        "date_updated": date(0),
        "friendly_name": number,
        "phone_number": number,
        "sid": sid,
        "status": "in-use",
        "uri": f"{account_path(account_sid)}/IncomingPhoneNumbers/{sid}.json",
    }


async def service(request: web.Request) -> web.StreamResponse:
    account_sid, sid, _ = _service_of(request)
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


def _service_of(request: web.Request) -> tuple[str, str, tuple[str, ...]]:
    """The account, the service and its senders. Raises Refusal."""
    account_sid = request.app[STAND_IN].accounts.check(request.headers.get("Authorization"))
    known, sid = request.app[STAND_IN].accounts.known(account_sid), request.match_info["sid"]
    if not _SERVICE.fullmatch(sid) or (known.services is not None and sid not in known.services):
        raise Refusal(20404, sid)
    return account_sid, sid, (pool_number(sid),) if known.services is None else known.services[sid]


_LISTED_AS = {"PhoneNumbers": "phone_numbers", "ShortCodes": "short_codes", "AlphaSenders": "alpha_senders"}


async def senders(request: web.Request) -> web.StreamResponse:
    """Those of the service's senders that are of the kind asked for."""
    _, sid, of_service = _service_of(request)
    kind = request.match_info["kind"]
    mine = [sender for sender in of_service if _kind_of(sender) == kind]
    return answer_json(
        {"meta": {"page": 0, "page_size": 50}, _LISTED_AS[kind]: [_sender(sid, each) for each in mine]}
    )


def _kind_of(sender: str) -> str:
    if sender.startswith("+"):
        return "PhoneNumbers"
    return "ShortCodes" if sender.isdecimal() else "AlphaSenders"


def _sender(service_sid: str, sender: str) -> dict[str, object]:
    field = {"PhoneNumbers": "phone_number", "ShortCodes": "short_code", "AlphaSenders": "alpha_sender"}
    return {"service_sid": service_sid, field[_kind_of(sender)]: sender}
