"""/agents/{id}/attachments"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from ninja import Query
from pydantic import Field

from postcall.actions.attaching import AttachmentContent, attach, detach, update_attachment
from postcall.actions.editing import unbound
from postcall.actions.models import Action, Attachment
from postcall.agents.models import Agent
from postcall.api.answers import Out, Page, Paging, answer, check_version, nothing, once, page_of, versioned
from postcall.api.audit import record
from postcall.api.finding import named, one
from postcall.api.keys import ADMIN, ApiRequest
from postcall.api.routes import Routes
from postcall.followups.offered_rules import offered_rules
from postcall.shapes import Strict
from postcall.workspaces.audit import Thing
from postcall.workspaces.scope import within

routes = Routes(tags=["Attachments"])


class AttachedActionOut(Out):
    id: UUID
    name: str
    inputs: list[str]


class AttachmentOut(Out):
    """An action attached to an agent: where each input comes from, plain rules, and whether it sends."""

    id: UUID
    agent_id: UUID
    action_id: UUID
    action: AttachedActionOut
    mode: Literal["off", "shadow", "approve", "live"]
    on_unclear: Literal["hold", "skip"]
    recipient_override: str | None
    only_if: list[dict[str, Any]]
    inputs: dict[str, dict[str, Any]] = Field(description="By input: its binding.")
    unbound: list[str] = Field(description="Inputs of the message that nothing is bound to.")
    created_at: datetime
    updated_at: datetime


@routes.get(
    "/agents/{uuid:agent_id}/attachments",
    response=Page[AttachmentOut],
    summary="An agent's attachments",
    operation_id="list_attachments",
)
def list_attachments(request: ApiRequest, agent_id: UUID, paging: Query[Paging]) -> HttpResponse:
    return page_of(_attachments(_agent(request, agent_id)), paging, attachment_out)


class OfferedRuleOut(Out):
    """A plain rule, and how it did in the agent's latest calls."""

    rule: dict[str, Any] = Field(description="As it may stand in `only_if`.")
    calls: int = Field(description="Calls that were looked at: the latest, 50 at most.")
    held: int = Field(description="Those of them in which it holds, which it would let through.")
    compared: int = Field(description="Those of them that were judged for the action, or called right or wrong.")
    agrees: int = Field(description="Those of `compared` in which it says the same.")


class OfferedRulesOut(Out):
    items: list[OfferedRuleOut]


class OfferFilters(Strict):
    action_id: UUID | None = Field(
        default=None, description="The action that the rule is for: by its condition and verdicts they are ranked."
    )


@routes.get(
    "/agents/{uuid:agent_id}/offered-rules",
    response=OfferedRulesOut,
    summary="Rules that an agent's calls suggest",
    operation_id="list_offered_rules",
)
def list_offered_rules(request: ApiRequest, agent_id: UUID, filters: Query[OfferFilters]) -> HttpResponse:
    """Plain rules about what the agent's latest calls really held, those first that have most to do with the
    action: where the platform reports a booking, no model is needed. Nothing under a name for secrets is
    offered."""
    agent = _agent(request, agent_id)
    actions = within(request.auth.workspace, Action).filter(deleted_at=None).select_related("revision")
    action = named(actions, filters.action_id, "action_id", "action") if filters.action_id else None
    offers = [
        OfferedRuleOut(
            rule=each.as_json, calls=each.calls, held=each.held, compared=each.compared, agrees=each.agrees
        )
        for each in offered_rules(agent, action)
    ]
    return answer(OfferedRulesOut(items=offers))


@routes.post(
    "/agents/{uuid:agent_id}/attachments",
    response={201: AttachmentOut},
    auth=ADMIN,
    summary="Attach an action",
    operation_id="create_attachment",
)
@once
def create(request: ApiRequest, agent_id: UUID, content: AttachmentContent) -> HttpResponse:
    """One attachment an (agent, action). It is `live` at once when all inputs are bound, unless `mode` says
    otherwise; with inputs unbound it may be saved, as `off`."""
    agent = _agent(request, agent_id)
    actions = within(request.auth.workspace, Action).filter(deleted_at=None)
    action = named(actions, content.action_id, "action_id", "action")
    attachment = attach(agent, action, content)
    made = attachment_out(_attachment(agent, attachment.pk))
    record(request, "create", _thing(agent, made), after=made)
    return versioned(made, 201)


