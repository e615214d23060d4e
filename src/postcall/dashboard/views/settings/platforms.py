"""The voice platforms from which calls come in."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from postcall.config import config
from postcall.dashboard.access import Visit, member
from postcall.sources.models import Source


@require_GET
@member
def platforms(visit: Visit) -> HttpResponse:
    return visit.page(
        "settings/platforms.html",
        {
            "tab": "platforms",
            "sources": visit.rows(Source).filter(deleted_at=None).order_by("created_at"),
            "base_url": config().base_url,
        },
        place="settings",
    )
