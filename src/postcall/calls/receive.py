"""Storing an ended call: once, in one transaction with its being due, whatever is delivered twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from django.db import transaction

from postcall.agents.models import Agent, ExternalId
from postcall.calls.known import OWN_IDS, lock_names, same_call
from postcall.calls.lateness import is_recent
from postcall.calls.later import VOICEMAIL, belong_to, told_all, told_of, values_by, waiting_for
from postcall.calls.models import Call, LaterEvent, RawPayload
from postcall.calls.numbers import but_for_ours, number_columns
from postcall.followups.optouts import hashed, is_hashed
from postcall.keeping.spellings import may_hold_number
from postcall.sources.ended_call import EndedCall
from postcall.sources.models import Source
from postcall.work import clock
from postcall.work.rows import find, insert, insert_if_free, write
from postcall.work.wake import wake
from postcall.workspaces.models import Workspace

# Kinds whose senders may name an agent by Postcall's own id, or by any platform's.
_OUR_KINDS = ("api", "generic", "twilio")
# What a richer report may leave out, because the thin one before it said it.
_STAYS: Final = ("agent_ref", "direction", "agent_number", "started_at", "ended_at", "end_reason", "ending")
_NUMBER: Final = ("customer_number", "customer_number_raw")
_SAID: Final = (
    *_STAYS, *_NUMBER, "agent", "connected", "transcript", "variables", "redacted", "hints", "also_known_as",
)  # fmt: skip
_WAITING: Final = (Call.Status.RECEIVED, Call.Status.UNASSIGNED)


@dataclass(frozen=True)
class Receipt:
    """What became of one delivery. `enriched`: the richer event of a call that was not final."""

    call: Call
    status: Literal["accepted", "enriched", "duplicate"]


def find_agent(workspace: Workspace, source_kind: str, ref: str | None) -> Agent | None:
    """The living agent that a platform calls `ref`: by (source kind, id), unique in the workspace.

    Our own API and generic sources may also name Postcall's id, or an id that only one platform has.
    """
    if not ref:
        return None
    ours = source_kind in _OUR_KINDS
    if ours and (own := _agent_with_id(workspace, ref)):
        return own
    known = ExternalId.objects.filter(workspace=workspace, external_id=ref, live=True).select_related("agent")
    named = list(known if ours else known.filter(source_kind=source_kind))
    exact = [row.agent for row in named if row.source_kind == source_kind]
    if exact:
        return exact[0]
    agents = {row.agent_id: row.agent for row in named}
    return next(iter(agents.values())) if len(agents) == 1 else None


def _agent_with_id(workspace: Workspace, ref: str) -> Agent | None:
    try:
        pk = UUID(ref)
    except ValueError:
        return None
    return find(Agent, "id = %s AND workspace_id = %s AND deleted_at IS NULL", [pk, workspace.pk])


@transaction.atomic
def receive(workspace: Workspace, source: Source | None, source_kind: str, ended: EndedCall, raw: bytes) -> Receipt:
    """Stores one ended call with its raw bytes and makes it due.

    `source` None is the source `api`. The same external id again is a duplicate and changes nothing, except that
    the first final report of a call that was not final enriches it, and that another thin one adds what the first
    left open, while nothing is decided. A platform's call is the same call through whichever source of it. What
    other events told of it before it came is added to it.
    """
    events = _waiting_events(workspace, source_kind, ended)
    if known := _known(workspace, source_kind, ended):
        return _again(known, ended, find_agent(workspace, source_kind, ended.agent), raw, events)
    now = clock.now()
    agent = find_agent(workspace, source_kind, ended.agent)
    call = Call(
        workspace=workspace,
        source=source,
        source_kind=source_kind,
        external_id=ended.external_id,
        received_at=now,
        **told_all(content_of(ended, agent), events),
    )
    _schedule(call, ended, now)
    # The unique key is the deduplication: of two deliveries at the same instant one inserts, the other waits
    # for its commit and then inserts nothing.
    if not insert_if_free(call):
        return _again(_locked(workspace, source, ended.external_id), ended, agent, raw, events)
    if may_hold_number(call.external_id) and (known := _known_by_its_hash(call)):
        call.delete()
        return _again(known, ended, agent, raw, events)
    _keep(call, raw)
    belong_to(call, events)
    if call.due_at is not None and call.due_at <= now:
        wake("calls")
    return Receipt(call, "accepted")


def _waiting_events(workspace: Workspace, source_kind: str, ended: EndedCall) -> list[LaterEvent]:
    """What other events told of the call before it came; until this transaction ends no others can come."""
    if source_kind in OWN_IDS:
        return []
    names = (ended.external_id, *ended.also_known_as)
    lock_names(workspace.pk, source_kind, names)
    return waiting_for(workspace.pk, source_kind, names)


def _known(workspace: Workspace, source_kind: str, ended: EndedCall) -> Call | None:
    """A platform's call that is here, locked. The caller has locked its names."""
    if source_kind in OWN_IDS:
        return None
    pk = same_call(workspace.pk, source_kind, ended.external_id, ended.also_known_as)
    return Call.objects.select_for_update().get(pk=pk) if pk else None


