"""Finding calls by what was said, known or sent, and by numbers, through indexes however many calls there are.

A typed word finds every word that begins with it; all typed words must stand in the call (what was said, the values
that it brought, its external id), or all in one of its texts. Digits are found anywhere in a number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import BooleanField, F, Func, Q, QuerySet

from postcall.calls.models import Call
from postcall.workspaces.models import Workspace

# What more than so many calls have is looked for newest first instead, where it soon turns up.
MANY: Final = 2_000

_FOUND: Final = "words @@ (postcall_asked(%s) || %s::tsquery)"
_SENT: Final = "body <> '' AND postcall_words(body) @@ postcall_asked(%s)"


def with_words(calls: QuerySet[Call], workspace: Workspace, typed: str) -> QuerySet[Call]:
    """Those of the workspace's `calls` in which these words stand, or whose external id begins so."""
    typed = typed.strip()
    named = _begins("=", typed.lower())
    said = _ids("call", "id", _FOUND, [workspace.pk, typed, named])
    sent = _ids("follow_up", "call_id", _SENT, [workspace.pk, typed])
    if said is not None and sent is not None:
        return calls.filter(pk__in={*said, *sent})
    in_texts = Q(_Sent(typed)) if sent is None else Q(pk__in=sent)
    in_calls = Q(_Found(typed, named)) if said is None else Q(pk__in=said)
    return calls.filter(in_calls | in_texts)


def with_number(
    calls: QuerySet[Call], workspace: Workspace, typed: str, *, anywhere: bool = False
) -> QuerySet[Call]:
    """Those of the workspace's `calls` whose customer's number has the typed digits; `anywhere`: or the agent's,
    or an external id that begins as typed."""
    digits = re.sub(r"\D", "", typed)
    if not digits:
        return calls.none()
    wanted = _begins("#", digits)
    if anywhere:
        wanted = f"{wanted} | {_begins('@', digits)} | {_begins('=', typed.strip().lower())}"
    found = _ids("call", "id", _FOUND, [workspace.pk, "", wanted])
    return calls.filter(_Found("", wanted)) if found is None else calls.filter(pk__in=found)


def _begins(mark: str, text: str) -> str:
    """As a query: a number or id that is kept with this mark before it, and begins with `text`."""
    quoted = (mark + text).replace("\\", "\\\\").replace("'", "''")
    return f"'{quoted}':*"


def _ids(table: str, column: str, where: str, parameters: Sequence[Any]) -> list[UUID] | None:
    """The calls of which it holds; None: many."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {column} FROM {table} WHERE workspace_id = %s AND {where} LIMIT %s",  # noqa: S608  # our names
            [*parameters, MANY + 1],
        )
        found = [row[0] for row in cursor.fetchall()]
    return None if len(found) > MANY else found


class _Found(Func):
    """Whether the call's own words fit, looked at call by call: IS TRUE keeps the planner from the index."""

    output_field = BooleanField()

    def __init__(self, typed: str, named: str) -> None:
        super().__init__(F("external_id"))
        self.asked = (typed, named)

    def as_sql(self, compiler: Any, *_: Any, **__: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        column, _parameters = compiler.compile(self.source_expressions[0])
        table = column.rpartition(".")[0]
        return f"({table}.{_FOUND}) IS TRUE", list(self.asked)


class _Sent(Func):
    """Whether a text of the call fits, looked at call by call: OFFSET keeps the planner from reading all texts."""

    output_field = BooleanField()

    def __init__(self, typed: str) -> None:
        super().__init__(F("pk"))
        self.typed = typed

    def as_sql(self, compiler: Any, *_: Any, **__: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        call, _parameters = compiler.compile(self.source_expressions[0])
        return f"EXISTS (SELECT FROM follow_up WHERE call_id = {call} AND {_SENT} OFFSET 0)", [self.typed]
