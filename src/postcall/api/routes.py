"""The API as a whole: how requests are read, how refusals are written, and the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Router
from ninja.errors import AuthenticationError, HttpError, ValidationError, ValidationErrorContext
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.parser import Parser
from ninja.utils import contribute_operation_callback

from postcall.api.keys import READ, unauthorized
from postcall.api.problems import CONTENT_TYPE, Problem, ProblemDetails, problem_for, wrong_fields
from postcall.sources.reading import errors_of, read_json

DESCRIPTION: Final = """\
Postcall sends the right text message after a phone call that an AI voice agent handled.

**Keys.** Every request carries `Authorization: Bearer KEY`. A key belongs to one workspace and has one scope:
`read` reads, `ingest` also puts calls in and tries things out (`POST /calls`, `POST /test`), `admin` does all.

**Errors** are `application/problem+json` (RFC 9457); `errors[]` names the fields by their paths. Another
workspace's id is a 404. A field or filter that does not exist is refused, never ignored.

**Lists** come newest first as `{"items": […], "next": "…"}`; pass `next` as `cursor` to go on.

**Twice is once.** A call is known by its `external_id`. Any other POST that would do something twice may carry an
`Idempotency-Key`: for a day the same request with the same key gets the first one's answer (marked
`Idempotency-Replayed: true`).

**Versions.** One thing comes with an `ETag`; a PUT or DELETE with `If-Match` is refused with 412 when it changed.

Times are RFC 3339 in UTC, phone numbers E.164, money a decimal string with its `currency`.
"""


# Operations that leave no audit entry, and why.
UNAUDITED: Final = {
    "create_call": "a call is what happened, not a change of how Postcall works; its own row tells all of it",
    "test": "nothing is stored, nothing is sent",
    "estimate_backtest": "nothing is begun",
}

# POSTs that may be repeated as one likes, and so take no Idempotency-Key.
REPEATABLE: Final = frozenset({"test", "estimate_backtest", "recheck_twilio", "test_webhook"})
# Operations that ask somebody else: the transaction of the change, and of its audit entry, is not open meanwhile.
ASK_FIRST: Final = frozenset({"recheck_twilio", "test_webhook"})


class Routes(Router):
    """A part of the API. Fields are written by their public names, a query parameter that an address does not know
    is refused, and a change and its audit entry are one transaction."""

    def add_api_operation(
        self, path: str, methods: list[str], view_func: Callable[..., Any], **options: Any
    ) -> None:
        if "GET" not in methods and options.get("operation_id") not in {*UNAUDITED, *ASK_FIRST}:
            contribute_operation_callback(view_func, _as_one)
        contribute_operation_callback(view_func, _refuse_unknown_query)
        super().add_api_operation(path, methods, view_func, **options | {"by_alias": True})


def _as_one(operation: Operation) -> None:
    operation.view_func = transaction.atomic(operation.view_func)


def _refuse_unknown_query(operation: Operation) -> None:
    view = operation.view_func
    known: set[str] = set()
    for model in operation.models:
        if model.__ninja_param_source__ == "query":
            known |= set(getattr(model, "__ninja_flatten_map__", {}))

    def strict(request: HttpRequest, **arguments: Any) -> Any:
        if unknown := [name for name in request.GET if name not in known]:
            there = f"there is {', '.join(sorted(known))}" if known else "there is none here"
            raise wrong_fields([(name, f"no such query parameter; {there}") for name in unknown])
        if repeated := [name for name, values in request.GET.lists() if len(values) > 1]:
            raise wrong_fields([(name, "given more than once; it takes one value") for name in repeated])
        return view(request, **arguments)

    operation.view_func = strict


class _Bodies(Parser):
    """JSON, whatever the Content-Type calls it."""

    def parse_body(self, request: HttpRequest) -> Any:
        return read_json(request.body)


class _Api(NinjaAPI):
    def validation_error_from_error_contexts(
        self, error_contexts: list[ValidationErrorContext[Any]]
    ) -> ValidationError:
        found: list[dict[str, Any]] = []
        for context in error_contexts:
            source = context.model.__ninja_param_source__
            # A body and a query's shape stand under their argument's name, which nobody outside knows.
            whole = source == "body" or bool(
                getattr(context.model, "__ninja_flatten_map__", {}).keys() - context.model.model_fields.keys()
            )
            for field, message in errors_of(context.pydantic_validation_error, strip=1 if whole else 0):
                found.append({"field": field, "message": message})
        return ValidationError(found)

    def get_openapi_schema(self, **where: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(**where)
        _describe_problems(schema)
        return schema


def _describe_problems(schema: OpenAPISchema) -> None:
    model = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = schema["components"].setdefault("schemas", {})
    schemas.update(model.pop("$defs"))
    schemas["ProblemDetails"] = model
    problem = {
        "description": "A refusal: what is wrong and how to mend it",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
    }
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            for status in _refusals(path, method, operation):
                operation["responses"][status] = problem | {"description": HTTPStatus(status).phrase}
            operation["responses"]["default"] = problem
            if method == "post" and operation["operationId"] not in REPEATABLE:
                _header(operation, "Idempotency-Key", "The same request with the same key is done once.", 255)
            if method in ("put", "delete"):
                _header(operation, "If-Match", "The ETag that you saw: 412 when the thing has changed since.", 255)


def _refusals(path: str, method: str, operation: dict[str, Any]) -> Iterator[int]:
    """The statuses with which an operation may refuse what it is asked; docs/api.md says when."""
    yield from (401, 422, 503)
    if "{" in path or path.endswith("/test"):
        yield 404
    if path.endswith("/test"):
        yield 502
    if method != "get":
        yield from (400, 403, 409)
    if method in ("put", "delete"):
        yield 412
    if "requestBody" in operation:
        yield 413


def _header(operation: dict[str, Any], name: str, description: str, longest: int) -> None:
    schema = {"type": "string", "minLength": 1, "maxLength": longest, "pattern": "^[ -~]+$"}
    operation["parameters"] = [
        *operation["parameters"],
        {"in": "header", "name": name, "required": False, "description": description, "schema": schema},
    ]


api = _Api(
    title="Postcall",
    version=version("postcall"),
    description=DESCRIPTION,
    urls_namespace="api",
    auth=READ,
    parser=_Bodies(),
    openapi_extra={"info": {"license": {"name": "MIT"}}},
)


def _refuse(_: HttpRequest, error: Any) -> HttpResponse:
    return _problem(error).response()


def _problem(error: Exception) -> Problem:
    if isinstance(error, ValidationError):
        return wrong_fields([(one["field"], one["message"]) for one in error.errors])
    if isinstance(error, AuthenticationError):
        return unauthorized("the request carries no key: send `Authorization: Bearer KEY`")
    if isinstance(error, HttpError) and isinstance(error.__cause__, Exception):
        return problem_for(error.__cause__)  # what our own reading of the body raised
    if isinstance(error, HttpError):
        return Problem(error.status_code, error.message)
    return problem_for(error)


for _kind in (Exception, Http404, HttpError, ValidationError):
    api.add_exception_handler(_kind, _refuse)