def content_of(ended: EndedCall, agent: Agent | None) -> dict[str, Any]:
    """What a report says of its call, by the fields of the Call."""
    numbers = number_columns(ended.customer_number, ended.agent_number, agent)
    return {
        "agent": agent,
        "agent_ref": ended.agent or "",
        "direction": ended.direction or "",
        **(numbers if ended.direction else but_for_ours(numbers, agent)),
        "started_at": ended.started_at,
        "ended_at": ended.ended_at,
        "end_reason": ended.end_reason or "",
        "ending": ended.ending or "",
        "connected": ended.connected,
        "transcript": [turn.model_dump(exclude_none=True) for turn in ended.transcript],
        "variables": ended.variables.model_dump(),
        "redacted": list(dict.fromkeys(ended.redacted)),
        "hints": ended.hints,
        "also_known_as": ended.also_known_as,
    }


def _schedule(call: Call, ended: EndedCall, now: datetime) -> None:
    """Due at once when final and no value is still to be extracted, else when the wait for a richer event is over;
    unassigned: not at all."""
    call.final = ended.final
    call.judge_after = values_by(call, now) if ended.final else ended.wait_until(now)
    call.status = Call.Status.RECEIVED if call.agent else Call.Status.UNASSIGNED
    call.due_at = (call.judge_after or now) if call.agent else None


def _locked(workspace: Workspace, source: Source | None, external_id: str) -> Call:
    return Call.objects.select_for_update().get(workspace=workspace, source=source, external_id=external_id)


def _known_by_its_hash(call: Call) -> Call | None:
    """The same call, where the number in its id was erased (`keeping.mentions`). Asked once the id is taken: an
    erasure that was under way has ended by then."""
    try:
        return _locked(call.workspace, call.source, hashed(call.workspace_id, call.external_id))
    except Call.DoesNotExist:
        return None


def _again(call: Call, ended: EndedCall, agent: Agent | None, raw: bytes, events: list[LaterEvent]) -> Receipt:
    if call.final or call.forgotten_at is not None:
        return Receipt(call, "duplicate")
    content = content_of(ended, agent or call.agent)
    if not ended.final:
        return _and_another_thin_one(call, content, raw)
    for_the_log = is_for_the_log(call)
    # What events told of the call stands in no report.
    _say(call, richer(fields_of(call), told_all(content, [*told_of(call), *events])), ended.external_id)
    now = clock.now()
    if for_the_log or (call.processed_at is not None and not is_recent(call, now)):
        call.final, call.judge_after = True, None
        call.status, call.due_at = Call.Status.DONE, None
    else:
        _schedule(call, ended, now)
    if not for_the_log:
        take_back(call)
    call.save()
    _keep(call, raw)
    belong_to(call, events)
    if call.due_at is not None:
        wake("calls")
    return Receipt(call, "enriched")


