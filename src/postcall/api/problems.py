"""Every refusal of the machines' doors, as RFC 9457 has it: `application/problem+json`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from pydantic import BaseModel, Field

from postcall.agents.editing import CannotEdit, Conflict
from postcall.calls.replay import CannotReplay
from postcall.followups import review
from postcall.messages import operator
from postcall.sources.reading import NotJson
from postcall.testbench import runs as bench

log = structlog.get_logger(__name__)

CONTENT_TYPE: Final = "application/problem+json"
MAX_BODY: Final = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
RETRY_AFTER_S: Final = 5


class FieldError(BaseModel):
    """One thing that is wrong with the request."""

    field: str = Field(
        description="The field's dotted path, such as `transcript.0.role`; empty: the body as a whole.",
        examples=["transcript.0.role"],
    )
    message: str = Field(examples=["Input should be 'agent', 'customer', 'system' or 'tool'"])


class ProblemDetails(BaseModel):
    """What went wrong, for programs and for people (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["1 field is wrong"])
    code: str = Field(default="", description="Which refusal it is, where several are possible.")
    errors: list[FieldError] = Field(default_factory=list)


class Problem(Exception):
    """A refusal: its HTTP status, what is wrong and how to mend it in one sentence, and which fields. `code` tells
    refusals of the same status apart."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[tuple[str, str]] = (),
        headers: dict[str, str] | None = None,
        code: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.code = code

    def response(self) -> HttpResponse:
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.code:
            body["code"] = self.code
        if self.errors:
            body["errors"] = [{"field": field, "message": message} for field, message in self.errors]
        return HttpResponse(json.dumps(body), status=self.status, content_type=CONTENT_TYPE, headers=self.headers)


def wrong_fields(errors: Sequence[tuple[str, str]]) -> Problem:
    """The body was read, but fields of it are wrong."""
    first, said = errors[0]
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return Problem(422, f"{f'`{first}`' if first else 'the body'}: {said}{more}", errors)


def too_large() -> Problem:
    return Problem(413, f"the body is larger than {MAX_BODY // 1024**2} MiB", headers={"Connection": "close"})


def problem_for(error: Exception) -> Problem:
    """What an exception means to whoever sent the request. An unforeseen one is logged with its traceback, and
    the answer carries nothing of it but a reference."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, NotJson):
        return Problem(400, str(error))
    if isinstance(error, RecursionError):
        return Problem(400, "not readable: nested too deeply")
    if isinstance(error, CannotEdit):
        status = 409 if isinstance(error, Conflict) else 422
        return Problem(status, str(error), [(error.field, str(error))] if error.field else ())
    if isinstance(error, review.NotPossible | CannotReplay):
        return Problem(409, str(error), code=error.code)
    if isinstance(error, operator.NotPossible):
        return Problem(409, str(error))
    if isinstance(error, bench.NotPossible):
        if error.code == "no_condition":
            return wrong_fields([("condition", str(error))])
        return Problem(409, str(error), code=error.code)
    if isinstance(error, RequestDataTooBig):
        return too_large()
    if isinstance(error, Http404):
        return Problem(404, "there is nothing at this address; /api/v1/docs lists what there is")
    if isinstance(error, (OperationalError, InterfaceError)):
        log.error("database unavailable", error=str(error).splitlines()[0] if str(error) else type(error).__name__)
        return database_down()
    reference = uuid.uuid4().hex[:12]
    log.error("request failed", reference=reference, exc_info=error)
    return Problem(
        500,
        f"Postcall made a mistake; its log has the particulars under the reference {reference}. "
        "It is safe to send the same request again",
    )


def database_down() -> Problem:
    return Problem(
        503,
        "the database cannot be reached at the moment; nothing was stored: please send the same request again",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


_IN_WORDS: Final = {
    400: "the request cannot be understood",
    403: "this is not allowed",
    404: "there is nothing at this address; /api/v1/docs lists what there is",
    405: "this address does not take this method",
    413: f"the body is larger than {MAX_BODY // 1024**2} MiB",
    500: "Postcall made a mistake; its log has the particulars",
}


def as_problem(response: HttpResponse, detail: str = "") -> HttpResponse:
    """A refusal that Django wrote for browsers, as one for programs; its headers (`Allow`) are kept."""
    status = response.status_code
    if status == 405 and not detail:
        detail = f"{_IN_WORDS[405]}; it takes {response.headers.get('Allow') or 'none'}"
    headers = {
        name: value for name, value in response.headers.items() if name not in ("Content-Type", "Content-Length")
    }
    return Problem(status, detail or _IN_WORDS.get(status, HTTPStatus(status).phrase), headers=headers).response()
