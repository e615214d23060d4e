"""A number that stands where nobody would look for it: in what others said, in details, in logs of changes.

Every text, JSON and byte column of every table is searched, so a column that is added later is searched too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from psycopg.types.json import Jsonb

from postcall.api.answers import first_id
from postcall.keeping.spellings import Spellings

# What operators wrote themselves, and what names our own numbers; a number in it is the operator's to change.
# And what cannot hold one: secrets, digests and ciphers.
CONFIGURATION: Final = frozenset(
    {
        "action",
        "action_revision",
        "agent",
        "agent_external_id",
        "api_key",
        "attachment",
        "django_content_type",
        "django_migrations",
        "membership",
        "person",
        "source",
        "twilio_account",
        "workspace",
        "idempotent_request",
        "erasure",
        "redaction",
        "opt_out_key",
    }
)
_TEXT: Final = ("text", "character varying", "jsonb", "json", "bytea", "ARRAY")


@dataclass(frozen=True)
class Column:
    table: str
    name: str
    kind: str
    longest: int | None

    @property
    def as_text(self) -> str:
        return f"encode(\"{self.name}\", 'escape')" if self.kind == "bytea" else f'"{self.name}"::text'


def searched_columns() -> list[Column]:
    """The columns of all plain tables and partitions that may hold text, except those of configuration."""
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
        return [Column(*row[:4]) for row in cursor.fetchall() if row[4] not in CONFIGURATION]


def take_out_mentions(spellings: Spellings, workspace_id: UUID | None, until: datetime) -> int:
    """Puts ERASED in the number's place in one workspace's rows, or in all rows; returns in how many values.

    Rows whose id says that they were made after `until` are left alone. Each column is a transaction of its own:
    nobody waits long for a row.
    """
    ours, told = _tables_with("workspace_id"), _tables_with("id")
    found = 0
    for column in searched_columns():
        if workspace_id is not None and column.table not in ours:
            continue
        where: dict[str, Any] = {}
        if workspace_id is not None:
            where["workspace_id = %s"] = workspace_id
        if column.table in told:
            where["id < %s"] = first_id(until)
        found += _take_out(column, spellings, where)
    return found


@transaction.atomic
def _take_out(column: Column, spellings: Spellings, where: dict[str, Any]) -> int:
    conditions = " AND ".join([*where, f"{column.as_text} ~ %s"])
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
        return spellings.without(bytes(value).decode("latin-1")).encode("latin-1")
    if column.kind in ("jsonb", "json"):
        return Jsonb(spellings.without(json.loads(value) if isinstance(value, str) else value))
    cleared = spellings.without(value)
    return cleared[: column.longest] if isinstance(cleared, str) and column.longest else cleared


def _tables_with(column: str) -> set[str]:
    """Tables that have such a column of UUIDs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND column_name = %s AND data_type = 'uuid'",
            [column],
        )
        return {row[0] for row in cursor.fetchall()}
