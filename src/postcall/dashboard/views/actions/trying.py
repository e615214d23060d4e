"""Trying an action's words on a call, as they are typed."""

from __future__ import annotations

from django.http import HttpResponse

from postcall.dashboard.access import Visit, actor
from postcall.dashboard.forms import Form
from postcall.dashboard.posting import posted_from
from postcall.dashboard.trials import tried
from postcall.dashboard.views.actions import editor


@posted_from("actions")
@actor
def try_out(visit: Visit) -> HttpResponse:
    """Judges one call by the words as they are typed; nothing is stored, nothing is sent."""
    form = Form.posted(visit.request)
    action = editor.action_of(visit, form["action"])
    result = tried(visit, action, form)
    if not visit.request.headers.get("HX-Request"):
        status = 200 if form.is_well else 422
        return editor.page(visit, action, form, status=status, tried=result, unsaved=True)
    return visit.part(
        "actions/try.html", {**editor.trying(visit, action, form), "form": form, "action": action, "tried": result}
    )
