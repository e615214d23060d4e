"""What every answer has in common: its JSON, its version, its pages, and not being done twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar
from uuid import UUID

from django.db import connection, models, transaction
from django.http import HttpResponse
from django.utils import timezone
from ninja.operation import Operation
from ninja.utils import contribute_operation_callback
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from postcall.api.keys import ApiRequest
from postcall.api.models import IdempotentRequest
from postcall.api.problems import Problem
from postcall.ids import first_id
from postcall.shapes import Strict
from postcall.workspaces.encryption import CannotDecrypt
from postcall.workspaces.scope import within

JSON: Final = "application/json; charset=utf-8"
MAX_PAGE: Final = 200
ANSWERS_KEPT_FOR: Final = timedelta(days=1)
KEPT_HEADERS: Final = ("ETag", "Location")


class Out(BaseModel):
    """One thing as the API shows it. `volatile` fields change by themselves and make no new version of it."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)
    volatile: ClassVar[frozenset[str]] = frozenset()


def answer(out: BaseModel, status: int = 200) -> HttpResponse:
    return HttpResponse(out.model_dump_json(by_alias=True), status=status, content_type=JSON)


def nothing() -> HttpResponse:
    """204: done, and nothing to say about it."""
    return HttpResponse(status=204)


def versioned(out: Out, status: int = 200) -> HttpResponse:
    """One thing with its ETag, by which a later change can be made conditional."""
    response = answer(out, status)
    response["ETag"] = etag(out)
    return response


def etag(out: Out) -> str:
    shown = out.model_dump_json(by_alias=True, exclude=set(out.volatile))
    return f'"{hashlib.sha256(shown.encode()).hexdigest()[:32]}"'


def check_version(request: ApiRequest, present: Out) -> None:
    """Honours If-Match: 412 when the thing is no longer what the sender saw."""
    asked = request.headers.get("If-Match", "").strip()
    if not asked or asked == "*":
        return
    if etag(present) not in [one.strip() for one in asked.split(",")]:
        raise Problem(412, "this has changed since you read it: read it again, then decide")


Item = TypeVar("Item", bound=BaseModel)
Row = TypeVar("Row", bound=models.Model)


class Page(BaseModel, Generic[Item]):
    """A part of a list, newest first. `next` is the cursor of the next part; null: this is the last."""

    items: list[Item]
    next: str | None = Field(default=None, description="Pass it as `cursor` to go on.")


def _spelt_out(value: Any) -> Any:
    # In a query a plus sign means a space; who leaves it unescaped means the offset.
    return value.replace(" ", "+") if isinstance(value, str) and "T" in value else value


Moment = Annotated[
    AwareDatetime | date,
    BeforeValidator(_spelt_out),
    Field(description="RFC 3339, or a date (its midnight in UTC)."),
]


class Paging(Strict):
    """The query of every list. Unknown parameters are refused: a misspelt filter would show everything."""

    cursor: UUID | None = Field(default=None, description="The `next` of the page before.")
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)


def page_of(rows: models.QuerySet[Row], paging: Paging, shape: Callable[[Row], Item]) -> HttpResponse:
    """The asked page of `rows`: newest first, since ids sort by the moment they were made."""
    if paging.cursor is not None:
        rows = rows.filter(id__lt=paging.cursor)
    found = list(rows.order_by("-id")[: paging.limit + 1])
    shown = found[: paging.limit]
    more = len(found) > paging.limit
    return answer(Page(items=[shape(row) for row in shown], next=str(shown[-1].pk) if more else None))


def between(rows: models.QuerySet[Row], start: Moment | None, end: Moment | None) -> models.QuerySet[Row]:
    """Rows made from `start` on and before `end`, by the moment that their ids carry (to the millisecond)."""
    if start is not None:
        rows = rows.filter(id__gte=first_id(start))
    if end is not None:
        rows = rows.filter(id__lt=first_id(end))
    return rows


View = TypeVar("View", bound=Callable[..., HttpResponse])


def once(view: View) -> View:
    """Honours Idempotency-Key on a POST: what the first request did and answered is answered again.

    The key, what was done and the answer are one transaction: after a crash either all of it is there, and the
    repeated request gets the answer, or none, and it is done now. A refusal is not remembered.
    """
    # Ninja reads the view's signature first; only then the operation gets the view that looks at the key.
    contribute_operation_callback(view, _keyed)
    return view


def _keyed(operation: Operation) -> None:
    view = operation.view_func

    def keyed(request: ApiRequest, **arguments: Any) -> HttpResponse:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return view(request, **arguments)  # type: ignore[no-any-return]  # our views answer so
        if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
            raise Problem(400, "Idempotency-Key: 1 to 255 printable ASCII characters are needed")
        with transaction.atomic():
            row, told = _remembered(request, key)
            if told is not None:
                return told
            response: HttpResponse = view(request, **arguments)
            row.status, row.body = response.status_code, _written(response)
            row.content_type = response.headers.get("Content-Type", "")
            row.save()
            return response

    operation.view_func = keyed


def _remembered(request: ApiRequest, key: str) -> tuple[IdempotentRequest, HttpResponse | None]:
    workspace = request.auth.workspace
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 1))", [f"idempotency {workspace.pk} {key}"]
        )
        if not cursor.fetchone()[0]:
            raise Problem(
                409, "the first request with this Idempotency-Key is still under way: ask again in a moment"
            )
    digest = hashlib.sha256(
        b"\n".join((str(request.method).encode(), request.get_full_path().encode(), request.body))
    )
    try:
        row = within(workspace, IdempotentRequest).filter(key=key).first()
    except CannotDecrypt:
        raise Problem(
            409, "this was done, but its answer cannot be given again: it was encrypted with another secret key"
        ) from None
    if row is not None and row.created_at < timezone.now() - ANSWERS_KEPT_FOR:
        row.delete()
        row = None
    if row is None:
        return IdempotentRequest(workspace=workspace, key=key, request_digest=digest.hexdigest()), None
    if row.request_digest != digest.hexdigest():
        raise Problem(422, "this Idempotency-Key came with another request before: use a new key for a new request")
    return row, _opened(row)


def _written(response: HttpResponse) -> str:
    """The answer for its repetition."""
    kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return json.dumps({"headers": kept, "body": response.content.decode()})


def _opened(row: IdempotentRequest) -> HttpResponse:
    kept = json.loads(row.body)
    headers = kept["headers"] | {"Idempotency-Replayed": "true"}
    return HttpResponse(kept["body"], status=row.status, content_type=row.content_type, headers=headers)


def forget_old_answers() -> int:
    """Deletes the answers that are no longer given again; returns how many. For the housekeeping."""
    old = IdempotentRequest.objects.filter(created_at__lt=timezone.now() - ANSWERS_KEPT_FOR)
    return old.delete()[0]
