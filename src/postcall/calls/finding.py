"""Finding calls by what was said, known or sent, and by numbers, through indexes however many calls there are.

A typed word finds every word that begins with it; all typed words must stand in the call (what was said, the values
that it brought, its external id), or all in one of its texts. Digits are found anywhere in a number.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django.db.models import BooleanField, F, Func, Q, QuerySet

from postcall.calls.models import Call
from postcall.work.among import Among, Ids, common, few
from postcall.workspaces.models import Workspace

# What more than so many calls have is looked for newest first instead, where it soon turns up.
MANY: Final = 10_000

_FOUND: Final = "words @@ (postcall_asked(%s) || %s::tsquery)"
_SENT: Final = "body <> '' AND postcall_words(body) @@ postcall_asked(%s)"


def with_words(calls: QuerySet[Call], workspace: Workspace, typed: str, numbers: str = "") -> QuerySet[Call]:
    """Those of the workspace's `calls` in which these words stand, or whose external id begins so; `numbers`: more
    of the query, for what is a number too."""
    typed = typed.strip()
    named = _begins("=", typed.lower()) + numbers
    said = _said(workspace, typed, named)
    sent = _sent(workspace, typed)
    if said is not None and sent is not None:
        return calls.filter(Among(said, sent))
    in_texts = _Sent(typed) if sent is None else Among(sent)
    in_calls = _Found(typed, named) if said is None else Among(said)
    return calls.filter(Q(in_calls) | Q(in_texts))


def with_number(
    calls: QuerySet[Call], workspace: Workspace, typed: str, *, anywhere: bool = False
) -> QuerySet[Call]:
    """Those of the workspace's `calls` whose customer's number has the typed digits; `anywhere`: or the agent's, or
    what `with_words` finds: a booking's number may look like a phone's."""
    digits = re.sub(r"\D", "", typed)
    if not digits:
        return calls.none()
    wanted = _begins("#", digits)
    if anywhere:
        return with_words(calls, workspace, typed, f" | {wanted} | {_begins('@', digits)}")
    found = _said(workspace, "", wanted)
    return calls.filter(_Found("", wanted)) if found is None else calls.filter(Among(found))


def _begins(mark: str, text: str) -> str:
    """As a query: a number or id that is kept with this mark before it, and begins with `text`."""
    quoted = (mark + text).replace("\\", "\\\\").replace("'", "''")
    return f"'{quoted}':*"


def _said(workspace: Workspace, typed: str, named: str) -> Ids | None:
    """The calls whose own words fit; None: many."""
    if common("call", "words", _FOUND, workspace.pk, [typed, named]):
        return None
    select = f"SELECT id FROM call WHERE workspace_id = %s AND {_FOUND}"  # noqa: S608  # our own words
    return few(select, [workspace.pk, typed, named], MANY)


def _sent(workspace: Workspace, typed: str) -> Ids | None:
    """The calls with a text that fits; None: many."""
    if common("follow_up", "body", _SENT, workspace.pk, [typed]):
        return None
    select = f"SELECT call_id FROM follow_up WHERE workspace_id = %s AND {_SENT}"  # noqa: S608  # our own words
    return few(select, [workspace.pk, typed], MANY)


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