def _and_another_thin_one(call: Call, content: dict[str, Any], raw: bytes) -> Receipt:
    """The wait for a richer one goes on as it was."""
    before = fields_of(call)
    after = thin_ones(before, content)
    if call.processed_at is not None or after == before or call.status not in _WAITING:
        return Receipt(call, "duplicate")
    _say(call, after, call.external_id)
    if call.agent is not None and call.status == Call.Status.UNASSIGNED:
        call.status, call.due_at = Call.Status.RECEIVED, call.judge_after or clock.now()
        wake("calls")
    if call.lease_until is not None:
        take_back(call)
    call.save()
    _keep(call, raw)
    return Receipt(call, "enriched")


def fields_of(call: Call) -> dict[str, Any]:
    """What a call says, by the fields of `content_of`."""
    return {name: getattr(call, name) for name in _SAID}


def _say(call: Call, content: Mapping[str, Any], external_id: str) -> None:
    for name, value in content.items():
        setattr(call, name, value)
    if external_id not in (call.external_id, *call.also_known_as) and not is_hashed(call.external_id):
        call.also_known_as = [*call.also_known_as, external_id]


def richer(before: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """A richer report counts; what it leaves out is as the thin one said it. Words, values and whether anybody was
    reached by them are the richer one's alone."""
    stays = {name: before[name] for name in _STAYS if not content[name]}
    if not content["customer_number_raw"]:
        stays |= {name: before[name] for name in _NUMBER}
    if content["connected"] is None and not content["transcript"]:
        stays["connected"] = before["connected"]
    return {**content, **stays, "also_known_as": _all_names(before, content)}


def thin_ones(before: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Of two thin reports the first counts, with what only the other tells; that a machine took the call counts
    in any case."""
    both = {name: before[name] or content[name] for name in (*_STAYS, "transcript", "agent")}
    number_of = before if before["customer_number_raw"] else content
    both |= {name: number_of[name] for name in _NUMBER}
    both["connected"] = content["connected"] if before["connected"] is None else before["connected"]
    if content["ending"] == VOICEMAIL:
        both["ending"] = VOICEMAIL
    both["hints"] = content["hints"] | before["hints"]
    spaces = dict.fromkeys([*before["variables"], *content["variables"]])
    both["variables"] = {
        space: content["variables"].get(space, {}) | before["variables"].get(space, {}) for space in spaces
    }
    both["redacted"] = list(dict.fromkeys([*before["redacted"], *content["redacted"]]))
    return both | {"also_known_as": _all_names(before, content)}


def _all_names(before: Mapping[str, Any], content: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([*before["also_known_as"], *content["also_known_as"]]))


def is_for_the_log(call: Call) -> bool:
    """Whether it was given its agent for the log only: then nothing is ever decided about it."""
    # Only such a call is done without ever having been taken.
    return call.status == Call.Status.DONE and call.generation == 0


def file_away(call: Call) -> None:
    """Keeps a call for the log only that came in this transaction; without its agent it waits for that."""
    if call.status == Call.Status.RECEIVED:
        write(call, status=Call.Status.DONE.value, due_at=None, processed_at=clock.now())


def take_back(call: Call) -> None:
    """A worker may hold what the call said before, this instant: a new generation makes it let go without a trace.

    The caller has locked the row and saves it."""
    call.lease_until = None
    call.generation += 1
    call.starts = 0


def _keep(call: Call, raw: bytes) -> None:
    insert(RawPayload(received_at=clock.now(), workspace=call.workspace, call=call, body=raw))


@transaction.atomic
def assign(call: Call, agent: Agent, *, follow_up: bool) -> Call:
    """Gives an unassigned call its agent; `follow_up` False: for the log only, nothing is decided or sent.

    Raises AlreadyAssigned when it has one.
    """
    call = Call.objects.select_for_update().get(pk=call.pk)
    if call.status != Call.Status.UNASSIGNED:
        raise AlreadyAssigned("this call already has its agent")
    call.agent = agent
    call.status = Call.Status.RECEIVED if follow_up else Call.Status.DONE
    now = clock.now()
    call.due_at = max(call.judge_after or now, now) if follow_up else None
    call.processed_at = None if follow_up else now
    call.save(update_fields=["agent", "status", "due_at", "processed_at"])
    if follow_up:
        wake("calls")
    return call


class AlreadyAssigned(Exception):
    """Only an unassigned call can be assigned."""
