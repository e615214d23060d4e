"""Why did this number get no text?"""

from __future__ import annotations

from typing import Final

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from postcall.dashboard import inquiry, searching
from postcall.dashboard.access import Visit, member
from postcall.dashboard.forms import Form
from postcall.shapes import storable

DATES: Final = searching.DATES
LATELY: Final = "7d"
NOT_A_NUMBER: Final = "Type a phone number, with its country code if nobody has called from it yet."


@require_GET
@member
def why(visit: Visit) -> HttpResponse:
    """`?number=` in any notation; `?date=` how far back to look for a call that is not the number's own."""
    asked = visit.request.GET
    form = Form({"number": storable(asked.get("number", "")).strip()[:80]})
    meant = inquiry.numbers_meant(visit.workspace, form["number"]) if form["number"] else []
    if form["number"] and not meant:
        form.refuse("number", NOT_A_NUMBER)
    date = asked.get("date") if asked.get("date") in DATES else LATELY
    number = meant[0] if len(meant) == 1 else ""
    context = {"form": form, "meant": meant, "number": number, "date": date, "dates": DATES, "lately": LATELY}
    if number:
        since = searching.since_of(date or LATELY) or timezone.now()
        context |= {
            "answers": inquiry.answers(visit.workspace, number),
            "most": inquiry.MOST_CALLS,
            "standing": inquiry.standing(visit.workspace, number),
            "elsewhere": inquiry.elsewhere(visit.workspace, since),
        }
    return visit.page("calls/why.html", context, place="calls", status=200 if form.is_well else 422)
