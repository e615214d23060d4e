"""Reading and writing single rows with SQL written out.

For the few places that every call and every text pass: putting such SQL together takes Django longer than
PostgreSQL needs to run it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Field, Model

from postcall.work import clock

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class _Shape:
    """A model's table: its columns as SQL, the attributes they load into, and the fields of those attributes.
    `loaders` are the columns whose values the driver does not return as the field has them (JSON, secrets)."""

    table: str
    columns: str
    names: list[str]
    fields: dict[str, Field[Any, Any]]
    loaders: list[tuple[int, Callable[..., Any]]]


@cache
def _shape(model: type[Model]) -> _Shape:
    fields = model._meta.concrete_fields
    return _Shape(
        f'"{model._meta.db_table}"',
        ", ".join(f'"{field.column}"' for field in fields),
        [field.attname for field in fields],
        {name: field for field in fields for name in (field.name, field.attname)},
        [(at, field.from_db_value) for at, field in enumerate(fields) if hasattr(field, "from_db_value")],
    )


def columns_of(model: type[Model]) -> str:
    """All columns, for the SELECT or RETURNING of `rows_of`."""
    return _shape(model).columns


def rows_of(model: type[Row], sql: str, parameters: Sequence[Any]) -> list[Row]:
    """The rows that `sql` returns, whose columns are `columns_of(model)`."""
    shape = _shape(model)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found = cursor.fetchall()
    return [model.from_db(connection.alias, shape.names, _loaded(shape, row)) for row in found]


def _loaded(shape: _Shape, row: Sequence[Any]) -> list[Any]:
    values = list(row)
    for at, load in shape.loaders:
        values[at] = load(values[at], None, connection)
    return values


def find(model: type[Row], where: str, parameters: Sequence[Any]) -> Row | None:
    """The one row for which the SQL condition `where` holds; a lock may stand after it."""
    shape = _shape(model)
    found = rows_of(model, f"SELECT {shape.columns} FROM {shape.table} WHERE {where}", parameters)  # noqa: S608  # ours
    return found[0] if found else None


def insert(row: Model, conflict: str = "") -> bool:
    """Stores a new row; `conflict` is SQL such as ON CONFLICT DO NOTHING. Says whether it was stored."""
    shape = _shape(type(row))
    values = [_plain(shape, name, getattr(row, name)) for name in shape.names]
    places = ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {shape.table} ({shape.columns}) VALUES ({places}) {conflict}", values)  # noqa: S608
        return bool(cursor.rowcount == 1)


def insert_if_free(row: Model) -> bool:
    """Stores a new row, unless that would break a unique key; says whether it did.

    It also minds rows of transactions that have not committed yet: it waits for them.
    """
    return insert(row, "ON CONFLICT DO NOTHING")


def write(row: Model, **fields: Any) -> None:
    """Changes a locked row."""
    write_where(row, "TRUE", [], **fields)


def write_where(row: Model, where: str, parameters: Sequence[Any], **fields: Any) -> bool:
    """Changes a row while the SQL condition `where` holds of it; says whether it did."""
    shape = _shape(type(row))
    if "updated_at" in shape.fields:
        fields["updated_at"] = clock.now()
    columns = ", ".join(f'"{name}" = %s' for name in fields)
    values = [_plain(shape, name, value) for name, value in fields.items()]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {shape.table} SET {columns} WHERE id = %s AND {where}",  # noqa: S608  # our own words
            [*values, row.pk, *parameters],
        )
        changed = bool(cursor.rowcount)
    if changed:
        for name, value in fields.items():
            setattr(row, name, value)
    return changed


def _plain(shape: _Shape, name: str, value: Any) -> Any:
    return shape.fields[name].get_db_prep_save(value, connection)
