"""One's own phone: the number to which tests are sent, once a code has shown that it is one's own."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.forms import Form
from postcall.dashboard.own_texts import Told
from postcall.dashboard.paging import uuid_or_none
from postcall.dashboard.templatetags.postcall import phone as spelt
from postcall.dashboard.verbs import phone as verbs
from postcall.dashboard.views.opt_outs import NOT_A_NUMBER
from postcall.messages.models import OwnPhone
from postcall.messages.own_phone import as_the_sandbox_has_it, awaited, phone_of
from postcall.messages.own_texts import NotPossible
from postcall.numbers import e164
from postcall.workspaces.models import Membership, Workspace

_MAY_ACT = (Membership.Role.OWNER, Membership.Role.EDITOR)


@require_GET
@member
def phone(visit: Visit) -> HttpResponse:
    return _page(visit, Form({"workspace": str(visit.workspace.pk)}))


def _page(visit: Visit, form: Form) -> HttpResponse:
    code = awaited(visit.person)
    told = Told(code.text) if code else None
    return visit.page(
        "people/phone.html",
        {
            "form": form,
            "phone": phone_of(visit.person),
            "code": code,
            "told": told,
            "sandbox_body": as_the_sandbox_has_it(code.text) if code else "",
            "senders": {str(each.pk): each.name for each in _senders(visit)},
            "once": uuid4(),
        },
        place="me",
        status=200 if form.is_well else 422,
    )


def _senders(visit: Visit) -> list[Workspace]:
    """By whose sender a code may go: where the person may act."""
    mine = Workspace.objects.filter(memberships__user=visit.person, memberships__role__in=_MAY_ACT)
    return list(mine.order_by("name"))


@require_POST
@actor
def send_code(visit: Visit) -> HttpResponse:
    form = Form.posted(visit.request)
    number = e164(form["number"])
    if number is None:
        form.refuse("number", NOT_A_NUMBER)
    chosen = form["workspace"] or str(visit.workspace.pk)
    workspace = next((each for each in _senders(visit) if str(each.pk) == chosen), None)
    if workspace is None:
        form.refuse("workspace", "Choose one of your workspaces")
    if number is None or workspace is None:
        return _page(visit, form)
    try:
        verbs.send_code(visit, workspace, number, once_of(form))
    except NotPossible as reason:
        form.refuse("number", str(reason))
        return _page(visit, form)
    return redirect(visit.to("my-phone"))


def once_of(form: Form) -> UUID:
    """The form's token: the same form twice is one text. Without one, each is its own."""
    return uuid_or_none(form["once"]) or uuid4()


@require_POST
@actor
def verify(visit: Visit) -> HttpResponse:
    form = Form.posted(visit.request)
    try:
        found = verbs.verify(visit, form["code"])
    except NotPossible as reason:
        form.refuse("number", str(reason))
        return _page(visit, form)
    if isinstance(found, OwnPhone):
        flashes.success(visit.request, f"{spelt(found.number)} is yours. Tests go there from now on.")
        return visit.back(visit.to("my-phone"))
    if found.tries_left:
        tries = f"{found.tries_left} {'try' if found.tries_left == 1 else 'tries'}"
        form.refuse("code", f"This is not the code. You have {tries} left")
    else:
        form.refuse("number", "Five wrong codes: ask for another")
    return _page(visit, form)


@require_POST
@actor
def remove(visit: Visit) -> HttpResponse:
    if verbs.remove(visit):
        flashes.success(visit.request, "Removed. No test goes to this number any more.")
    return redirect(visit.to("my-phone"))
