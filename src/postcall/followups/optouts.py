"""Who must not be texted: recorded and looked up under the recipient's lock."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from postcall.calls.models import Call
from postcall.followups.models import NumberKey, OptOut
from postcall.work import clock

# What a STOP began, which a START ends: never what somebody said aloud or an operator recorded.
BY_STOP: Final = (OptOut.Origin.STOP.value, OptOut.Origin.TWILIO.value)


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
    """Records that `number` (E.164) must not be texted; returns the row and whether it is new.

    Where a STOP is known, what is said otherwise takes its place: a START is not to end that.
    """
    lock_recipient(workspace_id, number)
    if known := active_opt_out(workspace_id, number):
        if origin in BY_STOP or known.origin not in BY_STOP:
            return known, False
        OptOut.objects.filter(pk=known.pk).update(ended_at=clock.now(), ended_by=origin)
        number = known.number
    row = OptOut(workspace_id=workspace_id, number=number, origin=origin, quote=quote, call=call)
    row.save(force_insert=True)
    return row, True


@transaction.atomic
def opt_in(workspace_id: UUID, number: str, by: str, *, only_origins: tuple[str, ...] | None = None) -> bool:
    """Ends the number's opt-out and says whether there was one. START ends only what STOP began:
    `only_origins` names which origins may be ended; None: any."""
    lock_recipient(workspace_id, number)
    names = names_of(workspace_id, number)
    active = OptOut.objects.filter(workspace_id=workspace_id, number__in=names, ended_at=None)
    if only_origins is not None:
        active = active.filter(origin__in=only_origins)
    return bool(active.update(ended_at=clock.now(), ended_by=by))


def active_opt_out(workspace_id: UUID, number: str) -> OptOut | None:
    names = names_of(workspace_id, number)
    return OptOut.objects.filter(workspace_id=workspace_id, number__in=names, ended_at=None).first()


# The numbers of people who were erased.

_LETTERS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_key: bytes | None = None


def names_of(workspace_id: UUID, number: str) -> list[str]:
    """Under which names `number` may stand among the opt-outs of a workspace."""
    return [number, hashed(workspace_id, number)]


def hashed(workspace_id: UUID, number: str) -> str:
    """What stands for a number that is to be recognised and not to be read: its keyed hash, another one in each
    workspace. It holds no digit, so no search for one finds it."""
    digest = hmac.digest(_number_key(), f"{workspace_id} {number}".encode(), hashlib.sha256)
    return f"#{digest[:16].hex().translate(_LETTERS)}"


def is_hashed(number: str) -> bool:
    return number.startswith("#")


def _number_key() -> bytes:
    """Read once a process: it never changes. The migrations make it; it is made here where a table was emptied."""
    global _key
    if _key is None:
        row = NumberKey.objects.filter(pk=1).first()
        if row is None:
            NumberKey.objects.bulk_create([NumberKey(secret=secrets.token_urlsafe(32))], ignore_conflicts=True)
            row = NumberKey.objects.get(pk=1)
        _key = row.secret.encode()
    return _key