@routes.get(
    "/agents/{uuid:agent_id}/attachments/{uuid:attachment_id}",
    response=AttachmentOut,
    summary="One attachment",
    operation_id="get_attachment",
)
def read(request: ApiRequest, agent_id: UUID, attachment_id: UUID) -> HttpResponse:
    return versioned(attachment_out(_attachment(_agent(request, agent_id), attachment_id)))


@routes.put(
    "/agents/{uuid:agent_id}/attachments/{uuid:attachment_id}",
    response=AttachmentOut,
    auth=ADMIN,
    summary="Change an attachment",
    operation_id="update_attachment",
)
def change(request: ApiRequest, agent_id: UUID, attachment_id: UUID, content: AttachmentContent) -> HttpResponse:
    """The whole attachment as it is to be; without `mode` its mode stays."""
    agent = _agent(request, agent_id)
    attachment = _locked(agent, attachment_id)
    before = attachment_out(_attachment(agent, attachment_id))
    check_version(request, before)
    update_attachment(attachment, content)
    after = attachment_out(_attachment(agent, attachment_id))
    record(request, "update", _thing(agent, after), before=before, after=after)
    return versioned(after)


@routes.delete(
    "/agents/{uuid:agent_id}/attachments/{uuid:attachment_id}",
    response={204: None},
    auth=ADMIN,
    summary="Detach an action",
    operation_id="delete_attachment",
)
def delete(request: ApiRequest, agent_id: UUID, attachment_id: UUID) -> HttpResponse:
    """What it did stays in the log. Attaching the action again sends nothing twice."""
    agent = _agent(request, agent_id)
    attachment = _locked(agent, attachment_id)
    before = attachment_out(_attachment(agent, attachment_id))
    check_version(request, before)
    detach(attachment)
    record(request, "delete", _thing(agent, before))
    return nothing()


def _thing(agent: Agent, attachment: AttachmentOut) -> Thing:
    return Thing("attachment", attachment.id, f"{attachment.action.name}, {agent.name}")


def attachment_out(attachment: Attachment) -> AttachmentOut:
    action = attachment.action
    assert action.revision is not None
    inputs = action.revision.inputs
    return AttachmentOut(
        id=attachment.pk,
        agent_id=attachment.agent_id,
        action_id=action.pk,
        action=AttachedActionOut(id=action.pk, name=action.name, inputs=inputs),
        mode=attachment.mode,
        on_unclear=attachment.on_unclear,
        recipient_override=attachment.recipient_override or None,
        only_if=attachment.only_if,
        # A binding outlives its input in the message, so that taking a change back binds it again.
        inputs={name: attachment.inputs[name] for name in inputs if name in attachment.inputs},
        unbound=unbound(attachment, inputs),
        created_at=attachment.created_at,
        updated_at=attachment.updated_at,
    )


def _agent(request: ApiRequest, pk: UUID) -> Agent:
    return one(within(request.auth.workspace, Agent).filter(deleted_at=None), pk, "agent")


def _attachments(agent: Agent) -> QuerySet[Attachment]:
    living = agent.attachments.filter(deleted_at=None)
    return living.select_related("action", "action__revision")


def _attachment(agent: Agent, pk: UUID) -> Attachment:
    return one(_attachments(agent), pk, "attachment")


def _locked(agent: Agent, pk: UUID) -> Attachment:
    """Nobody else changes it until this transaction ends."""
    # The action first, as everybody who changes both does.
    within(agent.workspace_id, Action).select_for_update().filter(attachments=pk).first()
    living = agent.attachments.filter(deleted_at=None).select_related("action")
    return one(living.select_for_update(of=("self",)), pk, "attachment")
