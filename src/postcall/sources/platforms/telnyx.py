"""Telnyx AI assistants: `call.conversation.ended`, and the events around it that tell more about the same call.

Events may come twice and in any order. One customer's call may have several legs, each with its own
`call_control_id`; only a whole `call_session_id` is shared, so a leg's events are joined by the leg.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field, field_validator

from postcall.sources import loose
from postcall.sources.auth import OneSecret, secrets_of
from postcall.sources.chat import Conversation, conversation
from postcall.sources.ended_call import Direction, EndedCall, Ending, Variables
from postcall.sources.kind import Addition, Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.reading import NotJson, read_event, read_json
from postcall.sources.signing import WRONG, fresh, header, seconds
from postcall.words import is_redacted

_SIGNATURE: Final = "telnyx-signature-ed25519"
_TIMESTAMP: Final = "telnyx-timestamp"
_WITHIN: Final = timedelta(minutes=5)
_KEY_BYTES: Final = 32

_DIRECTIONS: Final[dict[str, Direction]] = {
    "incoming": "inbound",
    "inbound": "inbound",
    "outgoing": "outbound",
    "outbound": "outbound",
}
# Of a conversation's own reasons one is documented: the operator's program, which Telnyx calls the customer, hung
# up its side of a Conversation Relay. The others are those of `call.hangup`.
_ENDINGS: Final[dict[str, Ending]] = {
    "customer_disconnect": "error",
    "normal_clearing": "hung_up",
    "time_limit": "too_long",
    "no_answer": "no_answer",
    "timeout": "no_answer",
    "call_rejected": "no_answer",
    "user_busy": "busy",
    "originator_cancel": "canceled",
    "not_found": "failed",
}
_NUMBER: Final = re.compile(r"\+?\d{7,15}")


class PublicKey(OneSecret):
    """An account's public key: not a secret, but whoever could change it could send in Telnyx's name."""

    secret: str = Field(
        max_length=500,
        title="Public key",
        description="In Telnyx's portal under Account settings, Keys & credentials, Public key: 44 characters.",
    )

    @field_validator("secret", "previous")
    @classmethod
    def _is_a_key(cls, value: str | None) -> str | None:
        if value is None:
            return None
        value = value.strip()
        if len(_decoded(value)) != _KEY_BYTES:
            raise ValueError("it has to be the public key as Telnyx shows it: 32 bytes in base64, 44 characters")
        return value


class Telnyx:
    name = "telnyx"
    title = "Telnyx"
    paste = (
        "In Telnyx's portal, as the webhook URL of the Voice API application that your assistant's calls run "
        "through, with API version 2; and as the webhook of its insight group, if it has one."
    )
    auth = PublicKey
    # Ten to twenty seconds, as those say who use them.
    extracts_within = timedelta(minutes=1)

    def new_auth(self) -> dict[str, Any] | None:
        return None

    def verify(self, delivery: Delivery, auth: Mapping[str, Any]) -> None:
        signature, stamp = header(delivery, _SIGNATURE), header(delivery, _TIMESTAMP)
        fresh(seconds(stamp, _TIMESTAMP), _WITHIN, _TIMESTAMP)
        given, signed = _decoded(signature), stamp.encode() + b"|" + delivery.body
        if not any(_signed_with(key, given, signed) for key in secrets_of(auth)):
            raise NotVerified(WRONG)

    def parse(self, body: bytes) -> EndedCall | Addition | Ignored:
        event = _event_of(body)
        what = event["event_type"]
        read = _READERS.get(what)
        return read(event, loose.mapping(event.get("payload"))) if read else Ignored(what[:100])


def _decoded(text: str) -> bytes:
    """The bytes of a base64; none where it is none."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _signed_with(key: str, signature: bytes, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(_decoded(key)).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def _event_of(body: bytes) -> dict[str, Any]:
    needed = 'this is no event of Telnyx: {"data": {"event_type", "payload"}} is needed'
    event = read_event(body, needed).get("data")
    if not isinstance(event, dict) or not isinstance(event.get("event_type"), str):
        raise Unreadable(needed)
    return event


