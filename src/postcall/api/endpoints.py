"""/webhooks: whom a workspace tells what happens. (What comes in stands in `webhooks.py`.)"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from ninja import Query
from pydantic import Field

from postcall.api.answers import Out, Page, Paging, answer, check_version, nothing, once, page_of, versioned
from postcall.api.audit import record
from postcall.api.finding import one
from postcall.api.keys import ADMIN, ApiRequest
from postcall.api.routes import Routes
from postcall.webhooks import editing
from postcall.webhooks.delivering import try_out
from postcall.webhooks.editing import EndpointContent
from postcall.webhooks.looking import Standing, deliveries_of, standing_of
from postcall.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from postcall.workspaces.audit import CHANGED, Thing
from postcall.workspaces.models import ApiKey
from postcall.workspaces.scope import within

routes = Routes(tags=["Webhooks"])


class WebhookOut(Out):
    """An address that is told what happens. Its secret is shown once, when it is made."""

    volatile: ClassVar[frozenset[str]] = frozenset(
        {"failing_since", "last_arrived_at", "enabled", "disabled_at", "disabled_reason", "updated_at"}
    )

    id: UUID
    host: str
    url: str | None = Field(description="Null for keys that are not `admin`: an address can be a secret by itself.")
    events: list[str]
    with_text: bool = Field(description="Whether the words of texts and replies are told too.")
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None = Field(description="`owner`, `gone` (it answered 410) or `failing` (for days).")
    failing_since: datetime | None = Field(description="Since when nothing has arrived there.")
    last_arrived_at: datetime | None
    previous_secret_until: datetime | None = Field(
        description="Until then the secret before the present one signs as well."
    )
    created_at: datetime
    updated_at: datetime


class NewWebhookOut(WebhookOut):
    """A webhook with its new secret, shown this once."""

    secret: str = Field(examples=["whsec_…"])


class TryOut(Out):
    """One try at delivering an event. `answer` is the beginning of an answer that was no success."""

    number: int
    at: datetime
    well: bool
    said: str
    status: int | None
    took_ms: int | None
    answer: str | None


class DeliveryOut(Out):
    """One event to one webhook."""

    id: UUID
    event_id: str = Field(description="The `webhook-id`: the same at each try and replay.")
    type: str
    at: datetime
    status: Literal["pending", "arrived", "given_up"]
    why: str | None = Field(description="Why it was given up.")
    next_try_at: datetime | None
    attempts: list[TryOut]


class DeliveryQuery(Paging):
    status: Literal["pending", "arrived", "given_up"] | None = None


@routes.get("/webhooks", response=Page[WebhookOut], summary="List webhooks", operation_id="list_webhooks")
def list_webhooks(request: ApiRequest, paging: Query[Paging]) -> HttpResponse:
    rows = within(request.auth.workspace, WebhookEndpoint)
    return page_of(rows, paging, lambda endpoint: webhook_out(endpoint, request.auth.scope))


@routes.post(
    "/webhooks", response={201: NewWebhookOut}, auth=ADMIN, summary="Add a webhook", operation_id="create_webhook"
)
@once
def create(request: ApiRequest, content: EndpointContent) -> HttpResponse:
    """Events are Standard Webhooks, signed with the secret that the answer shows this once."""
    editing.check_address(content.url)
    endpoint = editing.create_endpoint(request.auth.workspace, content)
    shown = webhook_out(endpoint)
    record(request, "create", _thing(shown), after=_told(shown))
    response = answer(NewWebhookOut(**shown.model_dump(), secret=endpoint.secret), 201)
    response["ETag"] = versioned(shown)["ETag"]
    return response


@routes.get("/webhooks/{uuid:webhook_id}", response=WebhookOut, summary="One webhook", operation_id="get_webhook")
def read(request: ApiRequest, webhook_id: UUID) -> HttpResponse:
    return versioned(webhook_out(_one(request, webhook_id), request.auth.scope))


@routes.put(
    "/webhooks/{uuid:webhook_id}",
    response=WebhookOut,
    auth=ADMIN,
    summary="Change a webhook",
    operation_id="update_webhook",
)
def change(request: ApiRequest, webhook_id: UUID, content: EndpointContent) -> HttpResponse:
    """Switched off, what it was still to be told is given up; switched on, it is told what happens from then on."""
    if content.url != _one(request, webhook_id).url:
        # One whose host is gone for good can be switched off nevertheless.
        editing.check_address(content.url)
    endpoint = _locked(request, webhook_id)
    before = webhook_out(endpoint)
    check_version(request, before)
    editing.update_endpoint(endpoint, content)
    after = webhook_out(endpoint)
    record(request, "update", _thing(after), before=_told(before), after=_told(after))
    return versioned(after)


@routes.delete(
    "/webhooks/{uuid:webhook_id}",
    response={204: None},
    auth=ADMIN,
    summary="Delete a webhook",
    operation_id="delete_webhook",
)
def delete(request: ApiRequest, webhook_id: UUID) -> HttpResponse:
    """With the log of what was delivered there."""
    endpoint = _locked(request, webhook_id)
    before = webhook_out(endpoint)
    check_version(request, before)
    editing.forget_endpoint(endpoint)
    record(request, "delete", _thing(before))
    return nothing()


@routes.post(
    "/webhooks/{uuid:webhook_id}/secret",
    response=NewWebhookOut,
    auth=ADMIN,
    summary="Make a new secret",
    operation_id="renew_webhook_secret",
)
@once
def renew(request: ApiRequest, webhook_id: UUID) -> HttpResponse:
    """For 24 hours both secrets sign, each with a signature of its own."""
    endpoint = _locked(request, webhook_id)
    secret = editing.renew_secret(endpoint)
    shown = webhook_out(endpoint)
    record(request, "update", _thing(shown), changes={"secret": CHANGED})
    return answer(NewWebhookOut(**shown.model_dump(), secret=secret))


@routes.post(
    "/webhooks/{uuid:webhook_id}/test",
    response=DeliveryOut,
    auth=ADMIN,
    summary="Send a test event",
    operation_id="test_webhook",
)
def test(request: ApiRequest, webhook_id: UUID) -> HttpResponse:
    """Sends `webhook.test` at once, one time, and says what came of it."""
    endpoint = _one(request, webhook_id)
    with transaction.atomic():
        record(request, "test", _thing(webhook_out(endpoint)))
    delivery, _ = try_out(endpoint)
    return answer(_delivery_out(delivery))


@routes.get(
    "/webhooks/{uuid:webhook_id}/deliveries",
    response=Page[DeliveryOut],
    summary="List deliveries",
    operation_id="list_webhook_deliveries",
)
def list_deliveries(request: ApiRequest, webhook_id: UUID, query: Query[DeliveryQuery]) -> HttpResponse:
    """What a webhook was told, with each try; kept for 30 days, or as long as the workspace keeps what was said."""
    return page_of(deliveries_of(_one(request, webhook_id), query.status), query, _delivery_out)


@routes.post(
    "/webhooks/deliveries/{uuid:delivery_id}/replay",
    response=DeliveryOut,
    auth=ADMIN,
    summary="Deliver an event again",
    operation_id="replay_webhook_delivery",
)
@once
def replay(request: ApiRequest, delivery_id: UUID) -> HttpResponse:
    """The same event under the same `webhook-id`, whether or not it arrived."""
    rows = within(request.auth.workspace, WebhookDelivery).select_related("event", "endpoint")
    delivery = one(rows, delivery_id, "delivery")
    editing.replay(delivery)
    record(request, "replay", Thing("webhook_delivery", delivery.pk, delivery.endpoint.shown))
    return answer(_delivery_out(one(rows, delivery_id, "delivery")))


def webhook_out(endpoint: WebhookEndpoint, scope: str = ApiKey.Scope.ADMIN) -> WebhookOut:
    return WebhookOut(
        id=endpoint.pk,
        host=endpoint.shown,
        url=endpoint.url if scope == ApiKey.Scope.ADMIN else None,
        events=endpoint.events,
        with_text=endpoint.with_text,
        enabled=endpoint.disabled_at is None,
        disabled_at=endpoint.disabled_at,
        disabled_reason=endpoint.disabled_reason or None,
        failing_since=endpoint.failing_since,
        last_arrived_at=endpoint.last_arrived_at,
        previous_secret_until=endpoint.previous_until,
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at,
    )


def _told(shown: WebhookOut) -> WebhookOut:
    """As the audit log may keep it: of the address its host alone, which stands beside it."""
    return shown.model_copy(update={"url": None})


def _delivery_out(delivery: WebhookDelivery) -> DeliveryOut:
    standing: Standing = standing_of(delivery)
    return DeliveryOut(
        id=delivery.pk,
        event_id=standing.name,
        type=delivery.event.type,
        at=delivery.event.at,
        status=standing.status,
        why=delivery.given_up_why or None,
        next_try_at=delivery.due_at,
        attempts=[_try_out(each) for each in standing.attempts],
    )


def _try_out(attempt: WebhookAttempt) -> TryOut:
    return TryOut(
        number=attempt.number,
        at=attempt.at,
        well=attempt.well,
        said=attempt.said,
        status=attempt.status,
        took_ms=attempt.took_ms,
        answer=attempt.answer or None,
    )


def _thing(shown: WebhookOut) -> Thing:
    return Thing("webhook", shown.id, shown.host)


def _one(request: ApiRequest, pk: UUID) -> WebhookEndpoint:
    return one(within(request.auth.workspace, WebhookEndpoint), pk, "webhook")


def _locked(request: ApiRequest, pk: UUID) -> WebhookEndpoint:
    return one(within(request.auth.workspace, WebhookEndpoint).select_for_update(no_key=True), pk, "webhook")
