"""/v2: Synthflow's API for SEND_SMS actions, so that a script written for it works with another address and key.

Synthflow's envelopes and names throughout: `{"status", "response"}`, and refusals as `{"detail"}`, or as
`{"error", "message"}` where Postcall has no such thing. What Synthflow would not say stands beside, as `warnings`.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal, TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import resolve
from ninja import NinjaAPI, Router
from ninja.errors import AuthenticationError, HttpError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from postcall.actions.models import Action, Attachment
from postcall.agents.models import Agent
from postcall.api.answers import JSON, MAX_PAGE, once
from postcall.api.keys import ADMIN, READ, ApiRequest, unauthorized
from postcall.api.problems import Problem, problem_for, wrong_fields
from postcall.sources.reading import errors_of, read_json
from postcall.synthflow import editing
from postcall.synthflow.editing import Unknown, Wanted
from postcall.synthflow.mappings import Mapped, read_mapped
from postcall.synthflow.showing import ACTION_TYPE, detailed_action, shown_action, shown_agent
from postcall.workspaces.audit import Actor
from postcall.workspaces.scope import within

PAGE: Final = 20
MOST_ATTACHED: Final = 100

# What Synthflow has and Postcall has not, and where the same is found.
INSTEAD: Final = {
    "INFORMATION_EXTRACTOR": "Leave it at your voice platform: a text takes what it found as an extracted "
    "value. Or bind the text's input to `llm`: Postcall reads the value out of the transcript itself",
    "CUSTOM_ACTION": "Leave it at your voice platform: a text takes what it answered as an action result",
    "REAL_TIME_BOOKING": "Leave it at your voice platform: a text takes what it answered as an action result",
    "LIVE_TRANSFER": "It belongs into the call: leave it at your voice platform",
    "INCALL_SMS": "Postcall texts after the call: use SEND_SMS",
    "INCALL_WHATSAPP": "Postcall texts after the call: use SEND_SMS",
    "CUSTOM_EVAL": "Put the question as a SEND_SMS action's `instructions`: its verdict stands at every call",
    "SEND_EMAIL": "Postcall sends no e-mail to callers: use SEND_SMS",
}


class NotHere(Exception):
    """Synthflow has it, Postcall has not: what that is, and what to use instead."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class _Given(BaseModel):
    """What Synthflow would not look at is not looked at here."""

    model_config = ConfigDict(extra="ignore")


class SmsIn(_Given):
    content: str | None = None
    instructions: str | None = None


class ActionIn(_Given):
    """One key names the type."""

    model_config = ConfigDict(extra="allow")

    SEND_SMS: SmsIn | None = None
    name: Any = None


ModelId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
ActionIds = Annotated[list[str], Field(max_length=MOST_ATTACHED)]


