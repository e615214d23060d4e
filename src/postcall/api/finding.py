"""Finding one thing of the key's workspace; another workspace's is as if it were not there."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from postcall.api.problems import Problem, wrong_fields

Row = TypeVar("Row", bound=Model)


def one(rows: QuerySet[Row], pk: UUID, what: str) -> Row:
    """The row of `rows`, which are the workspace's; else a 404 that says what was looked for."""
    if (row := rows.filter(pk=pk).first()) is None:
        raise Problem(404, f"there is no such {what} in this workspace")
    return row


def named(rows: QuerySet[Row], pk: UUID, field: str, what: str) -> Row:
    """The row of `rows`, which are the workspace's, that `field` of a request names; else a 422 that says so."""
    if (row := rows.filter(pk=pk).first()) is None:
        raise wrong_fields([(field, f"there is no such {what} in this workspace")])
    return row
