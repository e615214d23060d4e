"""Encrypting anew, by the newest of POSTCALL_SECRET_KEY's keys, whatever older ones encrypted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.db import connection, transaction

from postcall.workspaces.encryption import CannotDecrypt, EncryptedField, decrypt, encrypt, is_by_newest

BATCH: Final = 500


@dataclass(frozen=True)
class Batch:
    """What became of some values of a column. `unreadable` ones are left as they are: no present key made them."""

    column: str
    renewed: int
    already: int
    unreadable: int

    @property
    def values(self) -> int:
        return self.renewed + self.already + self.unreadable


@dataclass(frozen=True)
class _Column:
    table: str
    key: str
    name: str

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


def encrypted_columns() -> list[_Column]:
    """Every column that holds secrets, in every table."""
    return [
        _Column(model._meta.db_table, model._meta.pk.column, field.column)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedField) and model._meta.pk.column and field.column
    ]


def count_secrets() -> int:
    found = 0
    with connection.cursor() as cursor:
        for column in encrypted_columns():
            cursor.execute(f"SELECT count(*) FROM {column.table} WHERE {column.name} <> ''")  # noqa: S608  # our names
            found += cursor.fetchone()[0]
    return found


def rekey() -> Iterator[Batch]:
    """Encrypts anew what the newest key did not encrypt: some values at a time, each batch its own transaction.

    It may be stopped at any moment and begun again. A value that somebody changes meanwhile stays as they saved it.
    """
    for column in encrypted_columns():
        last: Any = None
        while rows := _after(column, last):
            yield _renew(column, rows)
            last = rows[-1][0]


def _after(column: _Column, last: Any) -> list[tuple[Any, str]]:
    further = "" if last is None else f"AND {column.key} > %s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {column.key}, {column.name} FROM {column.table} WHERE {column.name} <> '' {further} "  # noqa: S608
            f"ORDER BY {column.key} LIMIT {BATCH}",
            [] if last is None else [last],
        )
        return list(cursor.fetchall())


@transaction.atomic
def _renew(column: _Column, rows: list[tuple[Any, str]]) -> Batch:
    renewed = already = unreadable = 0
    with connection.cursor() as cursor:
        for key, stored in rows:
            if is_by_newest(stored):
                already += 1
                continue
            try:
                plain = decrypt(stored)
            except CannotDecrypt:
                unreadable += 1
                continue
            cursor.execute(
                f"UPDATE {column.table} SET {column.name} = %s WHERE {column.key} = %s AND {column.name} = %s",  # noqa: S608
                [encrypt(plain), key, stored],
            )
            renewed += cursor.rowcount
            already += 1 - cursor.rowcount
    return Batch(str(column), renewed, already, unreadable)
