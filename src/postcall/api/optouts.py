"""/opt-outs"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpResponse
from ninja import Path, Query
from pydantic import Field

from postcall.api.answers import Out, Page, Paging, nothing, once, page_of, versioned
from postcall.api.audit import record
from postcall.api.filters import Digits, numbered
from postcall.api.keys import ADMIN, ApiRequest
from postcall.api.problems import Problem, wrong_fields
from postcall.api.routes import Routes
from postcall.followups import optouts
from postcall.followups.models import OptOut
from postcall.numbers import e164
from postcall.shapes import Strict, Text
from postcall.workspaces.audit import Thing
from postcall.workspaces.scope import within

routes = Routes(tags=["Opt-outs"])


class OptOutContent(Strict):
    number: Annotated[Text, Field(max_length=64)] = Field(examples=["+14155550132"])
    quote: Annotated[Text, Field(max_length=2_000)] = Field(default="", description="How it was said, if you know.")


class OptOutOut(Out):
    """A number that must not be texted. `number` is null where its owner was erased: its keyed hash is kept."""

    id: UUID
    number: str | None
    erased: bool
    origin: Literal["stop", "said", "operator", "twilio", "erased"]
    quote: str | None
    call_id: UUID | None
    created_at: datetime


class OptOutFilters(Paging):
    number: Digits | None = Field(default=None, description="Digits, anywhere in the number.")


@routes.get("/opt-outs", response=Page[OptOutOut], summary="List opt-outs", operation_id="list_opt_outs")
def list_opt_outs(request: ApiRequest, filters: Query[OptOutFilters]) -> HttpResponse:
    rows = within(request.auth.workspace, OptOut).filter(ended_at=None)
    return page_of(numbered(rows, filters.number, "number"), filters, _out)


@routes.post(
    "/opt-outs",
    response={200: OptOutOut, 201: OptOutOut},
    auth=ADMIN,
    summary="Opt a number out",
    operation_id="create_opt_out",
)
@once
def create(request: ApiRequest, content: OptOutContent) -> HttpResponse:
    """From this moment on nothing is sent to it. 200: it was opted out already."""
    number = e164(content.number)
    if number is None:
        raise wrong_fields([("number", "a phone number with its country code is needed, such as +14155550132")])
    row, new = optouts.opt_out(request.auth.workspace.pk, number, OptOut.Origin.OPERATOR.value, quote=content.quote)
    if new:
        record(request, "create", Thing("opt_out", row.pk, number))
    return versioned(_out(row), 201 if new else 200)


@routes.delete(
    "/opt-outs/{number}",
    response={204: None},
    auth=ADMIN,
    summary="Take an opt-out back",
    operation_id="delete_opt_out",
)
def delete(
    request: ApiRequest, number: Annotated[str, Path(description="E.164, such as +14155550132.")]
) -> HttpResponse:
    """For a number whose owner asked for texts again. Twilio's own block after a STOP ends only when the owner
    texts START."""
    found = e164(number)
    row = optouts.active_opt_out(request.auth.workspace.pk, found) if found else None
    if (
        row is None
        or found is None
        or not optouts.opt_in(request.auth.workspace.pk, found, OptOut.Origin.OPERATOR.value)
    ):
        raise Problem(404, "this number is not opted out in this workspace")
    record(request, "delete", Thing("opt_out", row.pk, found))
    return nothing()


def _out(row: OptOut) -> OptOutOut:
    return OptOutOut(
        id=row.pk,
        number=None if optouts.is_hashed(row.number) else row.number,
        erased=optouts.is_hashed(row.number),
        origin=row.origin,
        quote=row.quote or None,
        call_id=row.call_id,
        created_at=row.created_at,
    )
