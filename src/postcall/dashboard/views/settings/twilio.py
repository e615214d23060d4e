"""The account by which this workspace's texts leave."""

from __future__ import annotations

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.config import config
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.verbs import settings as verbs
from postcall.messages.accounts import sending_account
from postcall.messages.recheck import CannotRecheck


@require_GET
@member
def twilio(visit: Visit) -> HttpResponse:
    now = sending_account(visit.workspace.pk)
    return visit.page(
        "settings/twilio.html",
        {"tab": "twilio", "account": now.account if now else None, "base_url": config().base_url},
        place="settings",
    )


@require_POST
@actor
def recheck(visit: Visit) -> HttpResponse:
    """Asks Twilio again, says what it found, and lets go what is well."""
    try:
        found = verbs.recheck(visit)
    except CannotRecheck as problem:
        flashes.error(visit.request, str(problem))
        return visit.back(visit.to("settings-twilio"))
    for finding in found.findings:
        if not finding.well:
            flashes.error(visit.request, f"{finding.message} {finding.fix}".strip())
    if found.well:
        said = " ".join(finding.message for finding in found.findings)
        flashes.success(visit.request, f"{said} {_looked_at(found.looked_at)}")
    return visit.back(visit.to("settings-twilio"))


def _looked_at(texts: int) -> str:
    if not texts:
        return "No text was waiting for it."
    return f"{texts} held {'text is' if texts == 1 else 'texts are'} looked at again."
