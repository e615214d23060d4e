"""A number that stands where nobody would look for it: in what others said, in details, in logs of changes.

Every text, JSON and byte column of every table is searched, so a column that is added later is searched too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from psycopg.types.json import Jsonb

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
                   coalesce((SELECT parent.relname FROM pg_inherits i JOIN pg_class parent ON parent.oid = i.inhparent
                             WHERE i.inhrelid = t.oid), c.table_name)
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


def take_out_mentions(spellings: Spellings, workspace_id: UUID | None) -> int:
    """Puts ERASED in the number's place in one workspace's rows, or in all rows; returns in how many values.

    Each column is a transaction of its own: nobody waits long for a row.
    """
    ours = _tables_with_workspace()
    found = 0
    for column in searched_columns():
        if workspace_id is None or column.table in ours:
            found += _take_out(column, spellings, workspace_id)
    return found


@transaction.atomic
def _take_out(column: Column, spellings: Spellings, workspace_id: UUID | None) -> int:
    where, values = f"{column.as_text} ~ %s", [spellings.pattern]
    if workspace_id is not None:
        where, values = f"workspace_id = %s AND {where}", [str(workspace_id), spellings.pattern]
    with connection.cursor() as cursor:
        # The database's own names of our tables, and a row's place, which it keeps while it is locked.
        cursor.execute(
            f'SELECT ctid::text, "{column.name}" FROM "{column.table}" WHERE {where} FOR UPDATE',  # noqa: S608
            values,
        )
        rows = cursor.fetchall()
        for place, value in rows:
            cursor.execute(
                f'UPDATE "{column.table}" SET "{column.name}" = %s WHERE ctid = %s::tid',  # noqa: S608
                [_without(column, value, spellings), place],
            )
    return len(rows)


def _without(column: Column, value: Any, spellings: Spellings) -> Any:
    if column.kind == "bytea":
        return spellings.without(bytes(value).decode("latin-1")).encode("latin-1")
    if column.kind in ("jsonb", "json"):
        return Jsonb(spellings.without(json.loads(value) if isinstance(value, str) else value))
    cleared = spellings.without(value)
    return cleared[: column.longest] if isinstance(cleared, str) and column.longest else cleared


def _tables_with_workspace() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND column_name = 'workspace_id'"
        )
        return {row[0] for row in cursor.fetchall()}
