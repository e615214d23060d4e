"""What follows an agent's calls: its actions, and where their inputs come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages as flashes
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from postcall.actions.attaching import AlreadyAttached, AttachmentChanged, NotAllBound
from postcall.actions.editing import Archived
from postcall.actions.models import Action, Attachment
from postcall.agents.editing import CannotEdit
from postcall.agents.models import Agent
from postcall.calls.held_values import held_values
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.attached import Attached, mapped, with_shadows
from postcall.dashboard.forms import Form
from postcall.dashboard.paging import uuid_or_none
from postcall.dashboard.posting import posted_from
from postcall.dashboard.verbs import agents as verbs
from postcall.dashboard.views.agents import mapping
from postcall.dashboard.views.agents.rows import form_parts, rule_offers
from postcall.dashboard.views.agents.senders import sender_in_force
from postcall.dashboard.views.agents.tabs import agent_page, living_agent
from postcall.dashboard.views.agents.versions import last_to_change, refuse_overtaken, version_seen
from postcall.followups.offered_rules import offered_rules


@dataclass(frozen=True)
class Refused:
    """A form that was not saved, being refused or asking for more of its fields. `now` is what stands there where
    somebody else was faster, `who` that was."""

    attachment: Attachment
    form: Form
    now: Attached | None = None
    who: str = ""


@require_GET
@member
def actions(visit: Visit, agent_id: UUID) -> HttpResponse:
    """The agent's actions; the one that the address names by `open`, or else the first that lacks something, as a
    form."""
    return _page(visit, living_agent(visit, agent_id))


def _page(visit: Visit, agent: Agent, refused: Refused | None = None) -> HttpResponse:
    attachments = list(_attached(agent))
    if refused and refused.attachment not in attachments:
        attachments.append(refused.attachment)
    cards = with_shadows(visit.workspace, [_card(each) for each in attachments])
    opened = _opened(visit, cards, refused)
    return agent_page(
        visit,
        agent,
        "actions",
        {
            "cards": cards,
            "opened": opened and opened.attachment.pk,
            "editor": opened and _editor(visit, agent, opened, refused),
            "form": refused and refused.form,
            "addable": _addable(visit, attachments),
            "sender": sender_in_force(visit, agent),
        },
        status=422 if refused and not refused.form.is_well else 200,
    )


def _card(attachment: Attachment) -> Attached:
    return mapped(attachment, _inputs(attachment))


def _inputs(attachment: Attachment) -> list[str]:
    assert attachment.action.revision is not None
    return attachment.action.revision.inputs


def _attached(agent: Agent) -> QuerySet[Attachment]:
    living = agent.attachments.filter(deleted_at=None)
    return living.select_related("action__revision").order_by("action__name", "pk")


def _opened(visit: Visit, cards: Sequence[Attached], refused: Refused | None) -> Attached | None:
    if not visit.may_act:
        return None
    asked = refused.attachment.pk if refused else uuid_or_none(visit.request.GET.get("open"))
    if found := next((each for each in cards if each.attachment.pk == asked), None):
        return found
    return next((each for each in cards if each.unbound), cards[0] if len(cards) == 1 else None)


def _editor(visit: Visit, agent: Agent, card: Attached, refused: Refused | None) -> dict[str, Any]:
    """What the form of one attachment is made of."""
    inputs = _inputs(card.attachment)
    form = refused.form if refused else mapping.as_typed(card.attachment, inputs)
    return {
        **form_parts(form, inputs, held_values(agent)),
        "offered_rules": rule_offers(form, offered_rules(agent, card.attachment.action)),
        "form": form,
        "unsaved": bool(form[mapping.UNFOLD] or form[mapping.ADD_RULE]),
        "now": refused and refused.now,
        "who": refused and refused.who,
        "try_link": f"{visit.to('action', card.attachment.action_id)}?agent={agent.pk}#try",
    }


def _addable(visit: Visit, attached: Sequence[Attachment]) -> QuerySet[Action]:
    there = [each.action_id for each in attached if each.deleted_at is None]
    actions = visit.rows(Action).filter(deleted_at=None).exclude(pk__in=there)
    return actions.select_related("revision").order_by("name")


@require_POST
@actor
def attach(visit: Visit, agent_id: UUID) -> HttpResponse:
    """Adds `action`: live at once where its message has no inputs, else off until they are mapped."""
    agent = living_agent(visit, agent_id)
    living = visit.rows(Action).filter(deleted_at=None)
    pk = uuid_or_none(visit.request.POST.get("action"))
    action = living.filter(pk=pk).first() if pk else None
    if action is None:
        flashes.error(visit.request, "Choose an action: the one you chose is not here any more.")
        return redirect(visit.to("agent-actions", agent.pk))
    try:
        attachment = verbs.attach(visit, agent, action)
    except AlreadyAttached as error:
        attachment = error.attachment
        flashes.info(visit.request, f"{action.name} is attached to {agent.name} already. Here it is.")
    except Archived:
        flashes.error(visit.request, f"Somebody archived {action.name} meanwhile. Choose another action.")
        return redirect(visit.to("agent-actions", agent.pk))
    else:
        _say_how_it_stands(visit, attachment, "Added")
    return redirect(_opening(visit, attachment))


def _say_how_it_stands(visit: Visit, attachment: Attachment, done: str) -> None:
    card = _card(attachment)
    if card.unbound:
        lacking = ", ".join(f"<{name}>" for name in card.unbound)
        come = "comes" if len(card.unbound) == 1 else "come"
        told = f"{done}. It is off: say where {lacking} {come} from, then it can be switched on."
        flashes.warning(visit.request, told)
        return
    told = {
        Attachment.Mode.LIVE: "It is live: texts go out by themselves after calls from now on.",
        Attachment.Mode.APPROVE: "Each text waits in Review for a person.",
        Attachment.Mode.SHADOW: "It decides and writes, and sends nothing.",
        Attachment.Mode.OFF: "It is off: nothing follows from it.",
    }[Attachment.Mode(attachment.mode)]
    flashes.success(visit.request, f"{done}. {told}")


def _opening(visit: Visit, attachment: Attachment) -> str:
    return f"{visit.to('agent-actions', attachment.agent_id)}?open={attachment.pk}"


@posted_from("agent-actions", "agent_id")
@actor
def change(visit: Visit, agent_id: UUID, attachment_id: UUID) -> HttpResponse:
    """Saves how an action is attached, or says what is wrong and keeps what was typed. `seen` is the moment of the
    version that the form was made of."""
    agent = living_agent(visit, agent_id)
    attachment = visit.one(_ever_attached(visit, agent), attachment_id)
    form = Form.posted(visit.request)
    if form[mapping.ADD_RULE]:
        mapping.add_rule(form)
        return _page(visit, agent, Refused(attachment, form))
    if form[mapping.UNFOLD]:
        return _page(visit, agent, Refused(attachment, form))
    content = mapping.content_of(form, attachment, _inputs(attachment))
    if content is None:
        return _page(visit, agent, Refused(attachment, form))
    try:
        saved = verbs.change_attachment(visit, attachment, content, version_seen(form))
    except AttachmentChanged as error:
        return _page(visit, agent, _overtaken(visit, attachment, form, error))
    except NotAllBound as error:
        mapping.refuse_unbound(form, error.names)
        return _page(visit, agent, Refused(attachment, form))
    except CannotEdit as error:
        form.refuse_for(error, mapping.fields_of(form, _inputs(attachment)))
        return _page(visit, agent, Refused(attachment, form))
    _say_how_it_stands(visit, saved, "Saved")
    return redirect(_opening(visit, saved))


def _ever_attached(visit: Visit, agent: Agent) -> QuerySet[Attachment]:
    """Also those detached: what somebody typed meanwhile is not thrown away with them."""
    return visit.rows(Attachment).filter(agent=agent).select_related("action__revision", "agent")


def _overtaken(visit: Visit, attachment: Attachment, form: Form, error: AttachmentChanged) -> Refused:
    present = error.attachment
    who = last_to_change(visit, present.pk)
    if present.deleted_at:
        form.refuse("", f"Somebody else ({who}) detached this action meanwhile. Yours is kept: add it again")
    else:
        refuse_overtaken(form, who, present.updated_at)
    return Refused(attachment, form, mapped(present, _inputs(attachment)), who)


@require_POST
@actor
def detach(visit: Visit, agent_id: UUID, attachment_id: UUID) -> HttpResponse:
    agent = living_agent(visit, agent_id)
    attachment = visit.one(_attached(agent), attachment_id)
    verbs.detach(visit, attachment)
    flashes.success(visit.request, f"{attachment.action.name} is detached from {agent.name}. Its log stays.")
    return redirect(visit.to("agent-actions", agent.pk))
