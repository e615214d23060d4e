"""Whom events are delivered to, and what arrived there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from outbound.servers import Server
from standardwebhooks import Webhook

from postcall.outbound.standard_webhook import new_secret
from postcall.webhooks.delivering import deliver
from postcall.webhooks.models import EventType, WebhookDelivery, WebhookEndpoint
from postcall.webhooks.taking import take_quick, take_slow
from postcall.work import clock
from postcall.workspaces.models import Workspace

LEASE = timedelta(seconds=30)
ALL = [each.value for each in EventType]


def an_endpoint(workspace: Workspace, server: Server | None = None, **fields: Any) -> WebhookEndpoint:
    """At `server`; without one at an address that nobody answers on."""
    port = server.port if server else 9
    return WebhookEndpoint.objects.create(
        **{
            "workspace": workspace,
            "url": f"http://127.0.0.1:{port}/in",
            "shown": f"127.0.0.1:{port}",
            "events": ALL,
            "secret": new_secret(),
            "created_at": clock.now(),
        }
        | fields
    )


def work() -> None:
    """What the lane of webhooks does about all that is due, once."""
    for delivery in (*take_quick(100, LEASE, suspects=1), *take_slow(100, LEASE, suspects=1)):
        deliver(delivery)


def come_due() -> None:
    """Time passes: what waits for its next try has waited, and nobody rests any more."""
    WebhookDelivery.objects.filter(due_at__isnull=False).update(due_at=clock.now() - timedelta(seconds=1))
    WebhookEndpoint.objects.update(resting_until=None)


def headers(server: Server, number: int = 0) -> dict[str, str]:
    head, _, _ = server.asked[number].partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    return {name.lower(): value for name, _, value in lines}


def arrived(server: Server, secret: str) -> list[Any]:
    """What arrived, each once its signature was verified by the convention's own library."""
    bodies = [asked.partition(b"\r\n\r\n")[2] for asked in server.asked]
    return [Webhook(secret).verify(body, headers(server, number)) for number, body in enumerate(bodies)]
