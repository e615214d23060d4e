"""/agents"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from ninja import Query

from postcall.agents.editing import AgentContent, create_agent, delete_agent, update_agent
from postcall.agents.models import Agent, ExternalId
from postcall.api.answers import Out, Page, Paging, check_version, nothing, once, page_of, versioned
from postcall.api.audit import record
from postcall.api.finding import one
from postcall.api.keys import ADMIN, ApiRequest
from postcall.api.routes import Routes
from postcall.messages.accounts import resume
from postcall.workspaces.audit import Thing
from postcall.workspaces.scope import within

routes = Routes(tags=["Agents"])


class ExternalIdOut(Out):
    source: str
    id: str


class SenderOut(Out):
    from_number: str | None
    messaging_service_sid: str | None
    follow_agent_number: bool


class AgentOut(Out):
    """A voice agent, and the ids by which voice platforms name it."""

    id: UUID
    name: str
    external_ids: list[ExternalIdOut]
    timezone: str
    locale: str
    business_name: str
    sender: SenderOut | None
    created_at: datetime
    updated_at: datetime


@routes.get("/agents", response=Page[AgentOut], summary="List agents", operation_id="list_agents")
def list_agents(request: ApiRequest, paging: Query[Paging]) -> HttpResponse:
    return page_of(agents_of(request), paging, agent_out)


@routes.post("/agents", response={201: AgentOut}, auth=ADMIN, summary="Make an agent", operation_id="create_agent")
@once
def create(request: ApiRequest, content: AgentContent) -> HttpResponse:
    agent = create_agent(request.auth.workspace, content)
    made = agent_out(_agent(request, agent.pk))
    record(request, "create", _thing(made), after=made)
    return versioned(made, 201)


@routes.get("/agents/{uuid:agent_id}", response=AgentOut, summary="One agent", operation_id="get_agent")
def read(request: ApiRequest, agent_id: UUID) -> HttpResponse:
    return versioned(agent_out(_agent(request, agent_id)))


@routes.put(
    "/agents/{uuid:agent_id}", response=AgentOut, auth=ADMIN, summary="Change an agent", operation_id="update_agent"
)
def change(request: ApiRequest, agent_id: UUID, content: AgentContent) -> HttpResponse:
    """The whole agent as it is to be, its external ids included."""
    agent = _locked(request, agent_id)
    before = agent_out(_agent(request, agent_id))
    check_version(request, before)
    update_agent(agent, content)
    # What is held for the sake of its sender leaves by the new one.
    resume(agent.workspace_id)
    after = agent_out(_agent(request, agent_id))
    record(request, "update", _thing(after), before=before, after=after)
    return versioned(after)


@routes.delete(
    "/agents/{uuid:agent_id}",
    response={204: None},
    auth=ADMIN,
    summary="Delete an agent",
    operation_id="delete_agent",
)
def delete(request: ApiRequest, agent_id: UUID) -> HttpResponse:
    """Its ids are free again, its actions detached; its log stays."""
    agent = _locked(request, agent_id)
    before = agent_out(_agent(request, agent_id))
    check_version(request, before)
    delete_agent(agent)
    record(request, "delete", _thing(before))
    return nothing()


def agents_of(request: ApiRequest) -> QuerySet[Agent]:
    """The living agents of the key's workspace."""
    living = within(request.auth.workspace, Agent).filter(deleted_at=None)
    return living.prefetch_related(Prefetch("external_ids", ExternalId.objects.order_by("id")))


def _thing(agent: AgentOut) -> Thing:
    return Thing("agent", agent.id, agent.name)


def agent_out(agent: Agent) -> AgentOut:
    return AgentOut(
        id=agent.pk,
        name=agent.name,
        external_ids=[
            ExternalIdOut(source=row.source_kind, id=row.external_id) for row in agent.external_ids.all()
        ],
        timezone=agent.timezone,
        locale=agent.locale,
        business_name=agent.business_name,
        sender=_sender(agent),
        created_at=agent.created_at,
        updated_at=agent.updated_at,
    )


def _sender(agent: Agent) -> SenderOut | None:
    if not (agent.from_number or agent.messaging_service_sid or agent.follow_agent_number):
        return None
    return SenderOut(
        from_number=agent.from_number or None,
        messaging_service_sid=agent.messaging_service_sid or None,
        follow_agent_number=agent.follow_agent_number,
    )


def _agent(request: ApiRequest, pk: UUID) -> Agent:
    return one(agents_of(request), pk, "agent")


def _locked(request: ApiRequest, pk: UUID) -> Agent:
    """Nobody else changes it until this transaction ends."""
    rows = within(request.auth.workspace, Agent).filter(deleted_at=None)
    return one(rows.select_for_update(), pk, "agent")
