"""/calls"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from django.http import HttpResponse
from ninja import Query
from pydantic import Field, StrictBool

from postcall.api.agents import agents_of
from postcall.api.answers import Moment, Out, Page, Paging, answer, between, once, page_of, versioned
from postcall.api.audit import record
from postcall.api.filters import Digits, Words, called_by, followed_up, of_agent, of_source, saying
from postcall.api.finding import named, one
from postcall.api.keys import ADMIN, INGEST, ApiRequest
from postcall.api.problems import Problem
from postcall.api.routes import Routes
from postcall.api.shapes import CallItem, CallOut, MessageStatus, call_item, call_out, listed_calls, whole_calls
from postcall.calls.models import Call
from postcall.calls.receive import AlreadyAssigned, assign, receive
from postcall.calls.replay import replay
from postcall.followups.models import FollowUp, Reason
from postcall.followups.review import rejudge
from postcall.shapes import Strict
from postcall.sources.told import ToldCall
from postcall.workspaces.audit import Changes, Thing
from postcall.workspaces.scope import within

routes = Routes(tags=["Calls"])

CallStatus = Literal["received", "unassigned", "processing", "done"]
Outcome = FollowUp.Outcome


class ReceiptOut(Out):
    """The call is stored; what follows it can be read under its id."""

    id: UUID
    status: CallStatus
    duplicate: bool = Field(description="True: it was here already, and nothing was done twice.")


class CallFilters(Paging):
    agent: Words | None = Field(default=None, description="Postcall's id of the agent, or a platform's.")
    source: Words | None = Field(default=None, description="A source's id, or a kind such as `api`.")
    status: CallStatus | None = None
    outcome: Outcome | None = Field(default=None, description="Of one of its follow-ups.")
    reason: Reason | None = Field(default=None, description="Of one of its follow-ups.")
    message_status: MessageStatus | None = Field(default=None, description="Of one of its messages.")
    number: Digits | None = Field(default=None, description="Digits, anywhere in the customer's number.")
    q: Words | None = Field(
        default=None,
        description="Words, or how they begin, that all stand in what was said and known, or all in a text; or how "
        "the external id begins.",
    )
    from_: Moment | None = Field(default=None, alias="from", description="Received from then on.")
    to: Moment | None = Field(default=None, description="Received before then.")


class Assignment(Strict):
    agent_id: UUID
    follow_up: StrictBool = Field(default=True, description="False: for the log only, nothing is decided or sent.")


class ReplayedOut(CallOut):
    """The call as it stands now."""

    changed: list[str] = Field(description="Its fields that say something else than before.")
    looked_at_again: bool = Field(description="Whether it is decided about again, as far as that is still open.")


@routes.post(
    "/calls",
    response={200: ReceiptOut, 202: ReceiptOut},
    auth=INGEST,
    summary="Put an ended call in",
    operation_id="create_call",
)
@once
def create(request: ApiRequest, call: ToldCall) -> HttpResponse:
    """Stored before it is acknowledged, then judged and followed up. The same `external_id` again answers 200
    with `duplicate: true`, and nothing is done twice."""
    receipt = receive(request.auth.workspace, None, "api", call, request.body)
    duplicate = receipt.status == "duplicate"
    stored = receipt.call
    shown = ReceiptOut(id=stored.pk, status=stored.status, duplicate=duplicate)
    return answer(shown, 200 if duplicate else 202)


@routes.get("/calls", response=Page[CallItem], summary="List calls", operation_id="list_calls")
def list_calls(request: ApiRequest, filters: Query[CallFilters]) -> HttpResponse:
    """Newest first, without transcripts and variables."""
    home = request.auth.workspace
    calls = of_source(of_agent(within(home, Call), home, filters.agent), filters.source)
    calls = saying(called_by(calls, home, filters.number), home, filters.q)
    calls = followed_up(calls, home, filters.outcome, filters.reason, filters.message_status)
    if filters.status is not None:
        calls = calls.filter(status=filters.status)
    return page_of(listed_calls(between(calls, filters.from_, filters.to)), filters, call_item)


@routes.get("/calls/{uuid:call_id}", response=CallOut, summary="One call", operation_id="get_call")
def read(request: ApiRequest, call_id: UUID) -> HttpResponse:
    """With its transcript, and every follow-up with its verdict, message, attempts and events."""
    return versioned(call_out(_call(request, call_id)))


@routes.post(
    "/calls/{uuid:call_id}/assign",
    response=CallOut,
    auth=ADMIN,
    summary="Say which agent took a call",
    operation_id="assign_call",
)
@once
def assign_call(request: ApiRequest, call_id: UUID, assignment: Assignment) -> HttpResponse:
    """For an `unassigned` call, whose agent Postcall did not know."""
    call = one(within(request.auth.workspace, Call), call_id, "call")
    agent = named(agents_of(request), assignment.agent_id, "agent_id", "agent")
    try:
        assign(call, agent, follow_up=assignment.follow_up)
    except AlreadyAssigned as error:
        raise Problem(409, str(error)) from None
    told: Changes = {"agent": [None, agent.name], "follow_up": [None, assignment.follow_up]}
    record(request, "assign", Thing("call", call.pk), changes=told)
    return versioned(call_out(_call(request, call_id)))


@routes.post(
    "/calls/{uuid:call_id}/rejudge",
    response={202: CallOut},
    auth=ADMIN,
    summary="Judge a call again",
    operation_id="rejudge_call",
)
@once
def rejudge_call(request: ApiRequest, call_id: UUID) -> HttpResponse:
    """For follow-ups that were not decided, such as after `judge_failed`. What was sent is not sent again."""
    call = one(within(request.auth.workspace, Call), call_id, "call")
    rejudge(call)
    record(request, "rejudge", Thing("call", call.pk))
    return versioned(call_out(_call(request, call_id)), 202)


@routes.post(
    "/calls/{uuid:call_id}/replay",
    response={200: ReplayedOut, 202: ReplayedOut},
    auth=ADMIN,
    summary="Read a call again",
    operation_id="replay_call",
)
@once
def replay_call(request: ApiRequest, call_id: UUID) -> HttpResponse:
    """Reads what the platform sent about it once more, with today's reader. 202: it says something new and is
    looked at again; only follow-ups that lacked a transcript, a number or a value are decided anew."""
    replayed = replay(one(within(request.auth.workspace, Call), call_id, "call"))
    changed = list(replayed.changed)
    record(request, "replay", Thing("call", call_id), changes={"fields": [None, changed]})
    shown = call_out(_call(request, call_id))
    whole = ReplayedOut(**dict(shown), changed=changed, looked_at_again=replayed.looked_at_again)
    return answer(whole, 202 if replayed.looked_at_again else 200)


def _call(request: ApiRequest, pk: UUID) -> Call:
    return one(whole_calls(within(request.auth.workspace, Call)), pk, "call")
