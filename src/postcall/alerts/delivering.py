"""Bringing alerts to their channels: again and again over a day, until they arrive."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from postcall.alerts.models import AlertChannel, AlertDelivery
from postcall.alerts.writing import mail, subject, webhook
from postcall.keeping.models import Restoration
from postcall.mail import CannotMail, send_mail
from postcall.outbound.addresses import OutboundError
from postcall.outbound.posting import post
from postcall.outbound.standard_webhook import headers_of
from postcall.pace import paced_delta
from postcall.work import clock
from postcall.work.leases import MAX_STARTS, settle

# Longer than a mail server, step by step, or a webhook may take.
LEASE: Final = paced_delta(seconds=180)
# Pauses before the next try; a day in all.
PAUSES_MIN: Final = (1, 2, 5, 10, 30, 60, 120, 240, 480, 480)
TRIES_KEPT: Final = 12

# How a delivery is brought: says what was answered. Raises NotBrought.
Bring = Callable[[AlertDelivery], str]


class NotBrought(Exception):
    """It did not arrive; the message says why."""


def bring(delivery: AlertDelivery) -> str:
    """One try, now. Raises NotBrought."""
    if delivery.channel.kind == AlertChannel.Kind.EMAIL:
        return _by_mail(delivery)
    return _by_webhook(delivery)


def _by_mail(delivery: AlertDelivery) -> str:
    workspace = delivery.workspace
    try:
        send_mail(delivery.channel.address, subject(delivery, workspace), mail(delivery, workspace))
    except CannotMail as error:
        raise NotBrought(str(error)) from error
    return "The mail server took it."


def _by_webhook(delivery: AlertDelivery) -> str:
    body, at = webhook(delivery, delivery.workspace), clock.now()
    headers = headers_of(f"msg_{delivery.pk.hex}", at, body, [delivery.channel.secret])
    try:
        answer = post(delivery.channel.address, body, headers)
    except OutboundError as error:
        raise NotBrought(str(error)) from error
    if not answer.is_fine:
        raise NotBrought(f"{delivery.channel.shown} answered with HTTP status {answer.status}.")
    return f"Answered with HTTP status {answer.status}."


def deliver(delivery: AlertDelivery, by: Bring = bring) -> None:
    """One try of a delivery that is held by lease, and when the next one is. Raises LostLease."""
    if _is_from_before_a_restoration(delivery):
        _settle(delivery, well=False, said="Made before the database was restored: not sent again.", last=True)
        return
    if delivery.starts > MAX_STARTS:
        _settle(delivery, well=False, said="Sending it broke off again and again.", last=True)
        return
    try:
        said = by(delivery)
    except NotBrought as why:
        _settle(delivery, well=False, said=str(why), last=delivery.tried >= len(PAUSES_MIN))
        return
    _settle(delivery, well=True, said=said, last=True)


def try_out(channel: AlertChannel, by: Bring = bring) -> AlertDelivery:
    """Sends a test alert, once and at once; the returned row says what came of it."""
    now = clock.now()
    test = AlertDelivery.objects.create(
        workspace_id=channel.workspace_id, channel=channel, content={}, test=True, made_at=now
    )
    try:
        said, well = by(test), True
    except NotBrought as why:
        said, well = str(why), False
    _note(test, clock.now(), well=well, said=said, last=True)
    test.save()
    return test


@transaction.atomic
def _settle(delivery: AlertDelivery, *, well: bool, said: str, last: bool) -> None:
    now = clock.now()
    pause = paced_delta(minutes=0 if last else PAUSES_MIN[delivery.tried])
    _note(delivery, now, well=well, said=said, last=last)
    settle(
        delivery,
        due_at=None if last else now + pause,
        tried=delivery.tried,
        tries=delivery.tries,
        arrived_at=delivery.arrived_at,
        given_up_at=delivery.given_up_at,
    )


def _note(delivery: AlertDelivery, now: datetime, *, well: bool, said: str, last: bool) -> None:
    delivery.tried += 1
    told = {"at": now.isoformat(), "well": well, "said": said[:300]}
    delivery.tries = [*delivery.tries, told][-TRIES_KEPT:]
    if well:
        delivery.arrived_at = now
    elif last:
        delivery.given_up_at = now


def _is_from_before_a_restoration(delivery: AlertDelivery) -> bool:
    return Restoration.objects.filter(restored_at__gt=delivery.made_at).exists()


KEPT: Final = timedelta(days=30)


def forget_old(now: datetime) -> None:
    """Alerts are kept for KEPT after they were made."""
    AlertDelivery.objects.filter(made_at__lt=now - KEPT, due_at=None).delete()
