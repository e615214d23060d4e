"""/follow-ups"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from ninja import Query
from pydantic import Field, StrictBool, model_validator

from postcall.actions.message import MAX_LENGTH
from postcall.api.answers import Page, Paging, once, page_of, versioned
from postcall.api.audit import record
from postcall.api.finding import one
from postcall.api.keys import ADMIN, ApiRequest
from postcall.api.problems import wrong_fields
from postcall.api.routes import Routes
from postcall.api.shapes import (
    FollowUpListed,
    FollowUpOut,
    follow_up_listed,
    follow_up_out,
    listed_follow_ups,
    whole_follow_ups,
)
from postcall.followups.models import FollowUp, Reason
from postcall.followups.review import approve, reject
from postcall.messages.handing import TwilioMessaging
from postcall.shapes import Strict, Text
from postcall.testbench.cases import Contradiction, Expected, give_feedback
from postcall.workspaces.audit import CHANGED, Actor, Changes, Thing
from postcall.workspaces.scope import within

routes = Routes(tags=["Follow-ups"])

Outcome = FollowUp.Outcome


class FollowUpFilters(Paging):
    outcome: Outcome | None = None
    reason: Reason | None = None


class Approval(Strict):
    body: Annotated[Text, Field(min_length=1, max_length=MAX_LENGTH)] | None = Field(
        default=None, description="Send this in place of the filled text."
    )


class Feedback(Strict):
    """Whether a verdict was right, or what was so; one says the other, except where the verdict is `unclear`."""

    right: StrictBool | None = Field(default=None, description="Whether the verdict was right.")
    expected: Expected | None = Field(default=None, description="Whether the condition was met in the call.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.right is None and self.expected is None:
            raise ValueError("say whether the verdict was `right`, or what was `expected`")
        return self


class FeedbackOut(FollowUpOut):
    """The follow-up, and what the feedback made."""

    volatile: ClassVar[frozenset[str]] = frozenset({"case_id"})

    case_id: UUID | None = Field(
        description="The case of the action that the call is now; null: of an unclear verdict it was not said what "
        "was so."
    )


@routes.get("/follow-ups", response=Page[FollowUpListed], summary="List follow-ups", operation_id="list_follow_ups")
def list_follow_ups(request: ApiRequest, filters: Query[FollowUpFilters]) -> HttpResponse:
    """`?outcome=held` is what waits for the operator."""
    rows = _follow_ups(request)
    if filters.outcome is not None:
        rows = rows.filter(outcome=filters.outcome)
    if filters.reason is not None:
        rows = rows.filter(reason=filters.reason)
    return page_of(listed_follow_ups(rows), filters, follow_up_listed)


@routes.get(
    "/follow-ups/{uuid:follow_up_id}", response=FollowUpOut, summary="One follow-up", operation_id="get_follow_up"
)
def read(request: ApiRequest, follow_up_id: UUID) -> HttpResponse:
    return versioned(_shown(request, follow_up_id))


@routes.post(
    "/follow-ups/{uuid:follow_up_id}/approve",
    response=FollowUpOut,
    auth=ADMIN,
    summary="Send a held text",
    operation_id="approve_follow_up",
)
@once
def approve_follow_up(request: ApiRequest, follow_up_id: UUID, approval: Approval | None = None) -> HttpResponse:
    """The sending rules (opt-outs, window, caps) are looked at again. 409 with the code `already_reviewed` says who
    was first, what they decided and when."""
    follow_up, body = _follow_up(request, follow_up_id), approval.body if approval else None
    approve(follow_up, TwilioMessaging(), Actor.of_key(request.auth), body)
    record(request, "approve", _thing(follow_up), changes={} if body is None else {"body": CHANGED})
    return versioned(_shown(request, follow_up_id))


@routes.post(
    "/follow-ups/{uuid:follow_up_id}/reject",
    response=FollowUpOut,
    auth=ADMIN,
    summary="Drop a held text",
    operation_id="reject_follow_up",
)
@once
def reject_follow_up(request: ApiRequest, follow_up_id: UUID) -> HttpResponse:
    follow_up = _follow_up(request, follow_up_id)
    reject(follow_up, Actor.of_key(request.auth))
    record(request, "reject", _thing(follow_up))
    return versioned(_shown(request, follow_up_id))


@routes.post(
    "/follow-ups/{uuid:follow_up_id}/feedback",
    response=FeedbackOut,
    auth=ADMIN,
    summary="Say whether a verdict was right",
    operation_id="give_feedback",
)
@once
def feedback(request: ApiRequest, follow_up_id: UUID, said: Feedback) -> HttpResponse:
    """Makes the call a case of the action, on which other words can be tried (`/actions/{id}/cases`). Saying it
    again overwrites it."""
    follow_up = _follow_up(request, follow_up_id)
    try:
        case = give_feedback(follow_up, Actor.of_key(request.auth), right=said.right, expected=said.expected)
    except Contradiction as contradiction:
        raise wrong_fields([("expected", str(contradiction))]) from None
    shown = _shown(request, follow_up_id)
    told: Changes = {"feedback_right": [follow_up.feedback_right, shown.feedback]}
    record(request, "feedback", _thing(follow_up), changes=told)
    return versioned(FeedbackOut.model_construct(**dict(shown), case_id=case.pk if case else None))


def _follow_ups(request: ApiRequest) -> QuerySet[FollowUp]:
    return within(request.auth.workspace, FollowUp)


def _follow_up(request: ApiRequest, pk: UUID) -> FollowUp:
    return one(_follow_ups(request), pk, "follow-up")


def _thing(follow_up: FollowUp) -> Thing:
    return Thing("follow_up", follow_up.pk, follow_up.action.name)


def _shown(request: ApiRequest, pk: UUID) -> FollowUpOut:
    return follow_up_out(one(whole_follow_ups(_follow_ups(request)), pk, "follow-up"))
