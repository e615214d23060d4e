"""Which deliveries a worker begins: the longest due, yet of no endpoint more than its share at once.

Endpoints that were slow to answer have a lane of their own, and in either lane the workspace that has the fewest on
their way comes first: a receiver that answers slowly, or not at all, holds up its own events and nobody else's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from postcall.webhooks.models import WebhookDelivery
from postcall.work.leases import TRUSTED_STARTS
from postcall.work.rows import columns_of, rows_of

# Deliveries that are on their way to one endpoint at the same time, by all workers together.
AT_ONCE: Final = 4


def take_quick(limit: int, lease: timedelta, *, suspects: int) -> list[WebhookDelivery]:
    """Of endpoints that answer in time, or were not asked yet."""
    return _take(limit, lease, suspects, "NOT e.slow")


def take_slow(limit: int, lease: timedelta, *, suspects: int) -> list[WebhookDelivery]:
    """Of endpoints whose last answer was long in coming, or did not come."""
    return _take(limit, lease, suspects, "e.slow")


def _take(limit: int, lease: timedelta, suspects: int, which: str) -> list[WebhookDelivery]:
    """As `work.leases.take`: at most `limit` due rows, of endpoints that are told and do not rest. A workspace's
    first is taken before another's second, those counted that are on their way already.

    Two workers that ask in the same instant may pass AT_ONCE together, for one delivery's time.
    """
    some = f"""
        SELECT d.id, d.due_at, d.workspace_id FROM webhook_endpoint e CROSS JOIN LATERAL (
            SELECT id, due_at, workspace_id FROM webhook_delivery
            WHERE endpoint_id = e.id AND due_at <= clock_timestamp()
              AND (lease_until IS NULL OR lease_until < clock_timestamp()) AND starts {{starts}}
            ORDER BY due_at
            LIMIT greatest(0, {AT_ONCE} - (
                SELECT count(*) FROM webhook_delivery
                WHERE endpoint_id = e.id AND due_at IS NOT NULL AND lease_until > clock_timestamp()))
            FOR UPDATE SKIP LOCKED) d
        WHERE e.disabled_at IS NULL AND (e.resting_until IS NULL OR e.resting_until <= clock_timestamp())
          AND {which}
    """  # noqa: S608  # our own words
    trusted = some.format(starts=f"< {TRUSTED_STARTS}")
    suspected = some.format(starts=f">= {TRUSTED_STARTS}")
    sql = f"""
        WITH suspected AS MATERIALIZED ({suspected} LIMIT %s), trusted AS MATERIALIZED ({trusted}),
        under_way AS MATERIALIZED (
            SELECT e.workspace_id, count(*) FROM webhook_endpoint e
            JOIN webhook_delivery d ON d.endpoint_id = e.id
            WHERE e.workspace_id IN (SELECT workspace_id FROM trusted)
              AND d.due_at IS NOT NULL AND d.lease_until > clock_timestamp() GROUP BY 1),
        in_turn AS (
            SELECT id, due_at, row_number() OVER (PARTITION BY workspace_id ORDER BY due_at)
                               + coalesce(u.count, 0) AS turn
            FROM trusted LEFT JOIN under_way u USING (workspace_id))
        UPDATE webhook_delivery SET lease_until = clock_timestamp() + make_interval(secs => %s),
               generation = generation + 1, starts = starts + 1
        WHERE id = ANY((ARRAY(SELECT id FROM suspected)
                        || ARRAY(SELECT id FROM in_turn ORDER BY turn, due_at))[:%s])
        RETURNING {columns_of(WebhookDelivery)}
    """  # noqa: S608  # our own words
    return rows_of(WebhookDelivery, sql, [suspects, lease.total_seconds(), limit])
