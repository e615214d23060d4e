"""Choosing who is told what happens, and looking after it."""

from __future__ import annotations

from django.db import transaction

from postcall.dashboard.access import Visit
from postcall.webhooks import delivering, editing
from postcall.webhooks.delivering import Came
from postcall.webhooks.editing import EndpointContent
from postcall.webhooks.models import WebhookDelivery, WebhookEndpoint
from postcall.work import clock
from postcall.workspaces.audit import CHANGED, Changes, Thing, difference


def add(visit: Visit, content: EndpointContent) -> WebhookEndpoint:
    """Raises CannotEdit."""
    editing.check_address(content.url)
    with transaction.atomic():
        endpoint = editing.create_endpoint(visit.workspace, content)
        visit.record("create", _thing(endpoint), difference(None, _told(endpoint)))
    return endpoint


def change(visit: Visit, endpoint: WebhookEndpoint, content: EndpointContent) -> None:
    """Raises CannotEdit."""
    if content.url != endpoint.url:
        editing.check_address(content.url)
    with transaction.atomic():
        row = _locked(visit, endpoint)
        before, moved = _told(row), content.url != row.url
        # Whether it is switched off is decided elsewhere, and may have been since the page was opened.
        editing.update_endpoint(row, content.model_copy(update={"enabled": row.disabled_at is None}))
        changes: Changes = {**difference(before, _told(row)), **({"url": CHANGED} if moved else {})}
        visit.record("update", _thing(row), changes)


@transaction.atomic
def switch(visit: Visit, endpoint: WebhookEndpoint, *, on: bool) -> None:
    row = _locked(visit, endpoint)
    before = _told(row)
    if on:
        editing.enable(row)
    else:
        delivering.disable(row, WebhookEndpoint.Disabled.OWNER, clock.now())
    visit.record("update", _thing(row), difference(before, _told(row)))


@transaction.atomic
def renew_secret(visit: Visit, endpoint: WebhookEndpoint) -> str:
    row = _locked(visit, endpoint)
    visit.record("update", _thing(row), {"secret": CHANGED})
    return editing.renew_secret(row)


def test(visit: Visit, endpoint: WebhookEndpoint) -> Came:
    """Sends a test event at once. The entry is written first: no transaction waits while it is sent."""
    with transaction.atomic():
        visit.record("test", _thing(endpoint))
    return delivering.try_out(endpoint)[1]


@transaction.atomic
def replay(visit: Visit, delivery: WebhookDelivery) -> None:
    """Raises CannotEdit."""
    editing.replay(delivery)
    visit.record("replay", Thing("webhook_delivery", delivery.pk, delivery.endpoint.shown))


@transaction.atomic
def remove(visit: Visit, endpoint: WebhookEndpoint) -> None:
    visit.record("delete", _thing(endpoint))
    editing.forget_endpoint(endpoint)


def _locked(visit: Visit, endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return visit.one(visit.rows(WebhookEndpoint).select_for_update(no_key=True), endpoint.pk)


def _told(endpoint: WebhookEndpoint) -> dict[str, object]:
    return {
        "host": endpoint.shown,
        "events": endpoint.events,
        "with_text": endpoint.with_text,
        "enabled": endpoint.disabled_at is None,
    }


def _thing(endpoint: WebhookEndpoint) -> Thing:
    return Thing("webhook", endpoint.pk, endpoint.shown)
