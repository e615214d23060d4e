"""What is tidied up besides the work."""

from __future__ import annotations

from datetime import datetime, timedelta

from postcall.alerts.chore import alert
from postcall.api.answers import forget_old_answers
from postcall.calls.later import forget_later_events
from postcall.followups.review import expire_held
from postcall.keeping.redact import forget_what_is_due
from postcall.keeping.retention import forget
from postcall.messages.own_texts import forget_words
from postcall.sources.refused import forget_refused
from postcall.testbench.forgetting import forget_runs
from postcall.webhooks.forgetting import forget_events
from postcall.work.models import Worker
from postcall.work.partitions import ensure_partitions

DEAD_WORKERS_KEPT = timedelta(days=1)
# How long the housekeeping stays with one thing while others may be due.
FORGETTING_S = 20.0


def every_minute() -> None:
    """Held texts that nobody decided about in time expire; what is to be forgotten is gone on with; who wants to
    know what needs attention is told."""
    expire_held()
    forget_what_is_due(FORGETTING_S)
    alert()


def every_hour(now: datetime) -> None:
    """Makes partitions ahead of time; forgets what retention says, and old answers, refusals and dead workers, and
    what nobody waits for any more."""
    ensure_partitions(now.date())
    forget(now)
    forget_old_answers()
    forget_words(now)
    forget_refused(now)
    forget_later_events(now)
    forget_events(now)
    forget_runs(now)
    Worker.objects.filter(seen_at__lt=now - DEAD_WORKERS_KEPT).delete()
