"""Reading a call again: the bytes that its platform sent, with today's reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from postcall.calls.lateness import is_recent
from postcall.calls.later import content_of_addition, told
from postcall.calls.models import Call, RawPayload
from postcall.calls.receive import content_of, find_agent, is_for_the_log, richer, take_back, thin_ones
from postcall.followups.optouts import is_hashed
from postcall.sources.ended_call import EndedCall
from postcall.sources.kind import Addition, Unreadable
from postcall.sources.payloads import in_words, read_payload
from postcall.work import clock
from postcall.work.wake import wake
from postcall.workspaces.scope import within

# The fields that the API names otherwise.
_KNOWN_AS: Final = {"agent_ref": "agent", "customer_number_raw": "customer_number"}


class CannotReplay(Exception):
    """It cannot be read again, and nothing was changed. `code`: `forgotten`, `no_payload` or `unreadable`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Replayed:
    """`changed` are the call's fields that say something else now, as the API names them. `looked_at_again`: it is
    judged on them, as far as a later report of the platform may have that done."""

    call: Call
    changed: tuple[str, ...]
    looked_at_again: bool


@transaction.atomic
def replay(call: Call) -> Replayed:
    """Reads everything again that the call's platform sent about it, and has the call looked at again where that
    says something new: like a richer report that comes now. What was decided otherwise, or sent, stays.

    A call that is decided, and not recent (`lateness`), only says what it says: a text would come too late. Raises
    CannotReplay.
    """
    call = within(call.workspace_id, Call).select_for_update().get(pk=call.pk)
    if call.forgotten_at:
        raise CannotReplay(
            "forgotten", "What was said in this call is forgotten, and what its platform sent with it."
        )
    content = _read(call)
    changed = _changed(call, content)
    if not changed:
        return Replayed(call, (), looked_at_again=False)
    was_final = call.final
    for name, value in content.items():
        setattr(call, name, value)
    again = _schedule(call, clock.now(), was_final=was_final)
    call.save()
    if again:
        wake("calls")
    return Replayed(call, changed, again)


def _changed(call: Call, content: dict[str, Any]) -> tuple[str, ...]:
    names = [_KNOWN_AS.get(name, name) for name, value in content.items() if getattr(call, name) != value]
    return tuple(dict.fromkeys(names))


def _read(call: Call) -> dict[str, Any]:
    """What all reports and additions together say of the call, by its fields: joined as when they came."""
    content: dict[str, Any] = {}
    additions: list[Addition] = []
    final = False
    for read in _payloads(call):
        if isinstance(read, Addition):
            additions.append(read)
            continue
        # Whose call it was may have been said by a person since.
        said = content_of(read, call.agent or find_agent(call.workspace, call.source_kind, read.agent))
        if read.external_id != call.external_id and not is_hashed(call.external_id):
            said["also_known_as"] = [*said["also_known_as"], read.external_id]
        if not content:
            content, final = said, read.final
        elif not final:
            content, final = (richer if read.final else thin_ones)(content, said), read.final
    if not content:
        raise CannotReplay("unreadable", "Nothing that is kept of this call tells of an ended call any more.")
    if call.agent_id is not None:
        content["agent_ref"] = call.agent_ref
    content["final"] = call.final or final
    for each in additions:
        content = told(content, content_of_addition(each))
    return content


def _payloads(call: Call) -> Iterator[EndedCall | Addition]:
    rows = within(call.workspace_id, RawPayload).filter(call=call).order_by("received_at", "pk")
    bodies = [bytes(body) for body in rows.values_list("body", flat=True)]
    if not bodies:
        raise CannotReplay("no_payload", "Nothing that the platform sent about this call is kept.")
    for number, body in enumerate(bodies, 1):
        try:
            read = read_payload(call.source_kind, body)
        except Unreadable as error:
            which = f"Delivery {number} of {len(bodies)}" if len(bodies) > 1 else "What the platform sent"
            raise CannotReplay(
                "unreadable", f"{which} cannot be read any more, so nothing was changed: {in_words(error)}."
            ) from None
        if isinstance(read, EndedCall | Addition):
            yield read


def _schedule(call: Call, now: datetime, *, was_final: bool) -> bool:
    """Has a call that says something new decided about; False: it is left as it stands."""
    if call.agent_id is None or is_for_the_log(call):
        return False
    in_time = is_recent(call, now)
    if call.status == Call.Status.UNASSIGNED and not in_time:
        call.status, call.processed_at = Call.Status.DONE, now
        return False
    if call.status == Call.Status.DONE and not in_time:
        return False
    # A final one waits at most for values that its platform extracts afterwards.
    if call.final and (call.variables["extracted"] or not was_final):
        call.judge_after = None
    call.status = Call.Status.RECEIVED
    call.due_at = max(call.judge_after or now, now)
    take_back(call)
    return True
