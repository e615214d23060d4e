"""/audit, and what every change by a key leaves in it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from typing import Any, Final, Literal
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from ninja import Query
from pydantic import Field

from postcall.api.answers import Moment, Out, Page, Paging, between, page_of
from postcall.api.filters import Words
from postcall.api.keys import ADMIN, ApiRequest
from postcall.api.routes import Routes
from postcall.workspaces.audit import Actor, Changes, Thing, difference, found
from postcall.workspaces.audit import record as add
from postcall.workspaces.models import AuditEntry
from postcall.workspaces.scope import within

routes = Routes(tags=["Audit"])

# What an answer shows beside the thing itself, or what follows from the rest; an address holds its token.
_UNTOLD: Final = frozenset(
    {"id", "created_at", "updated_at", "warnings", "segments", "unbound", "url", "inbound_url"}
)
_HIDDEN: Final = frozenset({"message"})  # its revisions hold the words
_COLUMNS: Final = (
    "id", "at", "actor_kind", "actor_id", "actor_name",
    "verb", "object_kind", "object_id", "object_name", "changes",
)  # fmt: skip
_AT_ONCE: Final = 1_000


class ActorOut(Out):
    kind: Literal["user", "key", "cli", "system"]
    id: str
    name: str


class ThingOut(Out):
    kind: str
    id: str
    name: str


class AuditEntryOut(Out):
    """One change. Names are those of that moment."""

    id: UUID
    at: datetime
    actor: ActorOut
    verb: str = Field(examples=["update"])
    object: ThingOut
    changes: dict[str, Any] = Field(
        description='By field: [before, after], or "changed" where neither is shown.',
        examples=[{"mode": ["off", "live"], "auth": "changed"}],
    )


class AuditFilters(Paging):
    actor: Words | None = Field(default=None, description="A kind (user, key, cli, system), an id, or a name.")
    verb: Words | None = None
    object: Words | None = Field(default=None, description="A kind such as `action`, or an id.")
    from_: Moment | None = Field(default=None, alias="from", description="Done from then on.")
    to: Moment | None = Field(default=None, description="Done before then.")
    format: Literal["json", "csv"] | None = Field(
        default=None, description="`csv`, or `Accept: text/csv`: all that fits, in one answer."
    )


@routes.get(
    "/audit",
    response=Page[AuditEntryOut],
    auth=ADMIN,
    summary="Who changed what",
    operation_id="list_audit",
    openapi_extra={"responses": {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}},
)
def list_audit(request: ApiRequest, filters: Query[AuditFilters]) -> HttpResponse | StreamingHttpResponse:
    entries = within(request.auth.workspace, AuditEntry)
    fitting = found(entries, actor=filters.actor, verb=filters.verb, thing=filters.object)
    rows = between(fitting, filters.from_, filters.to)
    accepts = request.headers.get("Accept", "")
    if filters.format == "csv" or (filters.format is None and accepts.startswith("text/csv")):
        return _as_csv(rows)
    return page_of(rows, filters, _out)


def _out(entry: AuditEntry) -> AuditEntryOut:
    return AuditEntryOut(
        id=entry.pk,
        at=entry.at,
        actor=ActorOut(kind=entry.actor_kind, id=entry.actor_id, name=entry.actor_name),
        verb=entry.verb,
        object=ThingOut(kind=entry.object_kind, id=entry.object_id, name=entry.object_name),
        changes=entry.changes,
    )


def _as_csv(rows: QuerySet[AuditEntry]) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        _lines(rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="audit.csv"'},
    )


def _lines(rows: QuerySet[AuditEntry]) -> Iterator[str]:
    """A part of the file at a time: the whole is never in memory."""
    yield _line(_COLUMNS)
    newest = rows.order_by("-id")
    part = list(newest[:_AT_ONCE])
    while part:
        yield "".join(_line([_cell(getattr(entry, name)) for name in _COLUMNS]) for entry in part)
        part = list(newest.filter(id__lt=part[-1].pk)[:_AT_ONCE])


def _cell(value: Any) -> str:
    """A spreadsheet would take what begins so for a formula, and reckon it."""
    text = value.isoformat() if isinstance(value, datetime) else value
    text = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False, default=str).strip('"')
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _line(cells: Any) -> str:
    written = StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def record(
    request: ApiRequest,
    verb: str,
    thing: Thing,
    *,
    before: Out | None = None,
    after: Out | None = None,
    changes: Changes | None = None,
) -> None:
    """Notes what the request's key did. `before` and `after` are the thing as the API shows it, which is never a
    secret; `changes` are told besides."""
    told = difference(_told(before), _told(after), hidden=_HIDDEN) | dict(changes or {})
    add(request.auth.workspace, Actor.of_key(request.auth), verb, thing, told)


def _told(out: Out | None) -> dict[str, Any] | None:
    if out is None:
        return None
    shown = out.model_dump(mode="json", by_alias=True, exclude=set(out.volatile | _UNTOLD))
    return {name: value for name, value in shown.items() if value not in (None, "", [], {})}
