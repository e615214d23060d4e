"""How deliveries stand, for whoever looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from django.db.models import Q, QuerySet

from postcall.webhooks.bodies import name_of
from postcall.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

Status = Literal["pending", "arrived", "given_up"]

_WHERE: dict[Status, Q] = {
    "pending": Q(due_at__isnull=False),
    "arrived": Q(arrived_at__isnull=False),
    "given_up": Q(given_up_at__isnull=False),
}


@dataclass(frozen=True)
class Standing:
    """`name` is the `webhook-id`; `attempts` are in the order in which they were made."""

    status: Status
    name: str
    attempts: list[WebhookAttempt]


def standing_of(delivery: WebhookDelivery) -> Standing:
    status: Status = "arrived" if delivery.arrived_at else "given_up" if delivery.given_up_at else "pending"
    attempts = sorted(delivery.attempts.all(), key=lambda each: each.number)
    return Standing(status, name_of(delivery.event), attempts)


def deliveries_of(endpoint: WebhookEndpoint, status: Status | None = None) -> QuerySet[WebhookDelivery]:
    rows = WebhookDelivery.objects.filter(workspace_id=endpoint.workspace_id, endpoint=endpoint)
    if status is not None:
        rows = rows.filter(_WHERE[status])
    return rows.select_related("event").prefetch_related("attempts")
