"""What left the house and how it fared, and a message's buttons."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.paging import newest_first
from postcall.dashboard.verbs import follow_ups as verbs
from postcall.dashboard.verbs.follow_ups import tried
from postcall.dashboard.words import MESSAGE_STATUSES
from postcall.messages.errors import explain
from postcall.messages.models import Message
from postcall.shapes import storable

PAGE_SIZE: Final = 50


@require_GET
@member
def log(visit: Visit) -> HttpResponse:
    asked = visit.request.GET
    rows = visit.rows(Message).select_related("follow_up__action", "follow_up__call__agent")
    rows = rows.defer("follow_up__snapshot", "follow_up__call__transcript", "follow_up__call__variables")
    if statuses := [each for each in asked.getlist("status") if each in MESSAGE_STATUSES]:
        rows = rows.filter(status__in=statuses)
    error = asked.get("error", "")
    if error.isdecimal() and len(error) < 7:
        rows = rows.filter(error_code=int(error))
    if digits := re.sub(r"\D", "", asked.get("q", "")):
        rows = rows.filter(to__contains=digits)
    known = visit.rows(Message).filter(error_code__isnull=False).order_by("error_code")
    return visit.page(
        "messages/log.html",
        {
            "page": newest_first(visit.request, rows, PAGE_SIZE),
            "asked": asked,
            "asking": any(asked.get(key) for key in ("q", "status", "error")),
            "statuses": MESSAGE_STATUSES,
            "errors": [
                (str(code), explain(code).message)
                for code in known.values_list("error_code", flat=True).distinct()[:50]
            ],
        },
        place="messages",
    )


@require_POST
@actor
def resend(visit: Visit, message_id: UUID) -> HttpResponse:
    """Sends the same text again, with the operator's reason beside it."""
    message = visit.one(visit.rows(Message).select_related("follow_up"), message_id)
    reason = storable(visit.request.POST.get("reason", "")).strip()[:500]
    if not reason:
        flashes.error(visit.request, "Say why the text goes out again.")
    elif tried(visit, lambda: verbs.resend(visit, message, reason)):
        flashes.success(visit.request, "The text goes out again.")
    return visit.back(visit.to("call", message.follow_up.call_id))


@require_POST
@actor
def cancel(visit: Visit, message_id: UUID) -> HttpResponse:
    message = visit.one(visit.rows(Message).select_related("follow_up"), message_id)
    if tried(visit, lambda: verbs.cancel(visit, message)):
        flashes.success(visit.request, "Canceled. The text does not go out.")
    return visit.back(visit.to("call", message.follow_up.call_id))
