"""Bland's post-call webhook."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from pydantic import Field

from postcall.sources import loose
from postcall.sources.auth import OneSecret
from postcall.sources.ended_call import NOT_REACHED, Direction, EndedCall, Ending, Role, Turn, Variables
from postcall.sources.kind import Delivery, Ignored, Unreadable
from postcall.sources.reading import read_event
from postcall.sources.signing import digests, header, one_of

_SIGNATURE: Final = "x-webhook-signature"
# One of these tells Bland's flat report from others that have a `call_id` too.
_ITS_OWN: Final = frozenset(
    {
        "c_id", "concatenated_transcript", "transcripts", "corrected_duration", "call_length", "queue_status",
        "answered_by", "call_ended_by", "pathway_id", "pathway_logs", "request_data", "disposition_tag", "inbound",
    }
)  # fmt: skip
# `robot` stands beside `assistant` in the documentation and is explained nowhere [G]. It is taken for the agent:
# conditions are judged by what a customer said, and a machine's words are not a customer's.
_ROLES: Final[dict[str, Role]] = {
    "user": "customer", "assistant": "agent", "robot": "agent", "agent": "agent", "agent-action": "tool",
}  # fmt: skip
_SPOKEN: Final[dict[str, Role]] = {"user": "customer", "assistant": "agent", "robot": "agent", "agent": "agent"}
_UNDER_WAY: Final = frozenset({"new", "queued", "allocated", "started", "in_progress", "ringing"})
_BY_WORD: Final[dict[str, Ending]] = {
    "voicemail": "voicemail",
    "no_answer": "no_answer",
    "busy": "busy",
    "failed": "failed",
    "canceled": "canceled",
    "cancelled": "canceled",
    # How far a call had come in their queue when it broke; complete_error came after the call.
    "pre_queue_error": "failed",
    "queue_error": "failed",
    "call_error": "error",
}
_BY_PARTY: Final[dict[str, Ending]] = {"user": "customer_hung_up", "assistant": "agent_hung_up"}
# Bland's own, by the documentation. Where a number is registered says nothing about where anybody is.
_SYSTEM: Final = frozenset(
    {
        "phone_number", "from", "to", "short_from", "short_to", "call_id", "c_id", "now", "now_utc", "country",
        "state", "city", "zip", "language", "timestamp", "timezone", "metadata", "request_data",
    }
)  # fmt: skip
# `request_data` also repeats the parameters of the request by which the call was made.
_PARAMETERS: Final = frozenset(
    {
        "phone_number", "from", "task", "prompt", "pathway_id", "start_node_id", "persona_id", "voice", "voice_id",
        "wait", "wait_for_greeting", "language", "reduce_latency", "model", "max_duration", "record", "webhook",
        "webhook_events", "first_sentence", "answered_by_enabled", "block_interruptions", "interruption_threshold",
        "background_track", "temperature", "timezone", "voicemail", "dispositions", "summary_prompt",
        "analysis_schema", "keywords", "tools", "dynamic_data", "metadata", "request_data", "encrypted_key",
    }
)  # fmt: skip
_AGENT_IN_METADATA: Final = ("agent", "agent_id")


class SigningSecret(OneSecret):
    """The webhook signing secret of a Bland account."""

    secret: str = Field(
        min_length=1,
        max_length=500,
        title="Webhook signing secret",
        description="Bland: Account settings, Keys, Replace Secret. Bland shows it once.",
    )


class Bland:
    name = "bland"
    title = "Bland"
    paste = (
        "In Bland under Inbound numbers, open your number's Advanced section and paste it as the webhook; for "
        "outbound calls send it as `webhook` with each call. Leave webhook_events empty."
    )
    auth = SigningSecret

    def new_auth(self) -> None:
        return None

    def verify(self, delivery: Delivery, auth: Mapping[str, Any]) -> None:
        """Bland signs no time, so an old delivery verifies for ever; it changes nothing, since a call is known by
        its id."""
        given = header(delivery, _SIGNATURE).strip().lower()
        one_of((made.hex() for made in digests(auth, delivery.body)), given)

    def parse(self, body: bytes) -> EndedCall | Ignored:
        event = read_event(body, "this is not Bland's post-call webhook: a JSON object is needed")
        call_id = loose.identifier(event.get("call_id")) or loose.identifier(event.get("c_id"))
        if not _ITS_OWN & event.keys():
            # Events of a call that goes on, by `webhook_events`: {"call_id", "category", "message", …}.
            if (
                call_id
                and isinstance(event.get("message"), str)
                and (category := loose.text(event.get("category")))
            ):
                return Ignored(category[:100])
            raise Unreadable("this is not Bland's post-call webhook")
        if call_id is None:
            raise Unreadable("this is not an ended call", [("call_id", "is required")])
        status = loose.word(event.get("status")) or loose.word(event.get("queue_status"))
        if status in _UNDER_WAY and event.get("completed") is not True:
            return Ignored(status)
        return _ended(call_id, event)


def _ended(call_id: str, event: dict[str, Any]) -> EndedCall:
    given, metadata = loose.mapping(event.get("request_data")), loose.mapping(event.get("metadata"))
    variables = loose.mapping(event.get("variables"))
    line = _line(event, variables, given)
    started_at = loose.moment(event.get("started_at")) or loose.moment(event.get("created_at"))
    turns = loose.turns(_turns(event, started_at)) or loose.lines(_listed(event), _SPOKEN)
    spoke = any(turn.role == "customer" for turn in turns)
    ending = _ending(event, spoke=spoke)
    return EndedCall(
        external_id=call_id,
        agent=_agent(event, metadata, line),
        direction=line.direction,
        customer_number=line.customer,
        agent_number=line.agent,
        started_at=started_at,
        ended_at=loose.later(started_at, _length_s(event)) or loose.moment(event.get("ended_at")),
        end_reason=_reason(event),
        ending=ending,
        connected=_connected(event, ending),
        transcript=turns,
        variables=_variables(event, variables, given, metadata),
        hints=_hints(event),
        also_known_as=_other_ids(event, call_id),
    )


class _Line(NamedTuple):
    direction: Direction | None
    customer: str | None
    agent: str | None


def _line(event: dict[str, Any], variables: dict[str, Any], given: dict[str, Any]) -> _Line:
    caller, called = (_number(event.get(end), variables.get(end)) for end in ("from", "to"))
    direction = _direction(event)
    if direction is None:
        # The other party, whichever way the call went; else the one whom the request asked to call.
        other = _digits(variables.get("phone_number")) or _digits(given.get("phone_number"))
        if _same(called, other) and not _same(caller, other):
            direction = "outbound"
        elif _same(caller, other) and not _same(called, other):
            direction = "inbound"
    if direction is None:
        return _Line(None, None, None)
    customer, agent = (caller, called) if direction == "inbound" else (called, caller)
    return _Line(direction, customer, agent)


def _direction(event: dict[str, Any]) -> Direction | None:
    inbound = event.get("inbound")
    if isinstance(inbound, str):
        inbound = {"true": True, "false": False}.get(inbound.strip().lower())
    if not isinstance(inbound, bool):
        return None
    return "inbound" if inbound else "outbound"


def _number(written: Any, variable: Any) -> str | None:
    """`to` may stand as the request wrote it, without a country code; the variable of the same name has it whole.
    Where neither has one, Bland dials in the United States."""
    found = loose.text(written, loose.MAX_NUMBER)
    whole = loose.text(variable, loose.MAX_NUMBER)
    if found is None or found.startswith("+"):
        return found
    if whole and whole.startswith("+") and _same(whole, _digits(found)):
        return whole
    digits = _digits(found)
    return f"+1{digits}" if re.fullmatch(r"[\d\s().-]+", found) and len(digits) == 10 else found


def _digits(value: Any) -> str:
    return re.sub(r"\D", "", loose.text(value) or "")


def _same(number: str | None, digits: str) -> bool:
    """Whether a number is the one of those digits, which may lack its country code."""
    return len(digits) >= 7 and _digits(number).endswith(digits)


def _agent(event: dict[str, Any], metadata: dict[str, Any], line: _Line) -> str | None:
    """Bland names no agent: what it followed stands in for it, else what the call was sent with, else the number
    that was called."""
    named = (event.get("pathway_id"), *(metadata.get(name) for name in _AGENT_IN_METADATA))
    for each in named:
        if found := loose.identifier(each):
            return found
    return line.agent if line.direction == "inbound" else None


def _turns(event: dict[str, Any], started_at: datetime | None) -> Iterator[Turn | None]:
    for each in map(loose.mapping, loose.listing(event.get("transcripts"))):
        role = _ROLES.get((loose.text(each.get("user")) or "").lower(), "system")
        yield loose.turn(role, loose.text(each.get("text")), loose.since(started_at, each.get("created_at")))


def _listed(event: dict[str, Any]) -> Any:
    return event.get("concatenated_transcript") or event.get("transcript")


def _length_s(event: dict[str, Any]) -> float | None:
    """Seconds: `corrected_duration` counts them, in a string ("196"; "1:33" was seen), `call_length` minutes.

    `end_at` is of no use: it is when the call would have been cut off at the latest.
    """
    corrected = event.get("corrected_duration")
    if isinstance(corrected, str) and re.fullmatch(r"\s*\d{1,3}(:[0-5]?\d){1,2}\s*", corrected):
        total = 0
        for part in corrected.split(":"):
            total = total * 60 + int(part)
        return float(total)
    seconds = loose.number(corrected)
    if seconds is not None and seconds > 0:
        return seconds
    minutes = loose.number(event.get("call_length"))
    return None if minutes is None else minutes * 60


def _reason(event: dict[str, Any]) -> str | None:
    """Bland has no field for it; what comes nearest, in its own words."""
    if said := loose.text(event.get("error_message"), 255):
        return said
    status = loose.text(event.get("status")) or loose.text(event.get("queue_status"))
    if status and loose.word(status) not in ("completed", "complete"):
        return status[:255]
    party = loose.text(event.get("call_ended_by"), 200)
    return f"ended by {party}" if party else status and status[:255]


def _ending(event: dict[str, Any], *, spoke: bool) -> Ending | None:
    """Where somebody spoke, none of the endings by which nobody is reached."""
    words = [loose.word(event.get(name)) for name in ("answered_by", "status", "queue_status")]
    found = next((_BY_WORD[word] for word in words if word in _BY_WORD), None)
    if found is not None and (found not in NOT_REACHED or not spoke):
        return "failed" if found == "error" and not spoke else found
    # disposition_tag is a model's opinion: "TRANSFERRED" was seen of a call that was not.
    if _digits(event.get("transferred_to")):
        return "transferred"
    if found_party := _BY_PARTY.get(loose.word(event.get("call_ended_by"))):
        return found_party
    if loose.text(event.get("error_message")) and event.get("completed") is not True:
        return "error" if spoke else "failed"
    return None


def _connected(event: dict[str, Any], ending: Ending | None) -> bool | None:
    if ending in NOT_REACHED:
        return False
    return True if loose.word(event.get("answered_by")) == "human" else None


def _variables(
    event: dict[str, Any], variables: dict[str, Any], given: dict[str, Any], metadata: dict[str, Any]
) -> Variables:
    """What the call was sent with, what became known while it went on, and the analysis that was asked for."""
    inner = loose.mapping(given.get("request_data"))
    pre_call = {
        **metadata,
        **{name: value for name, value in given.items() if name.lower() not in _PARAMETERS},
        **inner,
    }
    collected = {
        name: value
        for name, value in variables.items()
        if name.lower() not in _SYSTEM and not (name in pre_call and pre_call[name] == value)
    }
    return Variables(pre_call=pre_call, collected=collected, extracted=loose.mapping(event.get("analysis")))


def _hints(event: dict[str, Any]) -> dict[str, Any]:
    analysis = event.get("analysis")
    tags = [
        loose.text(tag) or loose.text(loose.at(tag, "name")) for tag in loose.listing(event.get("pathway_tags"))
    ]
    return loose.kept(
        summary=loose.text(event.get("summary")),
        disposition=loose.text(event.get("disposition_tag")),
        answered_by=loose.text(event.get("answered_by")),
        tags=[tag for tag in tags if tag],
        analysis=None if loose.mapping(analysis) else loose.text(analysis),
    )


def _other_ids(event: dict[str, Any], call_id: str) -> list[str]:
    other = loose.identifier(event.get("c_id"))
    return [other] if other and other != call_id else []