class ItemIn(_Given):
    action_id: str
    attachment_type: Literal["before", "during", "after"] | None = None
    trigger_condition: str | None = None
    input_variables_mapping: list[dict[str, Any]] | None = Field(default=None, max_length=200)

    @field_validator("input_variables_mapping")
    @classmethod
    def _named(cls, value: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        for number, entry in enumerate(value or ()):
            if read_mapped(entry) is None:
                raise ValueError(f"entry {number} has no `variable_name`")
        return value

    @property
    def mapped(self) -> list[Mapped]:
        return [each for entry in self.input_variables_mapping or () if (each := read_mapped(entry))]


class AttachIn(_Given):
    """Either form: `actions` alone, each variable found by its name, or `items` with their mappings."""

    model_id: ModelId
    actions: ActionIds | None = None
    items: Annotated[list[ItemIn], Field(max_length=MOST_ATTACHED)] | None = None

    @property
    def wanted(self) -> list[Wanted]:
        plain = [Wanted(each) for each in self.actions or ()]
        return plain + [
            Wanted(each.action_id, each.mapped, each.attachment_type, each.trigger_condition)
            for each in self.items or ()
        ]


class DetachIn(_Given):
    model_id: ModelId
    actions: ActionIds


routes = Router()


@routes.post("/actions/attach", auth=ADMIN, operation_id="attach_actions")
@once
def attach(request: ApiRequest) -> HttpResponse:
    body = _body(request, AttachIn)
    if not body.wanted:
        raise Problem(422, "actions: name at least one action, in `actions` or in `items`")
    warnings = editing.attach(request.auth.workspace, _actor(request), body.model_id, body.wanted)
    return _answer("success", {}, warnings)


@routes.post("/actions/detach", auth=ADMIN, operation_id="detach_actions")
def detach(request: ApiRequest) -> HttpResponse:
    body = _body(request, DetachIn)
    editing.detach(request.auth.workspace, _actor(request), body.model_id, body.actions)
    return _answer("success", {})


@routes.get("/actions", auth=READ, operation_id="list_actions")
def list_actions(request: ApiRequest) -> HttpResponse:
    rows = within(request.auth.workspace, Action).filter(deleted_at=None).select_related("revision")
    pagination, page = _page(request, rows)
    return _answer("ok", {"pagination": pagination, "actions": [shown_action(each) for each in page]})


@routes.post("/actions", auth=ADMIN, operation_id="create_action")
@once
def create(request: ApiRequest) -> HttpResponse:
    body = _body(request, ActionIn)
    sms = _sms(body)
    for name in ("content", "instructions"):
        if not (getattr(sms, name) or "").strip():
            raise wrong_fields([(f"SEND_SMS.{name}", "is required")])
    assert sms.content is not None
    assert sms.instructions is not None
    made = editing.create(request.auth.workspace, _actor(request), sms.content, sms.instructions, body.name)
    assert made.action.revision is not None
    response = {
        "action_id": str(made.action.pk),
        "action_type": ACTION_TYPE,
        "prompt_variables": made.action.revision.inputs,
    }
    return _answer("success", response, made.warnings)


@routes.get("/actions/{action_id}", auth=READ, operation_id="get_action")
def read(request: ApiRequest, action_id: str) -> HttpResponse:
    action = editing.find_action(request.auth.workspace, action_id)
    asked = request.GET.get("include_assistants", "").lower() in ("true", "1", "yes")
    return _answer("ok", {"actions": [detailed_action(action, _attachments(action) if asked else ())]})


@routes.put("/actions/{action_id}", auth=ADMIN, operation_id="update_action")
def change(request: ApiRequest, action_id: str) -> HttpResponse:
    body = _body(request, ActionIn)
    sms = _sms(body)
    for name in ("content", "instructions"):
        given = getattr(sms, name)
        if given is not None and not given.strip():
            raise wrong_fields([(f"SEND_SMS.{name}", "may not be empty; leave it out to keep what is there")])
    action = editing.find_action(request.auth.workspace, action_id)
    changed = editing.change(action, _actor(request), sms.content, sms.instructions, body.name)
    return _answer("success", {"action_id": str(action.pk)}, changed.warnings)


@routes.delete("/actions/{action_id}", auth=ADMIN, operation_id="delete_action")
def delete(request: ApiRequest, action_id: str) -> HttpResponse:
    editing.remove(editing.find_action(request.auth.workspace, action_id), _actor(request))
    return _answer("success", {"answer": "Action deleted"})


@routes.get("/assistants", auth=READ, operation_id="list_assistants")
def list_assistants(request: ApiRequest) -> HttpResponse:
    pagination, page = _page(request, _agents(request))
    return _answer("ok", {"pagination": pagination, "assistants": [shown_agent(each) for each in page]})


@routes.get("/assistants/{model_id}", auth=READ, operation_id="get_assistant")
def read_assistant(request: ApiRequest, model_id: str) -> HttpResponse:
    found = editing.find_agent(request.auth.workspace, model_id)
    agent = _agents(request).filter(pk=found.pk).first() if found else None
    if agent is None:
        raise Problem(404, f"Assistant {model_id[:100]} not found")
    pagination = {"total_records": 1, "limit": PAGE, "offset": 0}
    return _answer("ok", {"pagination": pagination, "assistants": [shown_agent(agent)]})


def _sms(body: ActionIn) -> SmsIn:
    """Refuses every type but SEND_SMS, and a body that names none, or several."""
    others = [key for key in body.model_extra or {} if key.isupper()]
    if others:
        instead = INSTEAD.get(others[0], f"There is no such type; there is {ACTION_TYPE}")
        raise NotHere("unsupported_action_type", f"Postcall has no {others[0][:60]} actions. {instead}.")
    if body.SEND_SMS is None:
        raise wrong_fields([(ACTION_TYPE, "is required: the one type of action that Postcall has")])
    return body.SEND_SMS


def _agents(request: ApiRequest) -> QuerySet[Agent]:
    rows = within(request.auth.workspace, Agent).filter(deleted_at=None)
    return rows.prefetch_related("external_ids", "attachments")


def _attachments(action: Action) -> QuerySet[Attachment]:
    living = action.attachments.filter(deleted_at=None).order_by("pk")
    return living.select_related("agent").prefetch_related("agent__external_ids")


Row = TypeVar("Row", bound=Model)
Shape = TypeVar("Shape", bound=BaseModel)


def _page(request: ApiRequest, rows: QuerySet[Row]) -> tuple[dict[str, int], list[Row]]:
    """The oldest first: what is made meanwhile moves nothing to another page."""
    limit = min(_number(request, "limit", PAGE, 1), MAX_PAGE)
    offset = _number(request, "offset", 0, 0)
    pagination = {"total_records": rows.count(), "limit": limit, "offset": offset}
    return pagination, list(rows.order_by("pk")[offset : offset + limit])


def _number(request: ApiRequest, name: str, default: int, least: int) -> int:
    given = request.GET.get(name, "").strip()
    if not given:
        return default
    if not (given.isascii() and given.isdigit() and len(given) <= 9 and int(given) >= least):
        raise wrong_fields([(name, f"a whole number from {least} on is needed")])
    return int(given)


def _body(request: ApiRequest, shape: type[Shape]) -> Shape:
    try:
        return shape.model_validate(read_json(request.body))
    except ValidationError as error:
        raise wrong_fields(errors_of(error)) from None


def _actor(request: ApiRequest) -> Actor:
    return Actor.of_key(request.auth)


def _answer(status: str, response: dict[str, Any], warnings: list[str] | None = None) -> HttpResponse:
    body: dict[str, Any] = {"status": status, "response": response}
    if warnings:
        body["warnings"] = list(dict.fromkeys(warnings))
    return _json(body)


def _json(body: dict[str, Any], status: int = 200) -> HttpResponse:
    return HttpResponse(json.dumps(body, ensure_ascii=False), status=status, content_type=JSON)


api = NinjaAPI(
    title="Postcall, as Synthflow speaks", urls_namespace="v2", docs_url=None, openapi_url=None, auth=READ
)
api.add_router("", routes)


def _refuse(_: HttpRequest, error: Any) -> HttpResponse:
    if isinstance(error, NotHere):
        return _json({"error": error.code, "message": str(error)}, error.status)
    problem = _problem(error)
    response = _json({"detail": problem.detail}, problem.status)
    for name, value in problem.headers.items():
        response[name] = value
    return response


def _problem(error: Exception) -> Problem:
    if isinstance(error, Unknown):
        return Problem(404, str(error))
    if isinstance(error, AuthenticationError):
        return unauthorized("the request carries no key: send `Authorization: Bearer KEY`")
    if isinstance(error, HttpError):
        return Problem(error.status_code, error.message)
    return problem_for(error)


for _kind in (Exception, Http404, HttpError):
    api.add_exception_handler(_kind, _refuse)


def without_slash(request: HttpRequest, rest: str) -> Any:
    """Synthflow takes its addresses with a slash at their end, too."""
    found = resolve(f"/v2/{rest.rstrip('/')}")
    return found.func(request, *found.args, **found.kwargs)


def not_here(request: HttpRequest) -> HttpResponse:
    """Whatever else Synthflow has under /v2."""
    said = (
        "Postcall speaks Synthflow’s API for SEND_SMS actions: /v2/actions, and /v2/assistants to look at. There "
        f"is no {request.method} {request.path[:200]}; Postcall’s own API is /api/v1."
    )
    return _refuse(request, NotHere("not_supported", said, 404))
