"""Tables for spreadsheets: CSV of any length, of which a spreadsheet takes nothing for a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from io import StringIO
from typing import Final
from uuid import UUID

Cell = str | int | Decimal | datetime | UUID | None

CONTENT_TYPE: Final = "text/csv; charset=utf-8"
# What a spreadsheet takes for the beginning of a formula, and reckons.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def lines(head: Iterable[str], rows: Iterable[Iterable[Cell]]) -> Iterator[str]:
    """The head, then each row, each with its line break; one row at a time is in memory."""
    yield _line(head)
    for row in rows:
        yield _line(written(cell) for cell in row)


def written(cell: Cell) -> str:
    """Text that begins like a formula has an apostrophe before it; numbers, times and ids are as they are."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    if not isinstance(cell, str):
        return str(cell)
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def _line(cells: Iterable[str]) -> str:
    out = StringIO()
    csv.writer(out).writerow(list(cells))
    return out.getvalue()
