"""Signs of life of the workers."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from postcall.work.models import Worker

HEARTBEAT_S = 10.0


def seen_lately() -> bool:
    """Whether any worker gave a sign of life within three heartbeats."""
    return Worker.objects.filter(seen_at__gt=timezone.now() - timedelta(seconds=3 * HEARTBEAT_S)).exists()