# Ended calls.


def _ended(event: dict[str, Any], payload: dict[str, Any]) -> EndedCall:
    ended_at, length = loose.moment(event.get("occurred_at")), loose.number(payload.get("duration_sec"))
    started_at = loose.earlier(ended_at, length)
    messages = payload.get("messages")
    said = conversation(loose.listing(messages), started_at)
    reason = loose.text(payload.get("reason"), loose.MAX_ID)
    return EndedCall(
        **_call(payload),
        started_at=started_at,
        ended_at=ended_at,
        end_reason=reason,
        ending=_ENDINGS.get((reason or "").lower()),
        connected=_connected(messages, said, length),
        transcript=said.turns,
        variables=Variables(pre_call=_client_state(payload), action_results=said.results),
        redacted=["transcript"] if _is_redacted(payload, said) else [],
    )


def _start_failed(event: dict[str, Any], payload: dict[str, Any]) -> EndedCall:
    """The call was answered, but by nobody: no conversation came about, and no other event tells of it."""
    return EndedCall(
        **_call(payload),
        ended_at=loose.moment(event.get("occurred_at")),
        end_reason=loose.text(payload.get("reason"), loose.MAX_ID) or "start_failed",
        ending="failed",
        connected=False,
        variables=Variables(pre_call=_client_state(payload)),
    )


def _call(payload: dict[str, Any]) -> dict[str, Any]:
    """Which call it was, whose, and between whom."""
    direction, customer, ours = _sides(payload)
    names = _ids(payload, "conversation_id", "call_control_id", "call_leg_id", "call_session_id")
    if not names:
        raise Unreadable("this event names no call", [("data.payload.conversation_id", "is required")])
    return {
        "external_id": names[0],
        "also_known_as": names[1:],
        "agent": loose.identifier(payload.get("assistant_id")),
        "direction": direction,
        "customer_number": customer,
        "agent_number": ours,
    }


def _ids(payload: dict[str, Any], *names: str) -> tuple[str, ...]:
    found = (loose.identifier(payload.get(name)) for name in names)
    return tuple(dict.fromkeys(each for each in found if each))


def _sides(payload: dict[str, Any]) -> tuple[Direction | None, str | None, str | None]:
    """The direction as far as it can be told, the customer's number and ours.

    Telnyx's documentation has no direction in a conversation's events. Of two numbers the caller's is taken for
    the customer's; `call.initiated` says when it is the other way round. An assistant that is called without a
    number of ours has a SIP address.
    """
    caller, called = _number(payload.get("from")), _number(payload.get("to"))
    direction = _DIRECTIONS.get((loose.text(payload.get("direction")) or "").lower())
    if direction is None and caller and not called and loose.text(payload.get("to")):
        direction = "inbound"
    if direction is None and called and _is_assistant(payload.get("from")):
        direction = "outbound"
    if direction == "outbound":
        return direction, called, caller
    return direction, caller, called


def _number(value: Any) -> str | None:
    """A number as it was written, also out of a SIP address: `sip:+15551230001@…`. What else stands in place of a
    number, such as `anonymous`, stays; any other SIP address is none."""
    written = loose.text(value)
    if written is None:
        return None
    address = re.fullmatch(r"(?:(sips?|tel):)?([^@;]*)(@.*|;.*)?", written, re.IGNORECASE | re.DOTALL)
    if address is None or not (address[1] or address[3]):
        return written[: loose.MAX_NUMBER]
    user = unquote(address[2])
    return user if _NUMBER.fullmatch(user) else None


def _is_assistant(value: Any) -> bool:
    return "assistant-" in (loose.text(value) or "").lower()


def _connected(messages: Any, said: Conversation, length: float | None) -> bool | None:
    """Somebody spoke, or it lasted: an event without any messages does not say who spoke. Else a machine may have
    answered, or nobody."""
    if any(turn.role == "customer" for turn in said.turns) or _spoke(messages):
        return True
    return True if messages is None and length else None


