"""How this workspace's texts leave, and how to change it."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from postcall.config import config
from postcall.dashboard.access import Visit, member
from postcall.messages.errors import explain
from postcall.messages.models import SendingAccount
from postcall.sources.models import Source


@require_GET
@member
def sending(visit: Visit) -> HttpResponse:
    now = visit.rows(SendingAccount).select_related("account").first()
    return visit.page(
        "sending.html",
        {
            "account": now.account if now else None,
            "paused": explain(now.paused_code) if now and now.paused_at else None,
            "paused_at": now.paused_at if now else None,
            "sources": visit.rows(Source).filter(deleted_at=None).order_by("created_at"),
            "base_url": config().base_url,
        },
    )
