"""What later events tell of a call that another event reports: keeping it until the call comes, and telling it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from postcall.actions.models import Attachment
from postcall.agents.models import Agent
from postcall.calls.models import Call, LaterEvent, RawPayload
from postcall.calls.numbers import number_columns
from postcall.pace import paced_delta
from postcall.shapes import storable_json
from postcall.sources.kind import Addition, ExtractsAfterwards
from postcall.sources.kinds import KINDS
from postcall.sources.models import Source
from postcall.work import clock
from postcall.work.rows import insert

# Who took the call matters more than who hung up.
VOICEMAIL: Final = "voicemail"
# So long platforms try to deliver, and an event waits for its call.
KEPT_FOR: Final = timedelta(days=1)


def event_of(source: Source, addition: Addition, raw: bytes) -> LaterEvent:
    content = content_of_addition(addition)
    keys = [storable_json(key) for key in addition.keys]
    said = json.dumps([keys, content], sort_keys=True)
    return LaterEvent(
        workspace_id=source.workspace_id,
        source=source,
        keys=keys,
        content=content,
        digest=hashlib.sha256(said.encode()).hexdigest(),
        raw=raw,
        received_at=clock.now(),
    )


def content_of_addition(addition: Addition) -> dict[str, Any]:
    """What an event tells, as JSON, without what it leaves open."""
    told = {name: value for name, value in asdict(addition).items() if name != "keys" and value}
    return storable_json(told)  # type: ignore[no-any-return]  # a dict in is a dict out


def waiting_for(workspace_id: UUID, kind: str, names: Sequence[str]) -> list[LaterEvent]:
    """The events that came before the call of these names, the earliest first. The caller has locked the names."""
    told = LaterEvent.objects.filter(workspace_id=workspace_id, source__kind=kind)
    events = told.filter(call=None, keys__overlap=list(names))
    return list(events.order_by("received_at", "pk"))


def told_of(call: Call) -> list[LaterEvent]:
    """What events told of a call during the last day, the earliest first."""
    return list(LaterEvent.objects.filter(call=call).order_by("received_at", "pk"))


def told(fields: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """A call's fields (`receive.content_of`) with what an event tells: values and hints in the place of those that
    have their names, and nothing lost beside; the rest where the fields leave it open (`Addition`)."""
    found = dict(fields)
    extracted = {**fields["variables"].get("extracted", {}), **content.get("extracted", {})}
    found["variables"] = {**fields["variables"], "extracted": extracted}
    found["hints"] = {**fields["hints"], **content.get("hints", {})}
    found["end_reason"] = fields["end_reason"] or content.get("end_reason", "")[:255]
    if not fields["ending"] or content.get("ending") == VOICEMAIL:
        found["ending"] = content.get("ending", "")
    if not fields["direction"] and "direction" in content:
        numbers = number_columns(content.get("customer_number"), content.get("agent_number"), fields["agent"])
        found |= {"direction": content["direction"], **(numbers if content.get("customer_number") else {})}
    return found


def told_all(fields: Mapping[str, Any], events: Iterable[LaterEvent]) -> dict[str, Any]:
    found = dict(fields)
    for event in events:
        found = told(found, event.content)
    return found


def values_by(call: Call, now: datetime) -> datetime | None:
    """When a call is judged at the latest whose platform extracts values afterwards, where a text of its agent
    needs such a value and none is here; None: nothing is waited for."""
    kind = KINDS.get(call.source_kind)
    if call.source_id is None or call.agent is None or not isinstance(kind, ExtractsAfterwards):
        return None
    if call.connected is False or call.variables["extracted"] or not _needs_extracted(call.agent):
        return None
    return now + paced_delta(seconds=kind.extracts_within.total_seconds())


def _needs_extracted(agent: Agent) -> bool:
    attached = Attachment.objects.filter(agent=agent, deleted_at=None, action__deleted_at=None)
    for attachment in attached.exclude(mode=Attachment.Mode.OFF).only("inputs", "only_if"):
        if any(each.get("from") == "extracted" for each in (*attachment.inputs.values(), *attachment.only_if)):
            return True
    return False


def belong_to(call: Call, events: Sequence[LaterEvent]) -> None:
    """Notes that a stored call was told what these events say; their bytes are kept with the call's."""
    if not events:
        return
    for event in events:
        insert(RawPayload(received_at=event.received_at, workspace=call.workspace, call=call, body=event.raw))
    LaterEvent.objects.filter(pk__in=[event.pk for event in events]).update(call=call, raw=b"")


def forget_later_events(now: datetime) -> int:
    """Deletes those that nobody waits for any more; returns how many. For the housekeeping."""
    return LaterEvent.objects.filter(received_at__lt=now - KEPT_FOR).delete()[0]
