"""Bringing events to their endpoints: again and again over a day, until they arrive."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from postcall.ids import new_id
from postcall.keeping.models import Restoration
from postcall.outbound.addresses import OutboundError
from postcall.outbound.posting import Answer, post
from postcall.outbound.standard_webhook import headers_of
from postcall.pace import paced_delta
from postcall.webhooks.bodies import body_of, name_of
from postcall.webhooks.models import (
    TEST,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from postcall.words import visible
from postcall.work import clock
from postcall.work.leases import LostLease, lock_held, settle

# Pauses before the next try, in seconds, each lengthened by a little chance; a day in all.
PAUSES_S: Final = (5, 300, 1800, 2 * 3600, 5 * 3600, 7 * 3600, 9 * 3600)
JITTER: Final = 0.1
# What was not tried often enough by then, because its endpoint rested, is given up all the same.
GIVEN_UP_AFTER: Final = paced_delta(hours=36)
# From so many failures in a row on an endpoint rests, longer each time: a backlog must not be run against a wall.
FAILURES_BEFORE_REST: Final = 3
LONGEST_REST_S: Final = 300.0
LONGEST_RETRY_AFTER_S: Final = 3600.0
DISABLED_AFTER: Final = paced_delta(days=5)
# Who takes longer than this to answer, or does not, is worked apart from the quick.
SLOW_MS: Final = 2000
# While a restored database sends nothing.
PAUSED_LOOK: Final = paced_delta(minutes=1)
ANSWER_KEPT: Final = 200


@dataclass(frozen=True)
class Came:
    """What came of one try."""

    well: bool
    said: str
    status: int | None = None
    took_ms: int | None = None
    answer: str = ""
    retry_after_s: float = 0.0

    @property
    def is_gone(self) -> bool:
        return self.status == 410


# How one try is made; it raises nothing that is a receiver's doing.
Bring = Callable[[WebhookDelivery], Came]


def bring(delivery: WebhookDelivery) -> Came:
    """One try, now."""
    endpoint, event, at = delivery.endpoint, delivery.event, clock.now()
    body = body_of(event, endpoint)
    began = clock.ticks()
    try:
        answer = post(endpoint.url, body, headers_of(name_of(event), at, body, secrets_of(endpoint, at)))
    except OutboundError as error:
        return Came(False, str(error)[:300], took_ms=int((clock.ticks() - began) * 1000))
    return _came(answer, at)


def secrets_of(endpoint: WebhookEndpoint, at: datetime) -> list[str]:
    """The secrets that sign, the present one first."""
    previous = endpoint.previous_until is not None and at < endpoint.previous_until
    return [endpoint.secret, *([endpoint.previous_secret] if previous else [])]


def _came(answer: Answer, at: datetime) -> Came:
    took_ms = int(answer.took_s * 1000)
    if answer.is_fine:
        return Came(True, f"Answered with HTTP status {answer.status}.", answer.status, took_ms)
    told = _retry_after_s(answer.headers.get("retry-after", ""), at) if answer.status in (429, 503) else 0.0
    return Came(
        False,
        _in_words(answer.status),
        answer.status,
        took_ms,
        visible(answer.body.decode(errors="replace").replace("\0", ""))[:ANSWER_KEPT],
        told,
    )


def _in_words(status: int) -> str:
    if 300 <= status < 400:
        return f"Answered with HTTP status {status}: it leads elsewhere, and is not followed. Enter that address."
    if status == 410:
        return "Answered with HTTP status 410: it wants no more."
    return f"Answered with HTTP status {status}."


def _retry_after_s(told: str, at: datetime) -> float:
    """Seconds, or a date; what is neither asks for nothing. Nobody is waited for longer than an hour."""
    told = told.strip()
    try:
        wait = float(told) if told.isdecimal() else (parsedate_to_datetime(told) - at).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(wait, 0.0), LONGEST_RETRY_AFTER_S)


def deliver(delivery: WebhookDelivery, by: Bring = bring) -> None:
    """One try of a delivery that is held by lease, and when the next one is. Raises LostLease, also where it was
    deleted meanwhile with its endpoint or event."""
    try:
        _deliver(delivery, by)
    except (WebhookEndpoint.DoesNotExist, WebhookEvent.DoesNotExist):
        raise LostLease(f"webhook_delivery {delivery.pk}: deleted") from None


def _deliver(delivery: WebhookDelivery, by: Bring) -> None:
    restoration = Restoration.objects.order_by("-pk").first()
    if restoration is not None and restoration.resumed_at is None:
        settle(delivery, due_at=clock.now() + PAUSED_LOOK)
        return
    if Restoration.objects.filter(restored_at__gt=delivery.round_at).exists():
        _give_up(delivery, "Made before the database was restored: not sent again.")
        return
    if delivery.tries and clock.now() - delivery.round_at > GIVEN_UP_AFTER:
        _give_up(delivery, "It did not arrive within a day and a half.")
        return
    _note(delivery, by(delivery))


def set_aside(delivery: WebhookDelivery) -> None:
    _give_up(delivery, "Sending it broke off again and again.")


def _give_up(delivery: WebhookDelivery, why: str) -> None:
    settle(delivery, given_up_at=clock.now(), given_up_why=why)


@transaction.atomic
def _note(delivery: WebhookDelivery, came: Came) -> None:
    """The endpoint is locked before the delivery, here and by whoever changes it."""
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=delivery.endpoint_id)
    lock_held(delivery)
    now = clock.now()
    write_attempt(delivery, came, now)
    is_last = not came.well and (came.is_gone or delivery.tries >= len(PAUSES_S))
    settle(
        delivery,
        due_at=None if came.well or is_last else now + _pause(delivery.tries, came.retry_after_s),
        tries=delivery.tries + 1,
        tried=delivery.tried + 1,
        arrived_at=now if came.well else None,
        given_up_at=now if is_last else None,
        given_up_why=_why(came) if is_last else "",
    )
    note_health(endpoint, came, now)


def _why(came: Came) -> str:
    return "Its server wants no more." if came.is_gone else "It did not arrive within a day."


def write_attempt(delivery: WebhookDelivery, came: Came, at: datetime) -> None:
    WebhookAttempt.objects.create(
        workspace_id=delivery.workspace_id,
        delivery=delivery,
        number=delivery.tried + 1,
        at=at,
        well=came.well,
        said=came.said,
        status=came.status,
        took_ms=came.took_ms,
        answer=came.answer,
    )


def _pause(tries: int, retry_after_s: float) -> timedelta:
    pause = PAUSES_S[tries] * random.uniform(1, 1 + JITTER)  # noqa: S311  # spreads load, guards nothing
    return max(paced_delta(seconds=pause), timedelta(seconds=retry_after_s))


def note_health(endpoint: WebhookEndpoint, came: Came, now: datetime) -> None:
    """What a try says of its endpoint, which is locked."""
    endpoint.slow = (came.took_ms or 0) > SLOW_MS
    if came.well:
        endpoint.failures, endpoint.failing_since, endpoint.resting_until = 0, None, None
        endpoint.last_arrived_at = now
    else:
        endpoint.failures += 1
        endpoint.failing_since = endpoint.failing_since or now
        endpoint.resting_until = _rest(endpoint.failures, came.retry_after_s, now)
    endpoint.save(update_fields=["failures", "failing_since", "resting_until", "last_arrived_at", "slow"])
    if came.is_gone:
        disable(endpoint, WebhookEndpoint.Disabled.GONE, now)
    elif endpoint.failing_since is not None and now - endpoint.failing_since > DISABLED_AFTER:
        disable(endpoint, WebhookEndpoint.Disabled.FAILING, now)


def _rest(failures: int, retry_after_s: float, now: datetime) -> datetime | None:
    doublings = min(failures - FAILURES_BEFORE_REST, 10)
    rest_s = min(5.0 * 2.0**doublings, LONGEST_REST_S) if doublings >= 0 else 0.0
    longer = max(paced_delta(seconds=rest_s), timedelta(seconds=retry_after_s))
    return now + longer if longer else None


def disable(endpoint: WebhookEndpoint, reason: WebhookEndpoint.Disabled, now: datetime) -> None:
    """Tells a locked endpoint nothing any more. What it was still to be told is given up; it can be replayed."""
    if endpoint.disabled_at is not None:
        return
    endpoint.disabled_at, endpoint.disabled_reason = now, reason.value
    endpoint.save(update_fields=["disabled_at", "disabled_reason", "updated_at"])
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, due_at__isnull=False)
    # In the order in which leases are renewed: neither waits for the other in a ring.
    in_order = waiting.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True)
    WebhookDelivery.objects.filter(pk__in=list(in_order)).update(
        due_at=None,
        lease_until=None,
        generation=F("generation") + 1,
        given_up_at=now,
        given_up_why=f"The webhook was switched off. {reason.label}"[:300],
    )


def _recover(endpoint: WebhookEndpoint, came: Came, now: datetime) -> None:
    """What waits need not rest any longer: whoever mended the receiver tests it."""
    row = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint.pk).first()
    if row is not None and row.url == endpoint.url:
        note_health(row, came, now)


def try_out(endpoint: WebhookEndpoint, by: Bring = bring) -> tuple[WebhookDelivery, Came]:
    """Sends a test event, once and at once, also where the endpoint is switched off; says what came of it.

    No transaction may be open: nobody waits for a stranger's server with a lock in hand.
    """
    now = clock.now()
    event = WebhookEvent.objects.create(
        at=now, workspace_id=endpoint.workspace_id, type=TEST, data={"message": "A test of Postcall."}
    )
    delivery = WebhookDelivery(
        id=new_id(), workspace_id=endpoint.workspace_id, endpoint=endpoint, event=event, round_at=now
    )
    came = by(delivery)
    ended = clock.now()
    fields: dict[str, Any] = {"arrived_at": ended} if came.well else {"given_up_at": ended}
    with transaction.atomic():
        for name, value in fields.items():
            setattr(delivery, name, value)
        delivery.save(force_insert=True)
        write_attempt(delivery, came, ended)
        delivery.tries = delivery.tried = 1
        delivery.save(update_fields=["tries", "tried"])
        if came.well:
            _recover(endpoint, came, ended)
    return delivery, came
