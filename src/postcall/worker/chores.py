"""What is tidied up once an hour."""

from __future__ import annotations

from datetime import datetime, timedelta

from postcall.api.models import IdempotentRequest
from postcall.work.models import Worker
from postcall.worker.retention import forget

KEEP_ANSWERS = timedelta(days=1)


def tidy(now: datetime) -> None:
    """Forgets what retention says, answers kept for Idempotency-Keys after a day, and workers that died."""
    forget(now)
    IdempotentRequest.objects.filter(created_at__lt=now - KEEP_ANSWERS).delete()
    Worker.objects.filter(seen_at__lt=now - KEEP_ANSWERS).delete()
