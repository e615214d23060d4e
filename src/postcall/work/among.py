"""Rows by very many ids at once, and questions that are asked row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import BooleanField, Exists, F, Func

# A PostgreSQL array of ids as text: thousands of them cross to the database and back without a look at each.
Ids = str

LATELY: Final = 500
COMMON: Final = 25


def few(select: str, parameters: Sequence[Any], most: int) -> Ids | None:
    """The ids that the one column of this query has; None: more than `most`."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), coalesce(array_agg(id), '{{}}')::text FROM ({select} LIMIT %s) AS found (id)",  # noqa: S608  # our own words
            [*parameters, most + 1],
        )
        number, found = cursor.fetchone()
    return None if number > most else str(found)


def common(table: str, column: str, where: str, workspace: UUID, parameters: Sequence[Any]) -> bool:
    """Whether it holds of COMMON of the workspace's newest LATELY rows: then a list soon has its page,
    and an index that knows no order would be read for long."""
    lately = f"SELECT {column} FROM {table} WHERE workspace_id = %s ORDER BY id DESC LIMIT %s"  # noqa: S608  # our own words
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM ({lately}) AS lately WHERE {where}",  # noqa: S608  # our own words
            [workspace, LATELY, *parameters],
        )
        return bool(cursor.fetchone()[0] >= COMMON)


class Among(Func):
    """Whether the row's id is one of these. A list by id walks them in its own order, as far as it needs."""

    output_field = BooleanField()

    def __init__(self, *ids: Ids) -> None:
        super().__init__(F("pk"))
        self.ids = ids

    def as_sql(self, compiler: Any, *_: Any, **__: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        column, _parameters = compiler.compile(self.source_expressions[0])
        arrays = " || ".join(["%s::uuid[]"] * len(self.ids))
        return f"{column} = ANY({arrays})", list(self.ids)


class ExistsForEach(Exists):
    """Asked row by row, in the order of the rows: OFFSET keeps the planner from joining all of both tables."""

    template = "EXISTS(%(subquery)s OFFSET 0)"
