"""Who changed what: told by the doors, in the transaction of the change itself."""

from __future__ import annotations

import getpass
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from postcall.logs import scrubbed
from postcall.shapes import storable
from postcall.work import clock
from postcall.workspaces.models import ApiKey, AuditEntry, User, Workspace

CHANGED: Final = "changed"
LONGEST: Final = 1_000

# By field: [before, after], or CHANGED.
Changes = Mapping[str, list[Any] | str]


@dataclass(frozen=True)
class Actor:
    """Who does it, under the name that they have now."""

    kind: str
    id: str
    name: str

    @classmethod
    def of_person(cls, person: User) -> Actor:
        return cls(AuditEntry.Actor.USER, str(person.pk), person.email)

    @classmethod
    def of_key(cls, key: ApiKey) -> Actor:
        return cls(AuditEntry.Actor.KEY, str(key.pk), f"{key.name} ({key.hint}…)")

    @classmethod
    def at_command_line(cls) -> Actor:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):  # a container's user need not have a name
            name = "nameless"
        return cls(AuditEntry.Actor.CLI, "", name)


SYSTEM: Final = Actor(AuditEntry.Actor.SYSTEM, "", "Postcall, as its environment says")


@dataclass(frozen=True)
class Thing:
    """What it is done to: `kind` is its noun, `name` how people know it."""

    kind: str
    id: UUID | str = ""
    name: str = ""


def record(
    workspace: Workspace | UUID | None, actor: Actor, verb: str, thing: Thing, changes: Changes | None = None
) -> AuditEntry:
    """Adds an entry. Phone numbers and secrets in it are masked, long values left out.

    Raises TransactionManagementError outside a transaction: the entry stands or falls with what it tells of.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("an audit entry belongs into the transaction of its change")
    return AuditEntry.objects.create(
        at=clock.now(),
        workspace_id=workspace.pk if isinstance(workspace, Workspace) else workspace,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=_told(actor.name)[:254],
        verb=verb,
        object_kind=thing.kind,
        object_id=str(thing.id),
        object_name=_told(thing.name)[:254],
        changes={field: _tellable(change) for field, change in (changes or {}).items()},
    )


def found(
    rows: QuerySet[AuditEntry], *, actor: str | None = None, verb: str | None = None, thing: str | None = None
) -> QuerySet[AuditEntry]:
    """The entries of an actor (a kind, an id or a name), of a verb, about a thing (a kind or an id)."""
    if actor is not None:
        rows = rows.filter(Q(actor_kind=actor) | Q(actor_id=actor) | Q(actor_name=actor))
    if verb is not None:
        rows = rows.filter(verb=verb)
    if thing is not None:
        rows = rows.filter(Q(object_kind=thing) | Q(object_id=thing))
    return rows


def difference(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, *, hidden: Collection[str] = ()
) -> dict[str, list[Any] | str]:
    """What differs between two states of a thing; None: it is not there. Of `hidden` fields only that they do."""
    old, new = before or {}, after or {}
    fields = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return {name: CHANGED if name in hidden else [old.get(name), new.get(name)] for name in fields}


def _tellable(change: list[Any] | str) -> Any:
    if len(json.dumps(change, default=str)) > LONGEST:
        return CHANGED
    return _masked(change)


def _masked(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_masked(one) for one in value]
    if isinstance(value, dict):
        return {_told(str(name)): _masked(one) for name, one in value.items()}
    return value if isinstance(value, bool | int | float | None) else _told(str(value))


def _told(text: str) -> str:
    return scrubbed(storable(text))
