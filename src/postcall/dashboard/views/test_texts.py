"""Sending an action's words to one's own phone, for real, and watching them arrive."""

from __future__ import annotations

from typing import Final, TypeVar
from uuid import UUID, uuid4

from django.db.models import Model
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from postcall.actions.models import Action
from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.filling import filled
from postcall.dashboard.forms import Form
from postcall.dashboard.own_texts import Told
from postcall.dashboard.paging import uuid_or_none
from postcall.dashboard.verbs import phone as verbs
from postcall.dashboard.views.phone import once_of
from postcall.messages.models import OwnText
from postcall.messages.own_phone import phone_of
from postcall.messages.own_texts import NotPossible, Words

M = TypeVar("M", bound=Model)

CALLS: Final = 20
LATEST: Final = 10
NO_PHONE: Final = "Verify your phone first: tests go to your own number and nowhere else."


@require_GET
@member
def test_texts(visit: Visit) -> HttpResponse:
    """Words to send, those of `?action=` or none yet, and the latest tests that one sent oneself."""
    action = _action(visit, visit.request.GET.get("action", ""))
    message = action.revision.message if action and action.revision else ""
    return _page(visit, action, Form({"message": message}))


def _page(visit: Visit, action: Action | None, form: Form) -> HttpResponse:
    mine = visit.rows(OwnText).filter(person=visit.person, kind=OwnText.Kind.TEST).select_related("action")
    return visit.page(
        "actions/test_texts.html",
        {
            "form": form,
            "action": action,
            "latest": [Told(text) for text in mine.order_by("-pk")[:LATEST]],
            **choices(visit),
        },
        place="actions",
        status=200 if form.is_well else 422,
    )


def choices(visit: Visit) -> dict[str, object]:
    """What one may choose for a test: whose values, and by which sender."""
    calls = visit.rows(Call).filter(forgotten_at=None).exclude(agent=None).select_related("agent")
    agents = visit.rows(Agent).filter(deleted_at=None).order_by("name")
    return {
        "phone": phone_of(visit.person),
        "calls": calls.defer("transcript").order_by("-pk")[:CALLS],
        "agents": [each for each in agents if each.messaging_service_sid or each.from_number],
        "once": uuid4(),
    }


def _action(visit: Visit, pk: str) -> Action | None:
    """Anybody else's is a 404, and so is what is no id; none is none."""
    return visit.one(visit.rows(Action).select_related("revision"), uuid_or_none(pk) or UUID(int=0)) if pk else None


@require_POST
@actor
def send(visit: Visit) -> HttpResponse:
    """Sends `message`, the words as they stand in the editor, filled with samples or with the values of
    `test_call`, by the sender of `test_agent` or the workspace's."""
    form = Form.posted(visit.request)
    action = _action(visit, form["action"])
    text = _sent(visit, action, form)
    if visit.request.headers.get("HX-Request"):
        told = Told(text) if text else None
        return visit.part(
            "actions/test_text_sent.html", {"told": told, "form": form, "once": uuid4(), "renew": True}
        )
    if text is None:
        return _page(visit, action, form)
    return redirect(visit.to("test-text", text.pk))


def _sent(visit: Visit, action: Action | None, form: Form) -> OwnText | None:
    """None where it cannot be sent, with the reason noted."""
    phone = phone_of(visit.person)
    if phone is None:
        form.refuse("", NO_PHONE)
        return None
    if not form["message"]:
        form.refuse("message", "Write the message first")
        return None
    call = _chosen(visit, Call, form["test_call"])
    agent = _chosen(visit, Agent, form["test_agent"])
    body = filled(visit, action, form["message"], call)
    words = Words(OwnText.Kind.TEST, phone.number, body, agent, action, call)
    try:
        return verbs.send_test(visit, words, once_of(form))
    except NotPossible as reason:
        form.refuse("", str(reason))
        return None


def _chosen(visit: Visit, model: type[M], pk: str) -> M | None:
    return visit.one(visit.rows(model), uuid_or_none(pk) or UUID(int=0)) if pk else None


@require_GET
@member
def test_text(visit: Visit, text_id: UUID) -> HttpResponse:
    """One's own test alone: whom colleagues text is theirs, and the words of a code are for the phone."""
    text = _mine(visit, text_id)
    if text.kind != OwnText.Kind.TEST:
        raise Http404
    told = Told(text)
    return visit.page("actions/test_text_one.html", {"told": told}, place="actions")


@require_GET
@member
def test_text_live(visit: Visit, text_id: UUID) -> HttpResponse:
    told = Told(_mine(visit, text_id))
    return visit.part("actions/test_text_result.html", {"told": told})


def _mine(visit: Visit, text_id: UUID) -> OwnText:
    rows = visit.rows(OwnText).filter(person=visit.person).select_related("action", "call")
    return visit.one(rows, text_id)
