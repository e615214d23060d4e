"""The append-only tables' monthly partitions: made ahead of time, so that no row waits for one."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from django.db import connection, transaction

# Tables, and the column by which each is partitioned.
PARTITIONED: Final = {"raw_payload": "received_at", "delivery_event": "at"}
MONTHS_AHEAD: Final = 3


def next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def ensure_partitions(today: date) -> None:
    """Makes this month's partitions and the next three where they are missing.

    Rows that came while a month had none lie in the `…_other` partition; they move into theirs.
    """
    month = today.replace(day=1)
    for _ in range(MONTHS_AHEAD + 1):
        for table in PARTITIONED:
            _ensure(table, month)
        month = next_month(month)


def months_of(table: str) -> list[tuple[str, date]]:
    """The months that the table has, the oldest first: the partition's name and the first day after it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1", [table]
        )
        names = [row[0] for row in cursor.fetchall()]
    found = [(name, re.fullmatch(rf"{table}_(\d{{4}})_(\d\d)", name)) for name in names]
    return [(name, next_month(date(int(parts[1]), int(parts[2]), 1))) for name, parts in found if parts]


def _ensure(table: str, month: date) -> None:
    name = f"{table}_{month:%Y_%m}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('postcall partitions'))")
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone()[0]:
            return
        within = f"{PARTITIONED[table]} >= '{month}' AND {PARTITIONED[table]} < '{next_month(month)}'"
        bounds = f"FOR VALUES FROM ('{month}') TO ('{next_month(month)}')"
        cursor.execute(f"SELECT 1 FROM {table}_other WHERE {within} LIMIT 1")  # noqa: S608  # our own names
        if not cursor.fetchone():
            cursor.execute(f"CREATE TABLE {name} PARTITION OF {table} {bounds}")
            return
        # PostgreSQL refuses a partition for rows that lie in the default one, and nobody may add one meanwhile.
        cursor.execute(f"LOCK TABLE {table}_other IN ACCESS EXCLUSIVE MODE")
        cursor.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
        cursor.execute(
            f"WITH moved AS (DELETE FROM {table}_other WHERE {within} RETURNING *)"  # noqa: S608  # our own names
            f" INSERT INTO {name} SELECT * FROM moved"
        )
        cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} {bounds}")
