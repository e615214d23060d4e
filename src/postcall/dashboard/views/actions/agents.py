"""Which agents use an action, and attaching it to more of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.contrib import messages as flashes
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from postcall.actions.attaching import AttachmentContent
from postcall.actions.editing import unbound
from postcall.actions.models import Action, Attachment
from postcall.agents.editing import CannotEdit
from postcall.agents.models import Agent
from postcall.dashboard.access import Visit, member
from postcall.dashboard.attached import mapped, with_shadows
from postcall.dashboard.forms import Form
from postcall.dashboard.paging import uuid_or_none
from postcall.dashboard.verbs import actions as verbs
from postcall.dashboard.views.actions.finding import attached, found

MODES: Final = {
    "live": "Live, where every input is bound",
    "approve": "Approve: each text waits for a person",
    "shadow": "Shadow: decides, sends nothing",
    "off": "Off for now",
}


@require_http_methods(["GET", "POST"])
@member
def agents(visit: Visit, action_id: UUID) -> HttpResponse:
    action = found(visit, action_id)
    if visit.request.method != "POST":
        using = attached(action)
        return _page(visit, action, Form({"copy": str(using[0].pk) if using else "", "mode": "live"}))
    if not visit.may_act:
        raise PermissionDenied
    form = Form.posted(visit.request)
    chosen = _chosen(visit, action, form)
    if not chosen:
        return _page(visit, action, form, status=422)
    pattern = next((each for each in attached(action) if str(each.pk) == form["copy"]), None)
    _attach_all(visit, action, chosen, pattern, form["mode"])
    return redirect(visit.to("action-agents", action.pk))


def _chosen(visit: Visit, action: Action, form: Form) -> list[Agent]:
    picked = [known for pk in visit.request.POST.getlist("agent") if (known := uuid_or_none(pk))]
    rows = list(visit.rows(Agent).filter(pk__in=picked, deleted_at=None).order_by("name"))
    if not rows:
        form.refuse("agents", "Tick the agents that are to use it")
    if form["copy"] and form["copy"] not in {str(each.pk) for each in attached(action)}:
        form.refuse("copy", "That agent does not use it any more. Choose another, or leave them unbound")
    if form["mode"] not in MODES:
        form.refuse("mode", "Choose one of the modes")
    return rows if form.is_well else []


def _attach_all(
    visit: Visit, action: Action, chosen: Sequence[Agent], pattern: Attachment | None, mode: str
) -> None:
    """Attaches it to each by itself, and says what became of each."""
    done: dict[str, list[str]] = {}
    for agent in chosen:
        try:
            made = verbs.attach(visit, agent, action, _content(action, pattern, mode))
        except CannotEdit as refusal:
            flashes.error(visit.request, f"{agent.name}: {refusal}.")
            continue
        done.setdefault(made.mode, []).append(agent.name)
    lacking = _missing(action, pattern)
    missing = ", ".join(f"<{name}>" for name in lacking)
    come = "comes" if len(lacking) == 1 else "come"
    for now, names in done.items():
        if now == "off" and missing:
            flashes.info(
                visit.request, f"{', '.join(names)}: attached and off. Say there where {missing} {come} from."
            )
        else:
            flashes.success(visit.request, f"{', '.join(names)}: attached, {now}.")


def _missing(action: Action, pattern: Attachment | None) -> list[str]:
    assert action.revision is not None
    return unbound(pattern or Attachment(inputs={}), action.revision.inputs)


def _content(action: Action, pattern: Attachment | None, mode: str) -> AttachmentContent:
    """As `pattern` is attached, but never to another's number; off while an input is bound to nothing."""
    assert action.revision is not None
    data: dict[str, Any] = {"action_id": action.pk, "mode": "off" if _missing(action, pattern) else mode}
    if pattern:
        inputs = {name: pattern.inputs[name] for name in action.revision.inputs if name in pattern.inputs}
        data |= {"inputs": inputs, "only_if": pattern.only_if, "on_unclear": pattern.on_unclear}
    return AttachmentContent.model_validate(data)


def _page(visit: Visit, action: Action, form: Form, *, status: int = 200) -> HttpResponse:
    revision = action.revision
    assert revision is not None
    using = attached(action)
    others = visit.rows(Agent).filter(deleted_at=None).exclude(pk__in=[each.agent_id for each in using])
    picked = set(visit.request.POST.getlist("agent"))
    return visit.page(
        "actions/agents.html",
        {
            "action": action,
            "revision": revision,
            "attachments": using,
            "used": with_shadows(visit.workspace, [mapped(each, revision.inputs) for each in using]),
            "others": [(agent, str(agent.pk) in picked) for agent in others.order_by("name")],
            "patterns": {
                **{str(each.pk): f"As {each.agent.name} has them" for each in using},
                "": "Leave them unbound",
            },
            "modes": MODES,
            "form": form,
        },
        place="actions",
        status=status,
    )
