"""Who is told that something needs a person, of what, and what came of telling them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.agents.editing import CannotEdit
from postcall.alerts.editing import AlertContent, channels_of, watch_of
from postcall.alerts.matters import TOLD
from postcall.alerts.models import AlertChannel, AlertDelivery
from postcall.dashboard.access import Visit, member, owner
from postcall.dashboard.forms import Form
from postcall.dashboard.signing_in import noted_too_often
from postcall.dashboard.verbs import alerts as verbs
from postcall.dashboard.words import State
from postcall.mail import can_mail

SHOWN: Final = 20
# Whoever owns a workspace may name anybody's address.
MAX_TESTS: Final = 10


@dataclass(frozen=True)
class Sent:
    """An alert that was sent, or is tried again."""

    delivery: AlertDelivery
    title: str
    state: State
    said: str
    next_at: datetime | None


@require_GET
@member
def alerts(visit: Visit) -> HttpResponse:
    return _page(visit, Form())


@require_POST
@owner
def save(visit: Visit) -> HttpResponse:
    """Which kinds are told, and from how many held follow-ups on."""
    form = Form.posted(visit.request)
    told = visit.request.POST.getlist("told")
    content = form.checked(
        AlertContent,
        {"muted": [kind.value for kind in TOLD if kind not in told], "held_over": form["held_over"]},
    )
    if content is None:
        return _page(visit, form, told=told)
    verbs.choose(visit, content)
    flashes.success(visit.request, "Saved.")
    return visit.back(visit.to("settings-alerts"))


@require_POST
@owner
def add_email(visit: Visit) -> HttpResponse:
    form, channel = _added(visit, lambda form: verbs.add_email(visit, form["email"]))
    if channel is None:
        return _page(visit, form)
    flashes.success(visit.request, f"Alerts go to {channel.shown} from now on. Send a test to see them arrive.")
    return visit.back(visit.to("settings-alerts"))


@require_POST
@owner
def add_webhook(visit: Visit) -> HttpResponse:
    """The page that answers shows the new secret, this once."""
    form, channel = _added(visit, lambda form: verbs.add_webhook(visit, form["webhook"]))
    return _page(visit, Form() if channel else form, made=channel)


def _added(visit: Visit, add: Callable[[Form], AlertChannel]) -> tuple[Form, AlertChannel | None]:
    form = Form.posted(visit.request)
    try:
        return form, add(form)
    except CannotEdit as error:
        form.refuse_for(error)
        return form, None


@require_POST
@owner
def remove(visit: Visit, channel_id: UUID) -> HttpResponse:
    channel = visit.one(visit.rows(AlertChannel), channel_id)
    verbs.remove(visit, channel)
    flashes.success(visit.request, f"No more alerts go to {channel.shown}.")
    return visit.back(visit.to("settings-alerts"))


@require_POST
@owner
def test(visit: Visit, channel_id: UUID) -> HttpResponse:
    """Sends a test alert, waits for the answer, and says what it was."""
    channel = visit.one(visit.rows(AlertChannel).select_related("workspace"), channel_id)
    if noted_too_often(f"test alerts of {visit.workspace.pk}", visit.request, MAX_TESTS, from_anywhere=True):
        flashes.error(
            visit.request, f"Not sent: {MAX_TESTS} tests in a quarter of an hour are enough. Wait a little."
        )
        return visit.back(visit.to("settings-alerts"))
    sent = verbs.test(visit, channel)
    said = sent.tries[-1]["said"]
    if sent.arrived_at:
        flashes.success(visit.request, f"The test alert went to {channel.shown}. {said}")
    else:
        flashes.error(visit.request, f"The test alert did not arrive at {channel.shown}. {said}")
    return visit.back(visit.to("settings-alerts"))


def _page(
    visit: Visit, form: Form, *, told: list[str] | None = None, made: AlertChannel | None = None
) -> HttpResponse:
    watch = watch_of(visit.workspace)
    if "held_over" not in form.typed:
        form.typed["held_over"] = str(watch.held_over)
    shown = [kind for kind in TOLD if kind not in watch.muted] if told is None else told
    sent = visit.rows(AlertDelivery).select_related("channel").order_by("-pk")[:SHOWN]
    return visit.page(
        "settings/alerts.html",
        {
            "tab": "alerts",
            "form": form,
            "channels": channels_of(visit.workspace),
            "made": made,
            "kinds": [(kind, kind in shown) for kind in TOLD],
            "looked_at": watch.looked_at,
            "can_mail": can_mail(),
            "sent": [_sent(each) for each in sent],
        },
        place="settings",
        status=200 if form.is_well else 422,
    )


def _sent(delivery: AlertDelivery) -> Sent:
    last: dict[str, Any] = delivery.tries[-1] if delivery.tries else {}
    return Sent(delivery, _title(delivery), _state(delivery), last.get("said", ""), delivery.due_at)


def _title(delivery: AlertDelivery) -> str:
    if delivery.test:
        return "A test"
    raised, settled = delivery.content.get("raised", []), delivery.content.get("settled", [])
    first = f"{'' if raised else 'Over: '}{(raised or settled)[0]['title']}"
    more = len(raised) + len(settled) - 1
    return f"{first}, and {more} more" if more else first


def _state(delivery: AlertDelivery) -> State:
    if delivery.arrived_at:
        return State("good", "good", "arrived" if delivery.tried < 2 else f"arrived at try {delivery.tried}")
    if delivery.given_up_at:
        return State("bad", "bad", "did not arrive" if delivery.test else "given up")
    return State("wait", "wait", "about to go" if not delivery.tried else f"tried {delivery.tried} times")
