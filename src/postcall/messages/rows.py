"""Reading and writing single rows with SQL written out.

Sending and tracking do this a dozen times for every text; putting such SQL together takes Django longer than
PostgreSQL needs to run it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import connection
from django.utils import timezone

from postcall.messages.models import Attempt, Message

Row = TypeVar("Row", Attempt, Message)


@cache
def _columns(model: type[Attempt | Message]) -> tuple[str, list[str]]:
    fields = model._meta.concrete_fields
    return ", ".join(f'"{field.column}"' for field in fields), [field.attname for field in fields]


def find(model: type[Row], where: str, parameters: Sequence[Any]) -> Row | None:
    """The one row for which the SQL condition `where` holds; a lock may stand after it."""
    columns, names = _columns(model)
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT {columns} FROM "{model._meta.db_table}" WHERE {where}', parameters)  # noqa: S608  # our own words
        row = cursor.fetchone()
    return None if row is None else model.from_db(connection.alias, names, row)


def insert_if_free(row: Attempt) -> bool:
    """Stores a new row, unless that would break a unique key; says whether it did.

    It also minds rows of transactions that have not committed yet: it waits for them.
    """
    columns, names = _columns(type(row))
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{row._meta.db_table}" ({columns}) VALUES ({", ".join(["%s"] * len(names))})'  # noqa: S608  # our own columns
            " ON CONFLICT DO NOTHING",
            [_plain(row, name, getattr(row, name)) for name in names],
        )
        return bool(cursor.rowcount == 1)


def write(row: Attempt | Message, **fields: Any) -> None:
    """Changes a locked row."""
    if isinstance(row, Message):
        fields["updated_at"] = timezone.now()
    columns = ", ".join(f'"{name}" = %s' for name in fields)
    values = [_plain(row, name, value) for name, value in fields.items()]
    with connection.cursor() as cursor:
        cursor.execute(f'UPDATE "{row._meta.db_table}" SET {columns} WHERE id = %s', [*values, row.pk])  # noqa: S608  # our own columns
    for name, value in fields.items():
        setattr(row, name, value)


def _plain(row: Attempt | Message, name: str, value: Any) -> Any:
    return row._meta.get_field(name).get_db_prep_save(value, connection)  # type: ignore[union-attr]  # plain columns
