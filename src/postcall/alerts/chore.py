"""The minute's round: look at whatever is due, bring whatever is due. Any number of workers may go it at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog

from postcall.alerts.delivering import LEASE, deliver, forget_old
from postcall.alerts.models import AlertDelivery, AlertWatch
from postcall.alerts.watching import look
from postcall.keeping.models import Restoration
from postcall.pace import paced_delta
from postcall.work import clock
from postcall.work.leases import LostLease, take
from postcall.work.models import Due

log = structlog.get_logger("postcall.alerts")

LOOKING_S: Final = 15.0
BRINGING_S: Final = 30.0
_LOOK_LEASE: Final = paced_delta(seconds=60)

Row = TypeVar("Row", bound=Due)


def alert() -> None:
    """Tells what has begun and what is over, as far as LOOKING_S and BRINGING_S allow; the rest stays due."""
    if Restoration.objects.filter(resumed_at=None).exists():
        return
    _each(AlertWatch, _LOOK_LEASE, LOOKING_S, lambda watch: look(watch, clock.now()))
    _each(AlertDelivery, LEASE, BRINGING_S, deliver)
    forget_old(clock.now())


def _each(model: type[Row], lease: timedelta, seconds: float, work: Callable[[Row], Any]) -> None:
    """What fails is logged, and begun again once its lease is over; it keeps the others from nothing."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and (rows := take(model, 1, lease)):
        for row in rows:
            try:
                work(row)
            except LostLease:
                log.info("another worker has it", row=str(row.pk))
            except Exception:
                log.exception("an alert failed; tried again", row=str(row.pk))
