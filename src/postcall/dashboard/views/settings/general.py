"""The workspace itself: its name, and what it is known by."""

from __future__ import annotations

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.config import config
from postcall.dashboard.access import Visit, member, owner
from postcall.dashboard.forms import Form
from postcall.dashboard.verbs import people as verbs
from postcall.workspaces.members import CannotChange


@require_GET
@member
def general(visit: Visit) -> HttpResponse:
    return _page(visit, Form({"workspace_name": visit.workspace.name}))


def _page(visit: Visit, form: Form) -> HttpResponse:
    return visit.page(
        "settings/general.html",
        {"tab": "general", "form": form, "base_url": config().base_url},
        place="settings",
        status=200 if form.is_well else 422,
    )


@require_POST
@owner
def rename(visit: Visit) -> HttpResponse:
    form = Form.posted(visit.request)
    try:
        verbs.rename(visit, form["workspace_name"])
    except CannotChange as error:
        form.refuse(error.field, str(error))
        return _page(visit, form)
    flashes.success(visit.request, "Renamed.")
    return visit.back(visit.to("settings-general"))
