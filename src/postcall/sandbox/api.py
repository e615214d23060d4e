"""Twilio's message endpoints, where most faults strike."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import NoReturn
from urllib.parse import parse_qsl

from aiohttp import web

from postcall.sandbox.errors import Refusal
from postcall.sandbox.listing import list_messages
from postcall.sandbox.standin import StandIn
from postcall.sandbox.wire import answer_headers, message_resource

STAND_IN = web.AppKey("stand_in", StandIn)

Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ACCOUNT = "/2010-04-01/Accounts/{account_sid}"


def routes() -> list[web.RouteDef]:
    message = f"{_ACCOUNT}/Messages/{{sid:[A-Z0-9a-z]+}}.json"
    return [
        web.post(f"{_ACCOUNT}/Messages.json", twilio("create", create)),
        web.get(f"{_ACCOUNT}/Messages.json", twilio("list", list_all), allow_head=False),
        web.get(message, twilio("fetch", fetch), allow_head=False),
        web.post(message, twilio("update", update)),
        web.delete(message, twilio("delete", delete)),
    ]


class Cut(Exception):
    """The connection was cut on purpose: there is no answer to send."""


def twilio(operation: str, endpoint: Endpoint) -> Endpoint:
    """Gives an endpoint Twilio's errors and headers, the latency asked for, and counts its answers."""

    @wraps(endpoint)
    async def answer(request: web.Request) -> web.StreamResponse:
        stand_in = request.app[STAND_IN]
        started, status = time.monotonic(), 0
        try:
            response = await _answered(endpoint, request)
            await asyncio.sleep(stand_in.latency_ms / 1000)
            response.headers.update(answer_headers())
            response.headers["Twilio-Request-Duration"] = f"{time.monotonic() - started:.3f}"
            status = response.status
            return response
        except Cut:
            return web.Response(status=500)  # the transport is gone, nothing of this travels
        finally:
            stand_in.requests[operation, status] += 1
            stand_in.changed()

    return answer


async def _answered(endpoint: Endpoint, request: web.Request) -> web.StreamResponse:
    try:
        return await endpoint(request)
    except Refusal as refusal:
        response = answer_json(refusal.as_json(), refusal.status)
        if refusal.retry_after_s is not None:
            response.headers["Retry-After"] = f"{refusal.retry_after_s:g}"
        return response


def answer_json(body: object, status: int = 200) -> web.Response:
    return web.Response(
        body=json.dumps(body).encode(), status=status, content_type="application/json", charset="utf-8"
    )


async def create(request: web.Request) -> web.StreamResponse:
    """POST …/Messages.json, where most faults strike: before the message is accepted, or after."""
    stand_in = request.app[STAND_IN]
    account_sid = account_of(request)
    form = await _form(request)
    fault = stand_in.faults.strike("create", form.get("To"))
    await _fail_before(request, stand_in, fault)
    message = stand_in.create(account_sid, form)
    await _fail_after(request, stand_in, fault)
    if fault == "unreadable_201":
        return web.Response(status=201, body=b'{"sid": "SM', content_type="application/json", charset="utf-8")
    return answer_json(message_resource(message), 201)


async def _fail_before(request: web.Request, stand_in: StandIn, fault: str | None) -> None:
    match fault:
        case "refuse_429":
            raise Refusal(20429, retry_after_s=stand_in.faults["retry_after_s"])
        case "error_500_before":
            raise Refusal(20500)
        case "cut_before":
            _cut(request)
        case "hang_before":
            await asyncio.sleep(stand_in.faults["hang_s"])
            _cut(request)


async def _fail_after(request: web.Request, stand_in: StandIn, fault: str | None) -> None:
    match fault:
        case "error_500_after":
            raise Refusal(20500)
        case "cut_after":
            _cut(request)
        case "hang_after":
            await asyncio.sleep(stand_in.faults["hang_s"])
            _cut(request)
        case "slow":
            await asyncio.sleep(stand_in.faults["slow_ms"] / 1000)


def _cut(request: web.Request) -> NoReturn:
    if request.transport is not None:
        request.transport.abort()
    raise Cut


async def list_all(request: web.Request) -> web.StreamResponse:
    stand_in = request.app[STAND_IN]
    account_sid = account_of(request)
    if stand_in.faults.strike("list", request.query.get("To")):
        raise Refusal(20500)
    until = time.time() - stand_in.faults["list_lag_s"]
    return answer_json(list_messages(account_sid, request.query, stand_in.store, until))


async def fetch(request: web.Request) -> web.StreamResponse:
    stand_in = request.app[STAND_IN]
    message = stand_in.message(account_of(request), request.match_info["sid"])
    if stand_in.faults.strike("fetch", message.to):
        raise Refusal(20500)
    return answer_json(message_resource(message))


async def update(request: web.Request) -> web.StreamResponse:
    account_sid = account_of(request)
    message = request.app[STAND_IN].change(account_sid, request.match_info["sid"], await _form(request))
    return answer_json(message_resource(message))


async def delete(request: web.Request) -> web.StreamResponse:
    request.app[STAND_IN].delete(account_of(request), request.match_info["sid"])
    return web.Response(status=204)


def account_of(request: web.Request) -> str:
    """The account in the path, once the credentials speak for it."""
    accounts = request.app[STAND_IN].accounts
    return accounts.check(request.headers.get("Authorization"), request.match_info["account_sid"])


async def _form(request: web.Request) -> dict[str, str]:
    """The urlencoded form; of a repeated field the last one counts."""
    try:
        return dict(parse_qsl((await request.read()).decode(), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise Refusal(20001, "the form is not UTF-8") from None
