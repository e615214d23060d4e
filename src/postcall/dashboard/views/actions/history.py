"""What an action said before, by whom it was changed, and in which words."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages as flashes
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from postcall.actions.editing import Archived, InputsUnbound
from postcall.actions.models import Action, Revision
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.comparing import Compared, compared
from postcall.dashboard.templatetags.postcall import spell_seconds
from postcall.dashboard.verbs import actions as verbs
from postcall.dashboard.views.actions.finding import found
from postcall.dashboard.views.actions.wording import URGENCIES
from postcall.workspaces.models import AuditEntry


@require_GET
@member
def revisions(visit: Visit, action_id: UUID) -> HttpResponse:
    """All revisions; and any two of them compared, the newest with the one before it unless the address asks."""
    action = found(visit, action_id)
    rows = list(action.revisions.order_by("-number"))
    by_number = {row.number: row for row in rows}
    new = by_number.get(_number(visit, "to"), rows[0])
    old = by_number.get(_number(visit, "from")) or by_number.get(new.number - 1)
    return visit.page(
        "actions/history.html",
        {
            "action": action,
            "revision": action.revision,
            "rows": rows,
            "numbers": {str(row.number): f"Revision {row.number}" for row in rows},
            "by": _revised_by(visit, action),
            "old": old,
            "new": new,
            "differences": _differences(old, new) if old and old != new else [],
        },
        place="actions",
    )


def _number(visit: Visit, key: str) -> int:
    written = visit.request.GET.get(key, "")
    return int(written) if written.isascii() and written.isdecimal() and len(written) < 10 else 0


def _revised_by(visit: Visit, action: Action) -> dict[int, str]:
    """By a revision's number, who made it, as far as the audit log still tells."""
    rows = visit.rows(AuditEntry).filter(
        object_kind="action", object_id=str(action.pk), changes__has_key="revision"
    )
    return {change[1]: row.actor_name for row in rows if isinstance(change := row.changes["revision"], list)}


def _differences(old: Revision, new: Revision) -> list[tuple[str, Compared]]:
    """What differs, by the label of the field."""
    fields = [("Send it when", _when), ("Message", _message), ("Urgency", _urgency), ("Lapses after", _lapse)]
    return [(label, compared(told(old), told(new))) for label, told in fields if told(old) != told(new)]


def _when(revision: Revision) -> str:
    return "After every connected call" if revision.always else revision.condition


def _message(revision: Revision) -> str:
    return revision.message


def _urgency(revision: Revision) -> str:
    return URGENCIES[revision.urgency]


def _lapse(revision: Revision) -> str:
    return spell_seconds(revision.send_within_s)


@require_POST
@actor
def use_again(visit: Visit, action_id: UUID, number: int) -> HttpResponse:
    """Makes a new revision of an old one's words. Where they need inputs that agents do not bind, the editor opens
    with them, and says so."""
    action = found(visit, action_id)
    revision = action.revisions.filter(number=number).first()
    if revision is None:
        raise Http404
    try:
        saved = verbs.use_again(visit, action, revision)
    except Archived as refusal:
        flashes.error(visit.request, f"{refusal}".capitalize() + ".")
        return redirect(visit.to("action", action.pk))
    except InputsUnbound:
        flashes.error(
            visit.request,
            f"Revision {number} has inputs that agents do not bind any more. Here are its words: save them to say "
            "where the values come from.",
        )
        return redirect(f"{visit.to('action', action.pk)}?revision={number}")
    present = saved.revision.number if saved.revision else number
    flashes.success(visit.request, f"Revision {present} says what revision {number} said.")
    return redirect(visit.to("action", action.pk))
