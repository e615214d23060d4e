"""Finding one thing of the key's workspace; another workspace's is as if it were not there."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from postcall.api.problems import Problem

Row = TypeVar("Row", bound=Model)


def one(rows: QuerySet[Row], pk: UUID, what: str) -> Row:
    """The row of `rows`, which are the workspace's; else a 404 that says what was looked for."""
    if (row := rows.filter(pk=pk).first()) is None:
        raise Problem(404, f"there is no such {what} in this workspace")
    return row
