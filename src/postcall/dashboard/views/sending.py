"""How this workspace's texts leave, and how to change it."""

from __future__ import annotations

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.config import config
from postcall.dashboard import verbs
from postcall.dashboard.access import Visit, actor, member
from postcall.messages.models import SendingAccount
from postcall.messages.recheck import CannotRecheck
from postcall.sources.models import Source


@require_GET
@member
def sending(visit: Visit) -> HttpResponse:
    now = visit.rows(SendingAccount).select_related("account").first()
    return visit.page(
        "sending.html",
        {
            "account": now.account if now else None,
            "sources": visit.rows(Source).filter(deleted_at=None).order_by("created_at"),
            "base_url": config().base_url,
        },
    )


@require_POST
@actor
def recheck(visit: Visit) -> HttpResponse:
    """Asks Twilio again, says what it found, and lets go what is well."""
    try:
        found = verbs.recheck(visit)
    except CannotRecheck as problem:
        flashes.error(visit.request, str(problem))
        return visit.back(visit.to("sending"))
    for finding in found.findings:
        if not finding.well:
            flashes.error(visit.request, f"{finding.message} {finding.fix}".strip())
    if found.well:
        said = " ".join(finding.message for finding in found.findings)
        flashes.success(visit.request, f"{said} {_released(found.released)}")
    return visit.back(visit.to("sending"))


def _released(texts: int) -> str:
    if not texts:
        return "No text was waiting for it."
    return "1 text goes on." if texts == 1 else f"{texts} texts go on."
