"""Taking due rows, one worker at a time, by the database's clock.

A worker that takes a row gets a lease and a new generation. Everything that it writes about the row goes through
`settle`, which is conditional on that generation: a worker that overslept its lease writes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from django.db import connection

from postcall.work.models import Due
from postcall.work.rows import columns_of, rows_of, write_where

# Beginnings of one piece of work without an end, before it is set aside as one that kills its worker.
MAX_STARTS = 5
# Beginnings that may have ended with the worker for another row's sake. Who was begun more often is suspected.
TRUSTED_STARTS = 2

Row = TypeVar("Row", bound=Due)

_DUE: Final = "due_at <= clock_timestamp() AND (lease_until IS NULL OR lease_until < clock_timestamp())"


class LostLease(Exception):
    """Another worker has the row by now; whatever this one found out must not be written."""


def take(model: type[Row], limit: int, lease: timedelta, *, suspects: int | None = None) -> list[Row]:
    """Takes at most `limit` due rows that nobody holds, the longest due first, each for `lease`.

    `suspects`: at most so many of them may be rows that were begun more than TRUSTED_STARTS times without an end,
    which is how one that kills its worker looks, and how those look that were in hand with it.
    Rows that another worker is taking this instant are passed over (SKIP LOCKED), never waited for.
    """
    table = model._meta.db_table
    due = f'SELECT id FROM "{table}" WHERE {_DUE}'  # noqa: S608  # our own names
    some = "ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED"
    if suspects is None:
        chosen, limits = f"ARRAY({due} {some})", [limit]
    else:
        trusted, suspected = f"AND starts < {TRUSTED_STARTS} {some}", f"AND starts >= {TRUSTED_STARTS} {some}"
        # The suspected first: others that keep coming must not keep them waiting.
        chosen, limits = f"(ARRAY({due} {suspected}) || ARRAY({due} {trusted}))[:%s]", [suspects, limit, limit]
    return _taken(model, f"id = ANY({chosen})", limits, lease)


def take_one(row: Row, lease: timedelta) -> Row | None:
    """Takes this row for whoever asks, as a worker would; None: another has it, or it is not due."""
    return next(iter(_taken(type(row), f"id = %s AND {_DUE}", [row.pk], lease)), None)


def let_go(row: Due) -> None:
    """Gives back a row that was taken, unless another has it by now: nobody waits for the end of its lease."""
    type(row)._default_manager.filter(pk=row.pk, generation=row.generation).update(lease_until=None)


def _taken(model: type[Row], condition: str, params: list[Any], lease: timedelta) -> list[Row]:
    sql = f"""
        UPDATE "{model._meta.db_table}" SET lease_until = clock_timestamp() + make_interval(secs => %s),
               generation = generation + 1, starts = starts + 1
        WHERE {condition}
        RETURNING {columns_of(model)}
        """  # noqa: S608  # our own names
    return rows_of(model, sql, [lease.total_seconds(), *params])


def is_suspect(row: Due) -> bool:
    """Whether a row that was taken is one of the `suspects`."""
    return row.starts > TRUSTED_STARTS


def renew(model: type[Due], rows: list[Any], lease: timedelta) -> None:
    """Prolongs the leases of `rows`, each only while this worker still holds it by generation.

    They are locked in the order of their ids, like everywhere where many are locked at once and waited for.
    """
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE "{table}" SET lease_until = clock_timestamp() + make_interval(secs => %s)
                WHERE id = ANY(ARRAY(
                    SELECT held.id FROM "{table}" held
                    JOIN unnest(%s::uuid[], %s::int[]) AS mine(id, generation)
                      ON held.id = mine.id AND held.generation = mine.generation
                    WHERE held.lease_until IS NOT NULL
                    ORDER BY held.id FOR NO KEY UPDATE OF held))""",  # noqa: S608  # the table's name is ours
            [lease.total_seconds(), [row.pk for row in rows], [row.generation for row in rows]],
        )


def settle(row: Due, *, due_at: datetime | None = None, **fields: Any) -> None:
    """Ends this worker's hold on `row`: writes `fields` and when it is due next (None: no more).

    Raises LostLease, and writes nothing, when another worker has taken the row since.
    """
    fields |= {"due_at": due_at, "lease_until": None, "starts": 0}
    if not write_where(row, "generation = %s", [row.generation], **fields):
        raise LostLease(f"{row._meta.db_table} {row.pk}")


def lock_held(row: Due) -> None:
    """Locks `row` in this transaction, if this worker still holds it by generation; else raises LostLease."""
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT 1 FROM "{row._meta.db_table}" WHERE id = %s AND generation = %s FOR UPDATE',  # noqa: S608
            [row.pk, row.generation],
        )
        if cursor.fetchone() is None:
            raise LostLease(f"{row._meta.db_table} {row.pk}")


def seconds_overdue(model: type[Row]) -> float:
    """How long the longest-waiting due row has waited, in seconds; 0 when nothing waits."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT EXTRACT(EPOCH FROM clock_timestamp() - min(due_at)) FROM "{table}"
                WHERE {_DUE}"""  # noqa: S608
        )
        return float(cursor.fetchone()[0] or 0)
