"""/actions"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from ninja import Query
from pydantic import Field

from postcall.actions.editing import (
    ActionContent,
    BindingsByAttachment,
    create_action,
    delete_action,
    update_action,
)
from postcall.actions.hints import warnings_about
from postcall.actions.models import Action, Revision
from postcall.api.answers import Out, Page, Paging, check_version, nothing, once, page_of, versioned
from postcall.api.audit import record
from postcall.api.finding import one
from postcall.api.keys import ADMIN, ApiRequest
from postcall.api.routes import Routes
from postcall.messages.segments import count
from postcall.workspaces.audit import CHANGED, Changes, Thing
from postcall.workspaces.scope import within

routes = Routes(tags=["Actions"])


class WarningOut(Out):
    """A hint; it stops nobody from saving."""

    code: str = Field(examples=["braces_placeholder"])
    message: str
    field: Literal["message", "condition"] = Field(default="message", description="What it is about.")
    suggestion: str | None = Field(
        default=None, description="The whole of that field in better words, where there are any."
    )
    alternatives: list[str] = Field(
        default_factory=list, description="Others, where it can be meant in several ways."
    )


class SegmentsOut(Out):
    """What the message costs as it is written; its inputs' values come on top."""

    count: int
    encoding: Literal["GSM-7", "UCS-2"]
    length: int


class Words(Out):
    message: str
    condition: str | None
    always: bool
    urgency: Literal["now", "window"]
    send_within_s: int
    inputs: list[str] = Field(description="The names in <angle brackets>, in the order in which they appear.")
    revision: int


class Named(Out):
    id: UUID
    type: Literal["post_call_sms"]
    name: str


class ActionOut(Words, Named):
    """What goes out, and when. Attach it to agents for it to do anything."""

    volatile: ClassVar[frozenset[str]] = frozenset({"used_by"})

    used_by: int = Field(description="To how many agents it is attached.")
    warnings: list[WarningOut]
    segments: SegmentsOut
    created_at: datetime
    updated_at: datetime


class RevisionOut(Words):
    """A version of an action's words; a follow-up points at the one that it used."""

    id: UUID
    created_at: datetime


class ActionChange(ActionContent):
    """As for a new one. `bindings` bind inputs that the new message adds, where attachments are switched on."""

    bindings: BindingsByAttachment = Field(
        default_factory=dict,
        description="By attachment id, agent id or `*` (every attachment), then by input. Without them a message "
        "whose new inputs would stay unbound where the action is switched on is refused, naming the agents.",
        examples=[{"*": {"reference": {"from": "action_result", "action": "create_booking", "name": "reference"}}}],
    )


@routes.get("/actions", response=Page[ActionOut], summary="List actions", operation_id="list_actions")
def list_actions(request: ApiRequest, paging: Query[Paging]) -> HttpResponse:
    return page_of(_actions(request), paging, action_out)


@routes.post(
    "/actions", response={201: ActionOut}, auth=ADMIN, summary="Make an action", operation_id="create_action"
)
@once
def create(request: ApiRequest, content: ActionContent) -> HttpResponse:
    """Placeholders are written `<name>`: letters, digits and underscores, starting with a letter."""
    action = create_action(request.auth.workspace, content)
    made = action_out(_action(request, action.pk))
    record(request, "create", _thing(made), after=made)
    return versioned(made, 201)


@routes.get("/actions/{uuid:action_id}", response=ActionOut, summary="One action", operation_id="get_action")
def read(request: ApiRequest, action_id: UUID) -> HttpResponse:
    return versioned(action_out(_action(request, action_id)))


@routes.put(
    "/actions/{uuid:action_id}",
    response=ActionOut,
    auth=ADMIN,
    summary="Change an action",
    operation_id="update_action",
)
def change(request: ApiRequest, action_id: UUID, content: ActionChange) -> HttpResponse:
    """The whole action as it is to be. Changed words make a new revision; calls that were already taken in keep
    the one they began with."""
    action = _locked(request, action_id)
    before = action_out(_action(request, action_id))
    check_version(request, before)
    update_action(action, content, content.bindings)
    after = action_out(_action(request, action_id))
    bound: Changes = {"bindings": CHANGED} if content.bindings else {}
    record(request, "update", _thing(after), before=before, after=after, changes=bound)
    return versioned(after)


@routes.delete(
    "/actions/{uuid:action_id}",
    response={204: None},
    auth=ADMIN,
    summary="Delete an action",
    operation_id="delete_action",
)
def delete(request: ApiRequest, action_id: UUID) -> HttpResponse:
    """It is detached from every agent; its log stays."""
    action = _locked(request, action_id)
    before = action_out(_action(request, action_id))
    check_version(request, before)
    delete_action(action)
    record(request, "delete", _thing(before))
    return nothing()


@routes.get(
    "/actions/{uuid:action_id}/revisions",
    response=Page[RevisionOut],
    summary="An action's revisions",
    operation_id="list_revisions",
)
def revisions(request: ApiRequest, action_id: UUID, paging: Query[Paging]) -> HttpResponse:
    action = _action(request, action_id)
    return page_of(action.revisions.all(), paging, revision_out)


def _thing(action: ActionOut) -> Thing:
    return Thing("action", action.id, action.name)


def action_out(action: Action) -> ActionOut:
    revision = action.revision
    assert revision is not None
    segments = count(revision.message)
    return ActionOut(
        **_words(revision),
        id=action.pk,
        type=action.type,
        name=action.name,
        used_by=action.used_by,  # type: ignore[attr-defined]  # annotated by _actions
        warnings=[
            WarningOut(
                code=hint.code,
                message=hint.message,
                field=hint.field,
                suggestion=hint.suggestion,
                alternatives=list(hint.alternatives),
            )
            for hint in warnings_about(revision.message, revision.condition)
        ],
        segments=SegmentsOut(count=segments.count, encoding=segments.encoding, length=segments.length),
        created_at=action.created_at,
        updated_at=action.updated_at,
    )


def revision_out(revision: Revision) -> RevisionOut:
    return RevisionOut(**_words(revision), id=revision.pk, created_at=revision.created_at)


def _words(revision: Revision) -> dict[str, Any]:
    return {
        "message": revision.message,
        "condition": revision.condition or None,
        "always": revision.always,
        "urgency": revision.urgency,
        "send_within_s": revision.send_within_s,
        "inputs": revision.inputs,
        "revision": revision.number,
    }


def _actions(request: ApiRequest) -> QuerySet[Action]:
    living = within(request.auth.workspace, Action).filter(deleted_at=None).select_related("revision")
    return living.annotate(used_by=Count("attachments", filter=Q(attachments__deleted_at=None)))


def _action(request: ApiRequest, pk: UUID) -> Action:
    return one(_actions(request), pk, "action")


def _locked(request: ApiRequest, pk: UUID) -> Action:
    """Nobody else changes it until this transaction ends."""
    rows = within(request.auth.workspace, Action).filter(deleted_at=None)
    return one(rows.select_for_update(), pk, "action")
