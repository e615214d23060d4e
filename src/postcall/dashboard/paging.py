"""Lists by cursor: an id is a moment, so the last id seen says where the next page begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpRequest, QueryDict

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Page(Generic[M]):
    """One page of a list. `further` and `first` are queries for links; None where they lead nowhere."""

    rows: list[M]
    further: str | None
    first: str | None

    def __bool__(self) -> bool:
        return bool(self.rows)


def newest_first(request: HttpRequest, rows: QuerySet[M], size: int) -> Page[M]:
    """The page that the address asks for by `before`, an id."""
    before = uuid_or_none(request.GET.get("before"))
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return _page(request, list(rows.order_by("-pk")[: size + 1]), size, "before")


def oldest_first(request: HttpRequest, rows: QuerySet[M], size: int) -> Page[M]:
    """The page that the address asks for by `after`, an id."""
    after = uuid_or_none(request.GET.get("after"))
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return _page(request, list(rows.order_by("pk")[: size + 1]), size, "after")


def _page(request: HttpRequest, rows: list[M], size: int, cursor: str) -> Page[M]:
    further = query(request, **{cursor: str(rows[size - 1].pk)}) if len(rows) > size else None
    first = query(request, **{cursor: None}) if request.GET.get(cursor) else None
    return Page(rows[:size], further, first)


def query(request: HttpRequest, **changes: str | None) -> str:
    """The address's query with some keys set, or left out (None)."""
    changed: QueryDict = request.GET.copy()
    for key, value in changes.items():
        changed.pop(key, None)
        if value is not None:
            changed[key] = value
    return "?" + changed.urlencode()


def uuid_or_none(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
