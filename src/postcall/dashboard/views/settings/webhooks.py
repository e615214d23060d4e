"""Who is told what happens: a workspace's webhooks, what was delivered to each, and each try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, get_args
from uuid import UUID

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from postcall.agents.editing import CannotEdit
from postcall.dashboard.access import Visit, member, owner
from postcall.dashboard.forms import Form
from postcall.dashboard.paging import newest_first
from postcall.dashboard.sealed import show_once, take_once
from postcall.dashboard.signing_in import noted_too_often
from postcall.dashboard.verbs import webhooks as verbs
from postcall.dashboard.words import State
from postcall.webhooks.editing import EndpointContent, is_failing
from postcall.webhooks.looking import Standing, Status, deliveries_of, standing_of
from postcall.webhooks.models import TEST, EventType, WebhookDelivery, WebhookEndpoint
from postcall.work import clock

SIZE: Final = 25
# Whoever owns a workspace may name anybody's address.
MAX_TESTS: Final = 20
_TITLES: Final = {**{each.value: each.label for each in EventType}, TEST: "A test"}
_FILTERS: Final[dict[str, str]] = {
    "": "All",
    "pending": "Waiting",
    "arrived": "Arrived",
    "given_up": "Given up",
}


@dataclass(frozen=True)
class Shown:
    """A delivery as a line of its log."""

    delivery: WebhookDelivery
    standing: Standing
    state: State
    title: str


@require_GET
@member
def webhooks(visit: Visit) -> HttpResponse:
    return _list(visit, Form({"all": "1"}), list(EventType))


@require_POST
@owner
def add(visit: Visit) -> HttpResponse:
    form = Form.posted(visit.request)
    content = _content(visit, form, enabled=True)
    if content is not None:
        try:
            endpoint = verbs.add(visit, content)
        except CannotEdit as error:
            form.refuse_for(error)
        else:
            show_once(visit.request, visit.workspace, _once(endpoint), endpoint.secret)
            flashes.success(visit.request, f"{endpoint.shown} is told from now on. Send a test to see it arrive.")
            return redirect(visit.to("webhook", endpoint.pk))
    return _list(visit, form, _chosen(visit))


@require_GET
@member
def webhook(visit: Visit, webhook_id: UUID) -> HttpResponse:
    endpoint = _one(visit, webhook_id)
    form = Form({"url": endpoint.url if visit.is_owner else "", "with_text": "1" if endpoint.with_text else ""})
    return _page(visit, endpoint, form, endpoint.events)


@require_POST
@owner
def save(visit: Visit, webhook_id: UUID) -> HttpResponse:
    endpoint = _one(visit, webhook_id)
    form = Form.posted(visit.request)
    content = _content(visit, form, enabled=endpoint.disabled_at is None)
    if content is not None:
        try:
            verbs.change(visit, endpoint, content)
        except CannotEdit as error:
            form.refuse_for(error)
        else:
            flashes.success(visit.request, "Saved.")
            return redirect(visit.to("webhook", endpoint.pk))
    return _page(visit, endpoint, form, _chosen(visit))


@require_POST
@owner
def switch(visit: Visit, webhook_id: UUID) -> HttpResponse:
    endpoint = _one(visit, webhook_id)
    on = endpoint.disabled_at is not None
    verbs.switch(visit, endpoint, on=on)
    told = "is told what happens from now on" if on else "is told nothing any more"
    flashes.success(visit.request, f"{endpoint.shown} {told}.")
    return redirect(visit.to("webhook", endpoint.pk))


@require_POST
@owner
def secret(visit: Visit, webhook_id: UUID) -> HttpResponse:
    endpoint = _one(visit, webhook_id)
    show_once(visit.request, visit.workspace, _once(endpoint), verbs.renew_secret(visit, endpoint))
    return redirect(visit.to("webhook", endpoint.pk))


@require_POST
@owner
def test(visit: Visit, webhook_id: UUID) -> HttpResponse:
    """Sends a test event, waits for the answer, and says what it was."""
    endpoint = _one(visit, webhook_id)
    if noted_too_often(f"test webhooks of {visit.workspace.pk}", visit.request, MAX_TESTS, from_anywhere=True):
        flashes.error(
            visit.request, f"Not sent: {MAX_TESTS} tests in a quarter of an hour are enough. Wait a little."
        )
        return redirect(visit.to("webhook", endpoint.pk))
    came = verbs.test(visit, endpoint)
    if came.well:
        flashes.success(visit.request, f"The test arrived at {endpoint.shown}. {came.said}")
    else:
        flashes.error(visit.request, f"The test did not arrive at {endpoint.shown}. {came.said}")
    return redirect(visit.to("webhook", endpoint.pk))


@require_POST
@owner
def remove(visit: Visit, webhook_id: UUID) -> HttpResponse:
    endpoint = _one(visit, webhook_id)
    verbs.remove(visit, endpoint)
    flashes.success(visit.request, f"{endpoint.shown} is deleted, and what was delivered there forgotten.")
    return redirect(visit.to("settings-webhooks"))


@require_POST
@owner
def replay(visit: Visit, delivery_id: UUID) -> HttpResponse:
    rows = visit.rows(WebhookDelivery).select_related("endpoint", "event")
    delivery = visit.one(rows, delivery_id)
    try:
        verbs.replay(visit, delivery)
    except CannotEdit as error:
        flashes.error(visit.request, f"Not sent: {error}.")
    else:
        flashes.success(visit.request, "It is delivered once more, under the same id.")
    return visit.back(visit.to("webhook", delivery.endpoint_id))


def _content(visit: Visit, form: Form, *, enabled: bool) -> EndpointContent | None:
    data = {
        "url": form["url"],
        "events": _chosen(visit),
        "with_text": form.ticked("with_text"),
        "enabled": enabled,
    }
    if not data["events"]:
        form.refuse("events", "Choose at least one event")
        return None
    return form.checked(EndpointContent, data)


def _chosen(visit: Visit) -> list[str]:
    return visit.request.POST.getlist("events")


def _list(visit: Visit, form: Form, chosen: list[str] | list[EventType]) -> HttpResponse:
    rows = visit.rows(WebhookEndpoint).order_by("pk")
    return visit.page(
        "settings/webhooks.html",
        {
            "tab": "webhooks",
            "form": form,
            "endpoints": [(each, _health(each)) for each in rows],
            "events": [(each, each.value in chosen) for each in EventType],
        },
        place="settings",
        status=200 if form.is_well else 422,
    )


def _page(visit: Visit, endpoint: WebhookEndpoint, form: Form, chosen: list[str]) -> HttpResponse:
    asked = visit.request.GET.get("status", "")
    status: Status | None = next((each for each in get_args(Status) if each == asked), None)
    page = newest_first(visit.request, deliveries_of(endpoint, status), SIZE)
    return visit.page(
        "settings/webhook.html",
        {
            "tab": "webhooks",
            "form": form,
            "endpoint": endpoint,
            "health": _health(endpoint),
            "secret": take_once(visit.request, visit.workspace, _once(endpoint)) if visit.is_owner else "",
            "rotating": endpoint.previous_until is not None and endpoint.previous_until > clock.now(),
            "events": [(each, each.value in chosen) for each in EventType],
            "told": [each for each in EventType if each.value in endpoint.events],
            "deliveries": [_shown(each) for each in page.rows],
            "filters": _FILTERS,
            "status": status or "",
            "page": page,
        },
        place="settings",
        status=200 if form.is_well else 422,
    )


def _shown(delivery: WebhookDelivery) -> Shown:
    title = _TITLES.get(delivery.event.type, delivery.event.type)
    return Shown(delivery, standing_of(delivery), _state(delivery), title)


def _state(delivery: WebhookDelivery) -> State:
    if delivery.arrived_at:
        return State("good", "good", "arrived" if delivery.tried < 2 else f"arrived at try {delivery.tried}")
    if delivery.given_up_at:
        return State("bad", "bad", "did not arrive" if delivery.event.type == TEST else "given up")
    if delivery.due_at is None:
        return State("idle", "idle", "not tried")
    return State("wait", "wait", f"tried {delivery.tried} times" if delivery.tried > 1 else "on its way")


def _health(endpoint: WebhookEndpoint) -> State:
    if endpoint.disabled_at is not None:
        by_owner = endpoint.disabled_reason == WebhookEndpoint.Disabled.OWNER
        return State("idle", "idle", "off") if by_owner else State("bad", "bad", "switched off")
    if is_failing(endpoint):
        return State("bad", "bad", "failing")
    if endpoint.last_arrived_at is None:
        return State("idle", "idle", "nothing delivered yet")
    return State("good", "good", "well")


def _once(endpoint: WebhookEndpoint) -> str:
    return f"webhook {endpoint.pk}"


def _one(visit: Visit, pk: UUID) -> WebhookEndpoint:
    return visit.one(visit.rows(WebhookEndpoint), pk)
