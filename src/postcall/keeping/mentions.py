"""A number that stands where nobody would look for it: in what others said, in details, in logs of changes.

Every text, JSON and byte column of every table is searched, so a column that is added later is searched too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from psycopg.types.json import Jsonb

from postcall.calls.models import Call
from postcall.followups.optouts import hashed
from postcall.keeping.spellings import Spellings

# What operators wrote themselves; a number in it is theirs to change, and `named_in_configuration` says where.
CONFIGURATION: Final = frozenset(
    {
        "action",
        "action_revision",
        "agent",
        "agent_external_id",
        "attachment",
        "person",
        "source",
        "twilio_account",
        "workspace",
    }
)
# What holds no number that could be read: digests and ciphers, and Django's own bookkeeping.
_UNREADABLE: Final = frozenset(
    {
        "api_key",
        "django_content_type",
        "django_migrations",
        "erasure",
        "idempotent_request",
        "opt_out_key",
        "redaction",
    }
)
# A message by whose words it is being told whether it was sent. That ends by itself (`messages.track.LONGEST`).
_SOUGHT: Final = """EXISTS (SELECT FROM attempt WHERE attempt.message_id = message.id
                    AND attempt.open AND attempt.status IN ('sending', 'unconfirmed'))"""
# Of a held follow-up that has a message, nothing but that message is sent.
_HELD: Final = """outcome = 'held' AND NOT EXISTS
                 (SELECT FROM message WHERE message.follow_up_id = follow_up.id)"""
# Rows of which a text may still be made, or by whose words it is told whether one was sent.
_UNFINISHED: Final = {
    "call": "due_at IS NOT NULL",
    "follow_up": f"outcome = 'pending' OR {_HELD}",
    "message": f"message.due_at IS NOT NULL OR {_SOUGHT}",
}
# What is left alone however long it takes.
_UNTOUCHABLE: Final = {"message": _SOUGHT}
# Columns that say when a row was made, the surest first.
_MOMENTS: Final = ("received_at", "created_at", "started_at", "at")
_TEXT: Final = ("text", "character varying", "jsonb", "json", "bytea", "ARRAY")


@dataclass(frozen=True)
class Column:
    table: str
    name: str
    kind: str
    longest: int | None

    @property
    def as_text(self) -> str:
        return _bytes_as_text(self.name) if self.kind == "bytea" else f'"{self.name}"::text'


def _bytes_as_text(column: str) -> str:
    """As SQL: what is ASCII stays, every other byte is a space, which parts or separates in a number like what it
    is a piece of. PostgreSQL doubles backslashes, and refuses to decode what is not UTF-8."""
    escaped = f"replace(encode(\"{column}\", 'escape'), '\\\\', chr(1))"
    return f"replace(regexp_replace({escaped}, '\\\\[0-7]{{3}}', ' ', 'g'), chr(1), '\\')"


def _columns() -> list[tuple[Column, str]]:
    """Every column that may hold text, of all plain tables and partitions, and the table that a partition is of."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.table_name, c.column_name, c.data_type, c.character_maximum_length,
                   coalesce((SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = t.oid),
                            c.table_name)
            FROM information_schema.columns c
            JOIN pg_class t ON t.relname = c.table_name AND t.relnamespace = current_schema()::regnamespace
            WHERE c.table_schema = current_schema() AND t.relkind = 'r' AND c.data_type = ANY(%s)
              AND (c.data_type <> 'ARRAY' OR c.udt_name IN ('_text', '_varchar'))
              AND c.is_generated = 'NEVER'
            ORDER BY c.table_name, c.ordinal_position
            """,
            [list(_TEXT)],
        )
        return [(Column(*row[:4]), row[4]) for row in cursor.fetchall()]


def named_in_configuration(spellings: Spellings) -> list[str]:
    """Where operators themselves wrote the number, as `table.column`."""
    found = []
    for column in (column for column, table in _columns() if table in CONFIGURATION):
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT EXISTS (SELECT FROM "{column.table}" WHERE {column.as_text} ~ %s)',  # noqa: S608  # our names
                [spellings.pattern],
            )
            if cursor.fetchone()[0]:
                found.append(f"{column.table}.{column.name}")
    return found


def take_out_mentions(
    spellings: Spellings, workspace_id: UUID | None, until: datetime, *, patient: bool
) -> tuple[int, list[str]]:
    """Puts ERASED in the number's place in one workspace's rows, or in all rows; returns in how many values, and
    which rows were left because a text to somebody else may still be made of them (`patient`), or because only by
    their words it can be told whether one was sent.

    Rows that were made after `until` are left alone, where they say when that was. Each column is a transaction of
    its own: nobody waits long for a row. Calls are known again by their external ids, so those become their hash.
    """
    unfinished = _UNFINISHED if patient else _UNTOUCHABLE
    ours, moments = _tables_with_workspace(), _moments()
    found, left = _hash_external_ids(spellings, workspace_id, until, patient), set[str]()
    for column in (column for column, table in _columns() if table not in CONFIGURATION | _UNREADABLE):
        if workspace_id is not None and column.table not in ours:
            continue
        where: dict[str, Any] = {}
        if workspace_id is not None:
            where["workspace_id = %s"] = workspace_id
        if moment := moments.get(column.table):
            where[f"{moment} <= %s"] = until
        left.update(_unfinished(column, spellings, where, unfinished))
        if (column.table, column.name) != ("call", "external_id"):
            found += _take_out(column, spellings, where, unfinished)
    return found, sorted(left)


def _hash_external_ids(spellings: Spellings, workspace_id: UUID | None, until: datetime, patient: bool) -> int:
    calls = Call.objects.filter(external_id__regex=spellings.pattern, received_at__lte=until)
    if workspace_id is not None:
        calls = calls.filter(workspace_id=workspace_id)
    if patient:
        calls = calls.filter(due_at=None)
    return hash_external_ids(calls)


def hash_external_ids(calls: QuerySet[Call]) -> int:
    """Of each of these calls: a report of it that comes again is known by that (`calls.receive`)."""
    known = list(calls.values_list("pk", "workspace_id", "external_id"))
    for pk, workspace_id, external_id in known:
        Call.objects.filter(pk=pk).update(external_id=hashed(workspace_id, external_id))
    return len(known)


def _unfinished(
    column: Column, spellings: Spellings, where: dict[str, Any], unfinished: Mapping[str, str]
) -> list[str]:
    if column.table not in unfinished:
        return []
    conditions = " AND ".join([*where, f"({unfinished[column.table]})", f"{column.as_text} ~ %s"])
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT id FROM "{column.table}" WHERE {conditions}',  # noqa: S608  # our own names
            [*where.values(), spellings.pattern],
        )
        return [f"{column.table} {pk}" for (pk,) in cursor.fetchall()]


@transaction.atomic
def _take_out(column: Column, spellings: Spellings, where: dict[str, Any], unfinished: Mapping[str, str]) -> int:
    finished = [f"NOT ({unfinished[column.table]})"] if column.table in unfinished else []
    conditions = " AND ".join([*where, *finished, f"{column.as_text} ~ %s"])
    values = [*where.values(), spellings.pattern]
    with connection.cursor() as cursor:
        # The audit log lets nobody else change it.
        cursor.execute("SELECT set_config('postcall.erasing', 'on', true)")
        # The database's own names of our tables, and a row's place, which it keeps while it is locked.
        cursor.execute(
            f'SELECT ctid::text, "{column.name}" FROM "{column.table}" WHERE {conditions} FOR UPDATE',  # noqa: S608
            values,
        )
        rows = cursor.fetchall()
        for place, value in rows:
            cursor.execute(
                f'UPDATE "{column.table}" SET "{column.name}" = %s WHERE ctid = %s::tid',  # noqa: S608
                [_without(column, value, spellings), place],
            )
        cursor.execute("SELECT set_config('postcall.erasing', '', true)")
    return len(rows)


def _without(column: Column, value: Any, spellings: Spellings) -> Any:
    if column.kind == "bytea":
        return spellings.without(bytes(value).decode(errors="surrogateescape")).encode(errors="surrogateescape")
    if column.kind in ("jsonb", "json"):
        return Jsonb(spellings.without(json.loads(value) if isinstance(value, str) else value))
    cleared = spellings.without(value)
    return cleared[: column.longest] if isinstance(cleared, str) and column.longest else cleared


def _tables_with_workspace() -> set[str]:
    return {table for table, _ in _tables_having(["workspace_id"])}


def _moments() -> dict[str, str]:
    """By table, the column that says when a row was made."""
    found: dict[str, str] = {}
    for table, column in _tables_having(list(_MOMENTS)):
        if table not in found or _MOMENTS.index(column) < _MOMENTS.index(found[table]):
            found[table] = column
    return found


def _tables_having(columns: list[str]) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND column_name = ANY(%s)",
            [columns],
        )
        return [(table, column) for table, column in cursor.fetchall()]
