"""The stand-in over HTTP: its web application, and an open port in the running event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from postcall.sandbox import api, control, lookups
from postcall.sandbox.errors import Refusal
from postcall.sandbox.standin import StandIn


@web.middleware
async def _unknown_paths(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPNotFound:
        refusal = Refusal(20404, request.path)
        return api.answer_json(refusal.as_json(), refusal.status)


def application(stand_in: StandIn) -> web.Application:
    app = web.Application(middlewares=[_unknown_paths])
    app[api.STAND_IN] = stand_in
    app.add_routes([*api.routes(), *lookups.routes(), *control.routes()])
    return app


@asynccontextmanager
async def listening(stand_in: StandIn, host: str, port: int) -> AsyncIterator[int]:
    """Serves until the block ends, then closes the stand-in; yields the port (0 asks for a free one).

    OSError when the port cannot be had.
    """
    # Cancellation ends a hanging request as soon as its client is gone; accepting a message has no await.
    runner = web.AppRunner(application(stand_in), handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    try:
        await runner.setup()
        await web.TCPSite(runner, host, port, backlog=1024).start()
        stand_in.progress.resume()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
        await stand_in.close()
