"""Who must not be texted: recorded and looked up under the recipient's lock."""

from __future__ import annotations

from uuid import UUID

from django.db import connection, transaction

from postcall.calls.models import Call
from postcall.followups.models import OptOut
from postcall.work import clock


def lock_recipient(workspace_id: UUID, number: str) -> None:
    """Until this transaction ends, nobody else sends to the number in this workspace, nor opts it out.

    The claim of a message and the recording of an opt-out both take it: a text claimed after a STOP was stored
    has seen it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{workspace_id} {number}"])


@transaction.atomic
def opt_out(
    workspace_id: UUID, number: str, origin: str, *, quote: str = "", call: Call | None = None
) -> tuple[OptOut, bool]:
    """Records that `number` (E.164) must not be texted; returns the row and whether it is new."""
    lock_recipient(workspace_id, number)
    return OptOut.objects.get_or_create(
        workspace_id=workspace_id,
        number=number,
        ended_at=None,
        defaults={"origin": origin, "quote": quote, "call": call},
    )


@transaction.atomic
def opt_in(workspace_id: UUID, number: str, by: str, *, only_origins: tuple[str, ...] | None = None) -> bool:
    """Ends the number's opt-out and says whether there was one. START ends only what STOP began:
    `only_origins` names which origins may be ended; None: any."""
    lock_recipient(workspace_id, number)
    active = OptOut.objects.filter(workspace_id=workspace_id, number=number, ended_at=None)
    if only_origins is not None:
        active = active.filter(origin__in=only_origins)
    return bool(active.update(ended_at=clock.now(), ended_by=by))


def active_opt_out(workspace_id: UUID, number: str) -> OptOut | None:
    return OptOut.objects.filter(workspace_id=workspace_id, number=number, ended_at=None).first()
