"""Which version of a thing a form was made of, and who saved the one that stands there now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.utils.dateparse import parse_datetime

from postcall.dashboard.access import Visit
from postcall.dashboard.forms import Form
from postcall.workspaces.models import AuditEntry

_NONE: Final = datetime(1970, 1, 1, tzinfo=UTC)


def version_seen(form: Form) -> datetime:
    """The version that the form's field `seen` names; one that nothing has where it names none."""
    try:
        found = parse_datetime(form["seen"])
    except ValueError:
        found = None
    return found if found and found.tzinfo else _NONE


def refuse_overtaken(form: Form, who: str, present: datetime) -> None:
    """Says who was faster. Saving once more, after having looked, is on purpose: the form then names the `present`
    version."""
    form.refuse("", f"Somebody else ({who}) saved this meanwhile. Yours is kept: saving again replaces theirs")
    form.typed["seen"] = present.isoformat()


def last_to_change(visit: Visit, pk: UUID) -> str:
    """The name of whoever changed a thing of the workspace last."""
    entry = visit.rows(AuditEntry).filter(object_id=str(pk)).order_by("-pk").first()
    return entry.actor_name if entry else "Somebody"
