"""How a workspace is set up, a module a tab."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from postcall.dashboard.access import Visit, member


@require_GET
@member
def first(visit: Visit) -> HttpResponse:
    """To the first tab."""
    return redirect(visit.to("settings-twilio"))
