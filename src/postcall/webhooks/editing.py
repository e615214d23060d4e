"""Whom a workspace tells what: naming, changing and trying out its webhooks."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import connection, transaction
from pydantic import Field, field_validator

from postcall.agents.editing import Conflict, Invalid
from postcall.outbound.addresses import OutboundError, Resolver, look_up, read
from postcall.outbound.standard_webhook import new_secret
from postcall.pace import paced_delta
from postcall.shapes import Strict
from postcall.webhooks import delivering
from postcall.webhooks.models import EventType, WebhookDelivery, WebhookEndpoint
from postcall.work import clock
from postcall.work.wake import wake
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import locked, within

MOST_ENDPOINTS: Final = 10
# How long the secret before the present one signs as well.
ROTATION: Final = paced_delta(hours=24)
_HEALTH: Final = ("failures", "failing_since", "resting_until", "slow")


class EndpointContent(Strict):
    """An address and what it is told."""

    url: str = Field(min_length=1, max_length=2000, examples=["https://example.com/postcall"])
    events: list[EventType] = Field(min_length=1, max_length=len(EventType), description="Of what it is told.")
    with_text: bool = Field(
        default=False, description="Whether the words of texts and replies are told too, as `data.body`."
    )
    enabled: bool = True

    @field_validator("events")
    @classmethod
    def _once_each(cls, value: list[EventType]) -> list[EventType]:
        return [each for each in EventType if each in value]


def check_address(url: str, resolve: Resolver | None = None) -> None:
    """Raises Invalid where the address may not be asked, or leads nowhere. Takes as long as looking it up does."""
    try:
        look_up(url, resolve)
    except OutboundError as error:
        raise Invalid(str(error), "url") from None


@transaction.atomic
def create_endpoint(workspace: Workspace, content: EndpointContent) -> WebhookEndpoint:
    """With a new secret. The address was checked. Raises Conflict."""
    there = within(locked(workspace), WebhookEndpoint)
    if there.count() >= MOST_ENDPOINTS:
        raise Conflict(f"a workspace has {MOST_ENDPOINTS} webhooks at most: delete one first", "url")
    now = clock.now()
    return WebhookEndpoint.objects.create(
        workspace=workspace,
        url=content.url,
        shown=read(content.url).host_header[:255],
        events=[each.value for each in content.events],
        with_text=content.with_text,
        secret=new_secret(),
        disabled_at=None if content.enabled else now,
        disabled_reason="" if content.enabled else WebhookEndpoint.Disabled.OWNER,
        created_at=now,
    )


@transaction.atomic
def update_endpoint(endpoint: WebhookEndpoint, content: EndpointContent) -> None:
    """Of a locked endpoint, whose new address was checked. A new address has not failed yet."""
    if content.url != endpoint.url:
        _forgive(endpoint)
    endpoint.url, endpoint.shown = content.url, read(content.url).host_header[:255]
    endpoint.events = [each.value for each in content.events]
    endpoint.with_text = content.with_text
    endpoint.save(update_fields=["url", "shown", "events", "with_text", *_HEALTH, "updated_at"])
    if not content.enabled:
        delivering.disable(endpoint, WebhookEndpoint.Disabled.OWNER, clock.now())
    elif endpoint.disabled_at is not None:
        enable(endpoint)


@transaction.atomic
def enable(endpoint: WebhookEndpoint) -> None:
    """It is told what happens from now on; what it missed can be replayed as far as it was kept."""
    endpoint.disabled_at, endpoint.disabled_reason = None, ""
    _forgive(endpoint)
    endpoint.save(update_fields=["disabled_at", "disabled_reason", *_HEALTH, "updated_at"])


def _forgive(endpoint: WebhookEndpoint) -> None:
    endpoint.failures, endpoint.failing_since, endpoint.resting_until, endpoint.slow = 0, None, None, False


@transaction.atomic
def renew_secret(endpoint: WebhookEndpoint) -> str:
    """A new secret; the one before it signs as well for ROTATION, so that the receiver can change over in peace."""
    endpoint.previous_secret, endpoint.previous_until = endpoint.secret, clock.now() + ROTATION
    endpoint.secret = new_secret()
    endpoint.save(update_fields=["secret", "previous_secret", "previous_until", "updated_at"])
    return endpoint.secret


@transaction.atomic
def replay(delivery: WebhookDelivery) -> None:
    """Has an event delivered once more, under the same name, whether or not it arrived. Raises Conflict."""
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=delivery.endpoint_id)
    if endpoint.disabled_at is not None:
        raise Conflict("this webhook is switched off: enable it first", "")
    row = WebhookDelivery.objects.select_for_update(no_key=True).get(pk=delivery.pk)
    if row.lease_until is not None and row.lease_until > clock.now():
        raise Conflict("this event is being delivered just now", "")
    now = clock.now()
    row.due_at, row.round_at, row.tries, row.starts = now, now, 0, 0
    row.generation += 1
    row.arrived_at, row.given_up_at, row.given_up_why, row.lease_until = None, None, "", None
    row.save()
    # Somebody is waiting for it: the endpoint's rest is over.
    endpoint.resting_until = None
    endpoint.save(update_fields=["resting_until"])
    wake("webhooks")


@transaction.atomic
def forget_endpoint(endpoint: WebhookEndpoint) -> None:
    """With what was, and was still to be, delivered there, and the events that nobody else was told.

    Texts go on being sent meanwhile: their transactions are only waited for, and made to wait, when the log is gone
    already and what is left takes an instant.
    """
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    list(rows.select_for_update(no_key=True).values_list("pk"))
    _forget_log(endpoint)
    list(rows.select_for_update().values_list("pk"))
    _forget_log(endpoint)
    rows.delete()


def _forget_log(endpoint: WebhookEndpoint) -> None:
    """Written out: Django would read every row of it first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH tries AS (DELETE FROM webhook_attempt WHERE delivery_id IN (
                               SELECT id FROM webhook_delivery WHERE endpoint_id = %(endpoint)s)),
                 gone AS (DELETE FROM webhook_delivery WHERE endpoint_id = %(endpoint)s RETURNING event_id)
            DELETE FROM webhook_event WHERE id IN (SELECT event_id FROM gone) AND NOT EXISTS (
                SELECT FROM webhook_delivery other
                WHERE other.event_id = webhook_event.id AND other.endpoint_id <> %(endpoint)s)
            """,
            {"endpoint": endpoint.pk},
        )


def is_failing(endpoint: WebhookEndpoint, for_: timedelta = timedelta()) -> bool:
    """Whether nothing has arrived for so long, though it was tried more than once."""
    since = endpoint.failing_since
    return since is not None and endpoint.failures > 1 and clock.now() - since >= for_
