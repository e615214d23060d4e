"""/sources"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from ninja import Query
from pydantic import Field

from postcall.api.answers import Out, Page, Paging, check_version, nothing, once, page_of, versioned
from postcall.api.audit import record
from postcall.api.finding import one
from postcall.api.keys import ADMIN, ApiRequest
from postcall.api.routes import Routes
from postcall.sources.editing import SourceContent, address_of, auth_of, create_source, delete_source, update_source
from postcall.sources.models import RefusedDelivery, Source
from postcall.workspaces.audit import CHANGED, Changes, Thing
from postcall.workspaces.models import ApiKey
from postcall.workspaces.scope import within

routes = Routes(tags=["Sources"])


class RejectedOut(Out):
    """Deliveries that were refused: a signature that does not hold, or a body that cannot be read."""

    count: int
    last_reason: str | None
    last_at: datetime | None


class RefusalOut(Out):
    """One delivery that was refused, or several for the same reason within a minute."""

    id: UUID
    reason: str
    count: int
    first_at: datetime
    last_at: datetime


class SourceOut(Out):
    """A connection to a voice platform. Its secret is never shown."""

    volatile: ClassVar[frozenset[str]] = frozenset({"last_received_at", "rejected"})

    id: UUID
    kind: str
    name: str
    url: str | None = Field(
        description="Where the platform has to send its webhooks. Null for `read` keys where `verified` is false: "
        "knowing it is the right to put calls in."
    )
    verified: bool = Field(
        description="False: this platform does not sign, so whoever knows `url` can put calls in."
    )
    previous_secret: bool = Field(description="Whether the secret before the present one is still accepted.")
    last_received_at: datetime | None
    rejected: RejectedOut
    created_at: datetime
    updated_at: datetime


class NewSourceOut(SourceOut):
    """A new source. `secret` is there only when Postcall made it, and only this once."""

    secret: str | None = Field(examples=["whsec_…"])


@routes.get("/sources", response=Page[SourceOut], summary="List sources", operation_id="list_sources")
def list_sources(request: ApiRequest, paging: Query[Paging]) -> HttpResponse:
    return page_of(_sources(request), paging, lambda source: source_out(source, request.auth.scope))


@routes.post(
    "/sources", response={201: NewSourceOut}, auth=ADMIN, summary="Connect a source", operation_id="create_source"
)
@once
def create(request: ApiRequest, content: SourceContent) -> HttpResponse:
    """Without `auth` a generic source gets a secret, which the answer shows this once."""
    source, made = create_source(request.auth.workspace, content)
    shown = source_out(source)
    record(request, "create", _thing(shown), after=shown, changes=_secrets(content))
    whole = NewSourceOut(**shown.model_dump(), secret=(made or {}).get("secret"))
    response = versioned(whole, 201)
    response["ETag"] = versioned(shown)["ETag"]
    return response


@routes.get("/sources/{uuid:source_id}", response=SourceOut, summary="One source", operation_id="get_source")
def read(request: ApiRequest, source_id: UUID) -> HttpResponse:
    return versioned(source_out(_source(request, source_id), request.auth.scope))


@routes.get(
    "/sources/{uuid:source_id}/refusals",
    response=Page[RefusalOut],
    summary="List refused deliveries",
    operation_id="list_refusals",
)
def list_refusals(request: ApiRequest, source_id: UUID, paging: Query[Paging]) -> HttpResponse:
    """When and why deliveries to a source were refused; of each source the latest ones, for thirty days. What they
    said is not kept."""
    rows = within(request.auth.workspace, RefusedDelivery).filter(source=_source(request, source_id))
    return page_of(rows, paging, _refusal_out)


def _refusal_out(row: RefusedDelivery) -> RefusalOut:
    return RefusalOut(id=row.pk, reason=row.reason, count=row.count, first_at=row.first_at, last_at=row.last_at)


@routes.put(
    "/sources/{uuid:source_id}",
    response=SourceOut,
    auth=ADMIN,
    summary="Change a source",
    operation_id="update_source",
)
def change(request: ApiRequest, source_id: UUID, content: SourceContent) -> HttpResponse:
    """A new secret makes the present one the previous, which is accepted as well until a change says
    `"previous": null`. Without `auth` it stays as it is."""
    source = _locked(request, source_id)
    before = source_out(source)
    check_version(request, before)
    update_source(source, content)
    after = source_out(source)
    record(request, "update", _thing(after), before=before, after=after, changes=_secrets(content))
    return versioned(after)


@routes.delete(
    "/sources/{uuid:source_id}",
    response={204: None},
    auth=ADMIN,
    summary="Disconnect a source",
    operation_id="delete_source",
)
def delete(request: ApiRequest, source_id: UUID) -> HttpResponse:
    """Its address answers 404 from now on; its calls stay."""
    source = _locked(request, source_id)
    before = source_out(source)
    check_version(request, before)
    delete_source(source)
    record(request, "delete", _thing(before))
    return nothing()


def _thing(source: SourceOut) -> Thing:
    return Thing("source", source.id, source.name)


def _secrets(content: SourceContent) -> Changes:
    return {"auth": CHANGED} if content.auth is not None else {}


def source_out(source: Source, scope: str = ApiKey.Scope.ADMIN) -> SourceOut:
    auth = auth_of(source)
    tells = bool(auth) or scope != ApiKey.Scope.READ
    return SourceOut(
        id=source.pk,
        kind=source.kind,
        name=source.name,
        url=address_of(source) if tells else None,
        verified=bool(auth),
        previous_secret="previous" in auth,
        last_received_at=source.last_received_at,
        rejected=RejectedOut(
            count=source.rejected_count,
            last_reason=source.last_rejected_reason or None,
            last_at=source.last_rejected_at,
        ),
        created_at=source.created_at,
        updated_at=source.updated_at,
    )


def _sources(request: ApiRequest) -> QuerySet[Source]:
    return within(request.auth.workspace, Source).filter(deleted_at=None)


def _source(request: ApiRequest, pk: UUID) -> Source:
    return one(_sources(request), pk, "source")


def _locked(request: ApiRequest, pk: UUID) -> Source:
    """Nobody else changes it until this transaction ends."""
    return one(_sources(request).select_for_update(), pk, "source")