def _spoke(messages: Any) -> bool:
    """Whether the customer has a message, whatever was taken out of it."""
    return any(loose.mapping(each).get("role") == "user" for each in loose.listing(messages))


def _is_redacted(payload: dict[str, Any], said: Conversation) -> bool:
    """Whether the words were taken out, as Telnyx does for assistants without data retention.

    How that looks is not documented: messages whose content is gone or blacked out are taken for it, not an event
    without any, as it was sent before there were messages in it.
    """
    spoken = [turn.text for turn in said.turns if turn.role in ("agent", "customer")]
    if spoken:
        return all(is_redacted(text) for text in spoken)
    return bool(loose.listing(payload.get("messages")))


def _client_state(payload: dict[str, Any]) -> dict[str, Any]:
    """What the operator's program gave the call: base64 of anything, of use here when that is a JSON object."""
    try:
        state = read_json(_decoded(loose.text(payload.get("client_state")) or ""))
    except NotJson:
        return {}
    return state if isinstance(state, dict) else {}


# What other events tell of them.


def _initiated(_: dict[str, Any], payload: dict[str, Any]) -> Addition | Ignored:
    """The one event that says who called whom; it comes when the call begins."""
    direction, customer, ours = _sides(payload)
    keys = _leg(payload)
    if direction is None or not keys:
        return Ignored("call.initiated")
    return Addition(keys=keys, direction=direction, customer_number=customer, agent_number=ours)


def _hangup(_: dict[str, Any], payload: dict[str, Any]) -> Addition | Ignored:
    cause = loose.text(payload.get("hangup_cause"), loose.MAX_ID)
    keys = _leg(payload)
    if cause is None or not keys:
        return Ignored("call.hangup")
    by = loose.text(payload.get("hangup_source"), loose.MAX_ID)
    return Addition(
        keys=keys,
        hints=loose.kept(hangup_cause=cause, hangup_source=by),
        end_reason=cause,
        ending=_ENDINGS.get(cause.lower()),
    )


def _insights(_: dict[str, Any], payload: dict[str, Any]) -> Addition:
    keys = _ids(payload, "conversation_id") + (_leg(payload) or _ids(payload, "call_session_id"))
    if not keys:
        raise Unreadable("this event names no call", [("data.payload.call_control_id", "is required")])
    extracted: dict[str, Any] = {}
    hints: dict[str, Any] = {}
    for each in map(loose.mapping, loose.listing(payload.get("results"))):
        _insight(each, extracted, hints)
    return Addition(keys=keys, extracted=extracted, hints=hints)


def _insight(each: dict[str, Any], extracted: dict[str, Any], hints: dict[str, Any]) -> None:
    """A structured insight's fields are values by their own names; where two insights share one, the second's
    stands under its insight. Prose is a hint."""
    # Only the id is documented; a name would be what people know it by.
    name = loose.identifier(each.get("name")) or loose.identifier(each.get("insight_id")) or "insight"
    result = loose.unwrapped(each.get("result"))
    if isinstance(result, dict):
        shared = {field: value for field, value in result.items() if field in extracted}
        extracted |= {field: value for field, value in result.items() if field not in shared}
        if shared:
            extracted[name] = shared
    elif isinstance(result, str):
        hints |= loose.kept(**{name: result.strip()})
    elif result is not None:
        extracted[name] = result


def _leg(payload: dict[str, Any]) -> tuple[str, ...]:
    return _ids(payload, "call_control_id", "call_leg_id")


_READERS: Final[dict[str, Callable[[dict[str, Any], dict[str, Any]], EndedCall | Addition | Ignored]]] = {
    "call.conversation.ended": _ended,
    "call.conversation.start_failed": _start_failed,
    "call.conversation_insights.generated": _insights,
    "call.initiated": _initiated,
    "call.hangup": _hangup,
}
