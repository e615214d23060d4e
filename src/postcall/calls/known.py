"""Knowing a call again by the ids that its platform gave it, whichever source it comes through."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from postcall.calls.models import Call
from postcall.sources.models import Source

# Whose authors choose the ids of calls themselves: those of two sources may be alike and not the same call. An id
# of a platform's is one call's, also where two sources bring it: an old address and a new one, or those of an agent
# and of the whole account.
OWN_IDS: Final = frozenset({"api", "generic"})

_LOOKED_AT: Final = ("pk", "external_id", "also_known_as", "source_id")


def lock_names(workspace_id: UUID, kind: str, names: Iterable[str]) -> None:
    """Until this transaction ends, nobody else stores a call that a platform calls so, nor what an event tells of
    it: of two reports, or a call and an event, that come at the same instant, the second finds the first.

    Taken before any row is locked, so that nobody who has one waits for these.
    """
    keys = sorted({_lock_of(workspace_id, kind, name) for name in names})
    with connection.cursor() as cursor:
        # One after the other in this order, so that two who want the same ones cannot wait for each other.
        cursor.execute("SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key", [keys])


def _lock_of(workspace_id: UUID, kind: str, name: str) -> int:
    said = f"call {workspace_id} {kind} {name}".encode(errors="replace")
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), signed=True)


def calls_known_as(workspace_id: UUID, kind: str, names: Sequence[str]) -> list[Call]:
    """The calls of a platform that have one of these ids or go by one of these other names, the earliest first.
    Only what they are known by is read of them."""
    calls = Call.objects.filter(workspace_id=workspace_id)
    # Named one by one, and said as the indexes say it, so that these are used.
    sources = list(Source.objects.filter(workspace_id=workspace_id, kind=kind).values_list("pk", flat=True))
    by_id = calls.filter(external_id__in=names)
    found = _few(by_id.filter(source__in=sources)) + _few(by_id.filter(source=None, source_kind=kind))
    found += _few(calls.filter(source_kind=kind, also_known_as__overlap=list(names)).exclude(also_known_as=[]))
    # Ids begin with the moment they were made.
    return sorted({call.pk: call for call in found}.values(), key=lambda call: call.pk)


def _few(calls: QuerySet[Call]) -> list[Call]:
    return list(calls.only(*_LOOKED_AT))


def same_call(workspace_id: UUID, kind: str, external_id: str, also_known_as: Sequence[str]) -> UUID | None:
    """The call that is here under this id, or that one of the two reports names by the other's id; the latest."""
    found = calls_known_as(workspace_id, kind, [external_id, *also_known_as])
    # A name that both only go by may be a session's, of several calls.
    same = [c for c in found if c.external_id in (external_id, *also_known_as) or external_id in c.also_known_as]
    exact = [call for call in same if call.external_id == external_id]
    return (exact or same)[-1].pk if same else None
