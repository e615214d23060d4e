"""Signs of life of the workers."""

from __future__ import annotations

from datetime import timedelta

from postcall.pace import paced
from postcall.work import clock
from postcall.work.models import Worker

HEARTBEAT_S = paced(10.0)


def seen_lately() -> bool:
    """Whether any worker gave a sign of life within three heartbeats."""
    return Worker.objects.filter(seen_at__gt=clock.now() - timedelta(seconds=3 * HEARTBEAT_S)).exists()
