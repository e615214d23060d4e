"""Choosing where alerts go and what they tell, and trying them out."""

from __future__ import annotations

from django.db import transaction

from postcall.alerts import editing
from postcall.alerts.delivering import try_out
from postcall.alerts.editing import AlertContent
from postcall.alerts.models import AlertChannel, AlertDelivery
from postcall.dashboard.access import Visit
from postcall.workspaces.audit import Thing, difference


@transaction.atomic
def choose(visit: Visit, content: AlertContent) -> None:
    watch = editing.watch_of(visit.workspace)
    before = {"muted": watch.muted, "held_over": watch.held_over}
    editing.set_watch(visit.workspace, content)
    visit.record("update", Thing("alerts"), difference(before, content.model_dump()))


@transaction.atomic
def add_email(visit: Visit, address: str) -> AlertChannel:
    """Raises CannotEdit."""
    channel = editing.add_email(visit.workspace, address)
    visit.record("create", _thing(channel))
    return channel


def add_webhook(visit: Visit, address: str) -> AlertChannel:
    """Raises CannotEdit."""
    editing.check_webhook(address)
    with transaction.atomic():
        channel = editing.add_webhook(visit.workspace, address)
        visit.record("create", _thing(channel))
    return channel


@transaction.atomic
def remove(visit: Visit, channel: AlertChannel) -> None:
    visit.record("delete", _thing(channel))
    editing.remove(channel)


def test(visit: Visit, channel: AlertChannel) -> AlertDelivery:
    """Sends a test alert at once. The entry is written first: no transaction waits while it is sent."""
    with transaction.atomic():
        visit.record("test", _thing(channel))
    return try_out(channel)


def _thing(channel: AlertChannel) -> Thing:
    return Thing("alert_channel", channel.pk, channel.shown)
