"""Texts that wait, and having them looked at before their time."""

from __future__ import annotations

from typing import Final

from django.db import connection, transaction
from django.db.models import QuerySet

from postcall.messages.models import Message
from postcall.work.wake import wake

WAITING: Final = (Message.Status.QUEUED.value, Message.Status.SCHEDULED.value)


@transaction.atomic
def bring_forward(texts: QuerySet[Message]) -> int:
    """Makes those of `texts` that wait for their next claim due at once; returns how many.

    Whoever is changing one of them comes first: what they leave is looked at again, as far as `texts` asks about
    the message itself. Messages are locked in the order of their ids here and by the heartbeat, so that no two of
    them wait for one another.
    """
    waiting = texts.filter(status__in=WAITING, due_at__isnull=False).order_by("pk")
    pks = list(waiting.select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))
    if not pks:
        return 0
    with connection.cursor() as cursor:
        # One array: as parameters of their own, more than 65,535 are more than a statement takes.
        cursor.execute(
            "UPDATE message SET due_at = least(due_at, clock_timestamp()) WHERE id = ANY(%s::uuid[])", [pks]
        )
    wake("messages")
    return len(pks)
