"""Which stored secrets no key of POSTCALL_SECRET_KEY opens."""

from __future__ import annotations

from typing import Final

from django.db import connection

from postcall.workspaces.encryption import CannotDecrypt, decrypt
from postcall.workspaces.rekey import encrypted_columns

# Made with the tables and encrypted anew by every `rekey`: who cannot open it has the wrong key.
FIRST_SECRET: Final = "opt_out_key.secret"  # noqa: S105  # a column
SAMPLE: Final = 100


def unreadable_columns() -> list[str]:
    """The columns with secrets that no present key opens: of each the first and the last rows are tried."""
    return [str(column) for column in encrypted_columns() if not _opens(column.table, column.key, column.name)]


def _opens(table: str, key: str, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [table])
        if cursor.fetchone() == (None,):
            return True  # a table that is still to be made
        for order in ("ASC", "DESC"):
            cursor.execute(
                f"SELECT {name} FROM {table} WHERE {name} <> '' ORDER BY {key} {order} LIMIT {SAMPLE}"  # noqa: S608  # our names
            )
            if not all(_is_readable(stored) for (stored,) in cursor.fetchall()):
                return False
    return True


def _is_readable(stored: str) -> bool:
    try:
        decrypt(stored)
    except CannotDecrypt:
        return False
    return True
