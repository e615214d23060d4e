"""Which deliveries a worker begins: the longest due, yet of no endpoint more than its share at once.

A receiver that answers slowly, or not at all, holds up its own events and nobody else's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from postcall.webhooks.models import WebhookDelivery
from postcall.work.leases import TRUSTED_STARTS
from postcall.work.rows import columns_of, rows_of

# Deliveries that are on their way to one endpoint at the same time, by all workers together.
AT_ONCE: Final = 4


def take(limit: int, lease: timedelta, *, suspects: int) -> list[WebhookDelivery]:
    """As `work.leases.take`: at most `limit` due rows, of endpoints that are told and do not rest.

    Two workers that ask in the same instant may pass AT_ONCE together, for one delivery's time.
    """
    some = f"""
        SELECT d.id, d.due_at FROM webhook_endpoint e CROSS JOIN LATERAL (
            SELECT id, due_at FROM webhook_delivery
            WHERE endpoint_id = e.id AND due_at <= clock_timestamp()
              AND (lease_until IS NULL OR lease_until < clock_timestamp()) AND starts {{starts}}
            ORDER BY due_at
            LIMIT greatest(0, {AT_ONCE} - (
                SELECT count(*) FROM webhook_delivery
                WHERE endpoint_id = e.id AND due_at IS NOT NULL AND lease_until > clock_timestamp()))
            FOR UPDATE SKIP LOCKED) d
        WHERE e.disabled_at IS NULL AND (e.resting_until IS NULL OR e.resting_until <= clock_timestamp())
    """  # noqa: S608  # our own words
    trusted = some.format(starts=f"< {TRUSTED_STARTS}")
    suspected = some.format(starts=f">= {TRUSTED_STARTS}")
    sql = f"""
        WITH suspected AS MATERIALIZED ({suspected} LIMIT %s), trusted AS MATERIALIZED ({trusted})
        UPDATE webhook_delivery SET lease_until = clock_timestamp() + make_interval(secs => %s),
               generation = generation + 1, starts = starts + 1
        WHERE id = ANY((ARRAY(SELECT id FROM suspected)
                        || ARRAY(SELECT id FROM trusted ORDER BY due_at))[:%s])
        RETURNING {columns_of(WebhookDelivery)}
    """  # noqa: S608  # our own words
    return rows_of(WebhookDelivery, sql, [suspects, lease.total_seconds(), limit])
