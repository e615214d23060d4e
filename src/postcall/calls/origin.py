"""Where recorded calls belong that are put in by hand: the source that they came through, or would have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from django.db import transaction

from postcall.agents.models import Agent
from postcall.calls.additions import add
from postcall.calls.known import OWN_IDS, calls_known_as
from postcall.calls.models import Call
from postcall.calls.receive import Receipt, assign, file_away, receive
from postcall.followups.optouts import hashed
from postcall.sources.ended_call import EndedCall
from postcall.sources.kind import Addition, Ignored
from postcall.sources.kinds import KINDS
from postcall.sources.models import Source
from postcall.sources.payloads import API
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within


class UnknownOrigin(Exception):
    """There is no such platform, and no source of that name or id. The text lists what there is."""


class Ambiguous(Exception):
    """Several sources fit: putting a call into the wrong one would make it a second call. The text names them."""


@dataclass(frozen=True)
class Origin:
    """`source` None: the workspace has no living source of the `kind`. `named`: it was chosen among others."""

    workspace: Workspace
    kind: str
    source: Source | None
    named: bool = False


def origin_of(workspace: Workspace, named: str) -> Origin:
    """What a kind, or a source's name or id, means in this workspace. Raises UnknownOrigin, Ambiguous."""
    living = within(workspace, Source).filter(deleted_at=None).order_by("created_at")
    if named == API:
        return Origin(workspace, API, None)
    if named in KINDS:
        return _of_kind(workspace, named, list(living.filter(kind=named)))
    if (pk := _id(named)) and (source := living.filter(pk=pk).first()):
        return Origin(workspace, source.kind, source, named=True)
    found = list(living.filter(name__iexact=named))
    if len(found) > 1:
        raise Ambiguous(f"several sources are named “{named}”; give the id of one: {_listed(found)}")
    if not found:
        kinds = ", ".join((API, *sorted(KINDS)))
        sources = f"; sources: {_listed(living)}" if living else ""
        raise UnknownOrigin(f"there is no “{named}” in {workspace.name}; platforms: {kinds}{sources}")
    return Origin(workspace, found[0].kind, found[0], named=True)


def _of_kind(workspace: Workspace, kind: str, living: list[Source]) -> Origin:
    if len(living) > 1:
        raise Ambiguous(
            f"{workspace.name} has several sources of {KINDS[kind].title}; name the one that these calls came "
            f"through: {_listed(living)}"
        )
    return Origin(workspace, kind, living[0] if living else None)


def _listed(sources: Iterable[Source]) -> str:
    return ", ".join(f"“{source.name}” ({source.pk})" for source in sources)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class PutIn:
    """What became of one payload, and of which call it told; None: of none that is here."""

    status: Literal["accepted", "enriched", "duplicate", "ignored"]
    call: Call | None = None


@transaction.atomic
def put_in(
    origin: Origin,
    read: EndedCall | Addition | Ignored,
    raw: bytes,
    agent: Agent | None = None,
    *,
    follow_up: bool = True,
) -> PutIn:
    """As if the platform had sent it; `agent` takes the place of the one that it names. `follow_up` False: a call
    that is new is for the log only, nothing is decided or sent.

    A call of the same kind and id that is here already is that call, whichever source it came through: one that was
    disconnected since, or none.
    """
    if isinstance(read, Ignored):
        return PutIn("ignored")
    if isinstance(read, Addition):
        return _add(origin, read, raw)
    receipt = _receive(origin, read, raw, agent)
    if not follow_up and receipt.status == "accepted":
        file_away(receipt.call)
    return PutIn(receipt.status, receipt.call)


def _receive(origin: Origin, ended: EndedCall, raw: bytes, agent: Agent | None) -> Receipt:
    source = _known_under(origin, [ended.external_id, hashed(origin.workspace.pk, ended.external_id)])
    if agent is None:
        return receive(origin.workspace, source, origin.kind, ended, raw)
    told = ended.model_copy(update={"agent": str(agent.pk)})
    receipt = receive(origin.workspace, source, origin.kind, told, raw)
    call = receipt.call
    # A platform's own events cannot name our agents. What is known already is not begun again.
    if receipt.status != "duplicate" and call.status == Call.Status.UNASSIGNED:
        return Receipt(assign(call, agent, follow_up=True), receipt.status)
    return receipt


def _add(origin: Origin, addition: Addition, raw: bytes) -> PutIn:
    """An event that tells more about a call is kept for it by its source: without one it waits for none."""
    source = _known_under(origin, list(addition.keys))
    return PutIn(add(source, addition, raw)) if source else PutIn("ignored")


def _known_under(origin: Origin, names: list[str]) -> Source | None:
    """The source of the call that is meant, where it is here; else where a new one belongs."""
    under = [call.source_id for call in calls_known_as(origin.workspace.pk, origin.kind, names)]
    mine = origin.source.pk if origin.source else None
    if origin.named and origin.kind in OWN_IDS:
        living = within(origin.workspace, Source).filter(kind=origin.kind, deleted_at=None)
        others = set(living.values_list("pk", flat=True)) - {mine}
        under = [pk for pk in under if pk not in others]
    if not under or mine in under:
        return origin.source
    return within(origin.workspace, Source).get(pk=under[0]) if under[0] else None
