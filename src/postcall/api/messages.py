"""/messages"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from ninja import Query
from pydantic import Field

from postcall.api.answers import Moment, Page, Paging, between, once, page_of, versioned
from postcall.api.audit import record
from postcall.api.filters import Digits
from postcall.api.finding import one
from postcall.api.keys import ADMIN, ApiRequest
from postcall.api.routes import Routes
from postcall.api.shapes import (
    MessageItem,
    MessageOut,
    MessageStatus,
    listed_messages,
    message_item,
    message_out,
    whole_messages,
)
from postcall.messages import operator
from postcall.messages.finding import to_number
from postcall.messages.models import Message
from postcall.shapes import Strict, Text
from postcall.workspaces.audit import Thing
from postcall.workspaces.scope import within

routes = Routes(tags=["Messages"])


class MessageFilters(Paging):
    status: MessageStatus | None = None
    number: Digits | None = Field(default=None, description="Digits, anywhere in the recipient's number.")
    from_: Moment | None = Field(default=None, alias="from", description="Made from then on.")
    to: Moment | None = Field(default=None, description="Made before then.")


class Resending(Strict):
    reason: Annotated[Text, Field(min_length=1, max_length=500)] = Field(
        description="Why it goes out once more; it stands in the log.", examples=["Customer asked for it again"]
    )


@routes.get("/messages", response=Page[MessageItem], summary="List messages", operation_id="list_messages")
def list_messages(request: ApiRequest, filters: Query[MessageFilters]) -> HttpResponse:
    rows = _messages(request)
    if filters.number is not None:
        rows = to_number(rows, request.auth.workspace, filters.number)
    if filters.status is not None:
        rows = rows.filter(status=filters.status)
    return page_of(listed_messages(between(rows, filters.from_, filters.to)), filters, message_item)


@routes.get("/messages/{uuid:message_id}", response=MessageOut, summary="One message", operation_id="get_message")
def read(request: ApiRequest, message_id: UUID) -> HttpResponse:
    """With every attempt, and every status that it went through."""
    return versioned(_shown(request, message_id))


@routes.post(
    "/messages/{uuid:message_id}/resend",
    response={202: MessageOut},
    auth=ADMIN,
    summary="Send a text once more",
    operation_id="resend_message",
)
@once
def resend(request: ApiRequest, message_id: UUID, asked: Resending) -> HttpResponse:
    """Another attempt, under the sending rules of now. Refused while the last one may still arrive."""
    message = _message(request, message_id)
    operator.resend(message, asked.reason, by="operator")
    record(request, "resend", Thing("message", message.pk))
    return versioned(_shown(request, message_id), 202)


@routes.post(
    "/messages/{uuid:message_id}/cancel",
    response=MessageOut,
    auth=ADMIN,
    summary="Cancel a text that was not sent yet",
    operation_id="cancel_message",
)
@once
def cancel(request: ApiRequest, message_id: UUID) -> HttpResponse:
    message = _message(request, message_id)
    operator.cancel(message)
    record(request, "cancel", Thing("message", message.pk))
    return versioned(_shown(request, message_id))


def _messages(request: ApiRequest) -> QuerySet[Message]:
    return within(request.auth.workspace, Message)


def _message(request: ApiRequest, pk: UUID) -> Message:
    return one(_messages(request), pk, "message")


def _shown(request: ApiRequest, pk: UUID) -> MessageOut:
    return message_out(one(whole_messages(_messages(request)), pk, "message"))
