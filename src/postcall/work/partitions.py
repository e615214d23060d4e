"""The append-only tables' monthly partitions: made ahead of time, so that no row waits for one."""

from __future__ import annotations

from datetime import date

from django.db import connection, transaction

PARTITIONED = ("raw_payload", "delivery_event")
MONTHS_AHEAD = 3


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def ensure_partitions(today: date) -> None:
    """Makes this month's partitions and the next three where they are missing.

    A month whose first rows already fell into the `…_other` partition keeps them there: PostgreSQL would refuse
    the new partition, and the rows are as safe.
    """
    month = today.replace(day=1)
    for _ in range(MONTHS_AHEAD + 1):
        for table in PARTITIONED:
            _ensure(table, month)
        month = _next_month(month)


def _ensure(table: str, month: date) -> None:
    name = f"{table}_{month:%Y_%m}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('postcall partitions'))")
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone()[0]:
            return
        column = "received_at" if table == "raw_payload" else "at"
        cursor.execute(
            f"SELECT 1 FROM {table}_other WHERE {column} >= %s AND {column} < %s LIMIT 1",  # noqa: S608  # our names
            [month, _next_month(month)],
        )
        if not cursor.fetchone():
            cursor.execute(
                f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ('{month}') TO ('{_next_month(month)}')"
            )
