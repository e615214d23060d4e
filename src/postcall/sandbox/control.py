"""The stand-in's own endpoints under /sandbox: faults, what happened, texts in, statuses by hand."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import wraps
from typing import Any

from aiohttp import web

from postcall.sandbox.api import STAND_IN, answer_json
from postcall.sandbox.inbound import Text
from postcall.sandbox.message import STATUSES
from postcall.sandbox.webhooks import Delivery

Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes() -> list[web.RouteDef]:
    return [
        web.get("/sandbox", health),
        web.get("/sandbox/faults", show_faults),
        web.put("/sandbox/faults", told(replace_faults)),
        web.patch("/sandbox/faults", told(merge_faults)),
        web.post("/sandbox/faults/next", told(arm_fault)),
        web.patch("/sandbox/settings", told(change_settings)),
        web.get("/sandbox/messages", show_messages),
        web.post("/sandbox/messages/{sid}/status", told(push_status)),
        web.get("/sandbox/creates", show_creates),
        web.get("/sandbox/requests", show_requests),
        web.get("/sandbox/callbacks", show_callbacks),
        web.post("/sandbox/inbound", told(receive_text)),
        web.post("/sandbox/reset", reset),
    ]


def told(endpoint: Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]) -> Endpoint:
    """Hands the endpoint the request's JSON object; what it cannot use is answered 400 with the reason."""

    @wraps(endpoint)
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            given = json.loads(await request.read())
            if not isinstance(given, dict):
                raise ValueError("a JSON object is expected")
            return await endpoint(request, given)
        except (ValueError, TypeError) as error:
            return answer_json({"error": str(error)}, 400)

    return answer


async def health(request: web.Request) -> web.StreamResponse:
    stand_in = request.app[STAND_IN]
    return answer_json({"status": "ok", "busy": stand_in.progress.busy})


async def show_faults(request: web.Request) -> web.StreamResponse:
    return answer_json(request.app[STAND_IN].faults.values)


async def replace_faults(request: web.Request, values: dict[str, Any]) -> web.StreamResponse:
    faults = request.app[STAND_IN].faults
    faults.replace(_numbers(values))
    return answer_json(faults.values)


async def merge_faults(request: web.Request, values: dict[str, Any]) -> web.StreamResponse:
    faults = request.app[STAND_IN].faults
    faults.merge(_numbers(values))
    return answer_json(faults.values)


async def arm_fault(request: web.Request, given: dict[str, Any]) -> web.StreamResponse:
    _only(given, {"fault", "count", "to"}, {"fault"})
    request.app[STAND_IN].faults.arm(given["fault"], count=int(given.get("count", 1)), to=given.get("to"))
    return answer_json({"armed": given})


async def change_settings(request: web.Request, given: dict[str, Any]) -> web.StreamResponse:
    stand_in = request.app[STAND_IN]
    _only(given, {"progress", "pace", "latency_ms"}, set())
    numbers = _numbers({name: given[name] for name in ("pace", "latency_ms") if name in given})
    if any(number < 0 for number in numbers.values()):
        raise ValueError("pace and latency_ms are at least 0")
    if (mode := given.get("progress", stand_in.progress.mode)) not in ("auto", "manual"):
        raise ValueError("progress is auto or manual")
    stand_in.progress.turn(mode)
    stand_in.progress.pace = numbers.get("pace", stand_in.progress.pace)
    stand_in.latency_ms = numbers.get("latency_ms", stand_in.latency_ms)
    return answer_json({"progress": mode, "pace": stand_in.progress.pace, "latency_ms": stand_in.latency_ms})


async def show_messages(request: web.Request) -> web.StreamResponse:
    """Everything, oldest first, and how often each (to, body) was accepted; `?to=` narrows."""
    stand_in, to = request.app[STAND_IN], request.query.get("to")
    messages = [message for message in stand_in.store.messages() if to in (None, message.to)]
    creates = [
        {"to": recipient, "body": body, "count": count}
        for (recipient, body), count in stand_in.store.creates().items()
        if to in (None, recipient)
    ]
    return answer_json(
        {
            "messages": [asdict(message) | {"price": message.price} for message in messages],
            "creates": creates,
            "opt_outs": stand_in.store.opt_outs(),
        }
    )


async def show_creates(request: web.Request) -> web.StreamResponse:
    """How many messages were accepted, and which text went to the same number more than once."""
    creates = request.app[STAND_IN].store.creates()
    doubled = [{"to": to, "body": body, "count": count} for (to, body), count in creates.items() if count > 1]
    return answer_json({"accepted": creates.total(), "distinct": len(creates), "doubled": doubled})


async def push_status(request: web.Request, given: dict[str, Any]) -> web.StreamResponse:
    """Moves a message to a status; answers once its callback was answered (or a fault took it)."""
    stand_in, sid = request.app[STAND_IN], request.match_info["sid"]
    _only(given, {"status", "error_code"}, {"status"})
    if given["status"] not in STATUSES:
        raise ValueError(f"unknown status {given['status']!r}")
    try:
        callback = stand_in.progress.push(sid, given["status"], given.get("error_code"))
    except KeyError:
        return answer_json({"error": f"no message {sid}"}, 404)
    delivery = await callback if callback else None
    return answer_json({"message": asdict(stand_in.store.message(sid)), "callback": _shown(delivery)})


async def show_requests(request: web.Request) -> web.StreamResponse:
    stand_in = request.app[STAND_IN]
    counts: dict[str, dict[str, int]] = {}
    for (operation, status), count in sorted(stand_in.requests.items()):
        counts.setdefault(operation, {})[str(status or "cut")] = count
    return answer_json({"requests": counts, "faults": stand_in.faults.fired})


async def show_callbacks(request: web.Request) -> web.StreamResponse:
    return answer_json({"callbacks": [_shown(one) for one in request.app[STAND_IN].webhooks.deliveries]})


async def receive_text(request: web.Request, given: dict[str, Any]) -> web.StreamResponse:
    needed = {"account_sid", "from", "to", "body", "url"}
    _only(given, needed | {"advanced_opt_out", "messaging_service_sid"}, needed)
    text = Text(
        account_sid=str(given["account_sid"]),
        from_number=str(given["from"]),
        to=str(given["to"]),
        body=str(given["body"]),
        url=str(given["url"]),
        advanced_opt_out=bool(given.get("advanced_opt_out", False)),
        messaging_service_sid=given.get("messaging_service_sid"),
    )
    return answer_json({"webhook": _shown(await request.app[STAND_IN].receive(text))})


async def reset(request: web.Request) -> web.StreamResponse:
    request.app[STAND_IN].reset()
    return web.Response(status=204)


def _only(given: dict[str, Any], known: set[str], needed: set[str]) -> None:
    if unknown := given.keys() - known:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}")
    if missing := needed - given.keys():
        raise ValueError(f"missing: {', '.join(sorted(missing))}")


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} must be a number, not {value!r}")
    return {name: float(value) for name, value in values.items()}


def _shown(delivery: Delivery | None) -> dict[str, Any] | None:
    return None if delivery is None else asdict(delivery)
