"""Calls on Twilio: Twilio's own callbacks about them, and what the author of an agent there forwards.

Twilio itself sends no transcript: that of ConversationRelay is in the author's own program, that of Conversational
Intelligence has to be fetched. So its callbacks are thin reports, and the author's event is the one that is judged.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, urlparse

from django.utils.datastructures import MultiValueDict
from pydantic import Field
from twilio.request_validator import (  # type: ignore[import-untyped]  # the SDK ships no types
    RequestValidator,
    add_port,
    get_signature_algorithm,
    remove_port,
)

from postcall.sources import loose
from postcall.sources.auth import OneSecret, secrets_of
from postcall.sources.chat import conversation
from postcall.sources.ended_call import Direction, EndedCall, Ending, Turn, Variables
from postcall.sources.kind import Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.platforms.generic import Generic
from postcall.sources.reading import NotJson, read_json
from postcall.sources.signing import header, one_of

_CALL_SID: Final = re.compile(r"CA[0-9a-fA-F]{32}")
_MAX_FIELDS: Final = 1_000
_UNDER_WAY: Final = frozenset({"queued", "initiated", "ringing", "in-progress"})
_ENDINGS: Final[dict[str, Ending]] = {
    "completed": "hung_up",
    "busy": "busy",
    "no-answer": "no_answer",
    "failed": "failed",
    "canceled": "canceled",
}
_NOT_REACHED: Final = frozenset({"busy", "no-answer", "failed", "canceled"})
_NAMESPACES: Final = ("pre_call", "collected", "extracted", "action_results")


class AuthToken(OneSecret):
    """The auth token of a Twilio account, with which it signs what it sends."""

    secret: str = Field(
        min_length=1,
        max_length=500,
        title="Auth token",
        description="Twilio Console: Account info, the primary auth token of the account that the calls are on.",
    )


class Twilio:
    name = "twilio"
    title = "Twilio (ConversationRelay)"
    paste = (
        "Set it as the status callback of your Twilio phone number, or pass it as StatusCallback with each call; "
        "then have your agent's own code post the transcript to it, as docs/sources/twilio.md shows."
    )
    auth = AuthToken

    def new_auth(self) -> None:
        return None

    def verify(self, delivery: Delivery, auth: Mapping[str, Any]) -> None:
        """A form is signed with its address and its fields; JSON by its hash in the address, and that address."""
        given = header(delivery, "x-twilio-signature")
        if _is_json(delivery.body):
            _has_the_hash_of(delivery.body, delivery.url)
            fields: list[tuple[str, str]] = []
        else:
            fields = _fields(delivery.body) or []
        algorithm = get_signature_algorithm(delivery.headers.get("x-twilio-webhooks-signature-settings"))
        try:
            one_of(_signatures(delivery.url, fields, auth, algorithm), given)
        except (NotVerified, ValueError):
            # A ValueError: there is no such algorithm, or no such address.
            raise NotVerified(
                "the signature does not fit: is POSTCALL_PUBLIC_URL the address that Twilio was given, and the "
                "auth token the primary one of the account that the call is on?"
            ) from None

    def parse(self, body: bytes) -> EndedCall | Ignored:
        return _forwarded(body) if _is_json(body) else _callback(body)


def _is_json(body: bytes) -> bool:
    return body.lstrip()[:1] in (b"{", b"[")


def _has_the_hash_of(body: bytes, url: str) -> None:
    named = parse_qs(urlparse(url).query).get("bodySHA256")
    if not named:
        raise NotVerified("JSON needs its hash in the address that is signed: ?bodySHA256=…")
    made = hashlib.sha256(body).hexdigest()
    if not hmac.compare_digest(made.encode(), named[0].lower().encode("utf-8", "surrogateescape")):
        raise NotVerified("bodySHA256 is the hash of another body")


def _signatures(url: str, fields: list[tuple[str, str]], auth: Mapping[str, Any], algorithm: str) -> Iterator[str]:
    """As the SDK's `validate`, whose own comparison tells by its time how much of a signature is right. Twilio
    signs the address with its port or without."""
    params: MultiValueDict[str, str] = MultiValueDict()
    for name, value in fields:
        params.appendlist(name, value)
    parts = urlparse(url)
    for secret in secrets_of(auth):
        for form in (remove_port, add_port):
            yield RequestValidator(secret).compute_signature(form(parts), params, algorithm)


def _fields(body: bytes) -> list[tuple[str, str]] | None:
    """A form's fields in their order, empty ones too: all are signed. None: it is no form."""
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return None


def _forwarded(body: bytes) -> EndedCall | Ignored:
    """What an author posts: the event of a generic source, about a call that Twilio knows too."""
    if unused := _own_event(body):
        return Ignored(unused)
    told = Generic().parse(body)
    if isinstance(told, Ignored):
        return told
    if not _CALL_SID.fullmatch(told.external_id):
        said = "has to be the CallSid: CA and 32 hexadecimal digits"
        raise Unreadable("this is not a call on Twilio", [("data.external_id", said)])
    return told if told.agent else told.model_copy(update={"agent": loose.identifier(told.agent_number)})


def _own_event(body: bytes) -> str | None:
    """The name of an event of Conversational Intelligence: it says that a transcript is there to be fetched."""
    try:
        event = loose.mapping(read_json(body))
    except NotJson:
        return None
    name = loose.text(event.get("event_type"), 100)
    return name if name and name.startswith("voice_intelligence") else None


def _callback(body: bytes) -> EndedCall | Ignored:
    form = dict(_fields(body) or [])
    call_sid = loose.identifier(form.get("CallSid"))
    if call_sid is None:
        raise Unreadable("this is neither a callback about a call nor JSON", [("CallSid", "is required")])
    status, session = form.get("CallStatus", "").strip().lower(), loose.text(form.get("SessionStatus"), 255)
    if form.get("ParentCallSid"):
        # Its other end is whoever the call was handed to.
        return Ignored("a leg of another call")
    if not session and not form.get("SessionId"):
        if not status:
            return Ignored("a callback without CallStatus")
        if status in _UNDER_WAY:
            return Ignored(status)
    return _reported(call_sid, form, status, session)


def _reported(call_sid: str, form: Mapping[str, str], status: str, session: str | None) -> EndedCall:
    handed = _Handed(form.get("HandoffData"))
    direction = _direction(form)
    customer, ours = (
        (form.get("From"), form.get("To")) if direction == "inbound" else (form.get("To"), form.get("From"))
    )
    agent_number = loose.text(ours, loose.MAX_NUMBER) if direction else None
    ended = _moment(form.get("Timestamp"))
    is_over = status not in _UNDER_WAY
    return EndedCall(
        external_id=call_sid,
        agent=handed.agent or agent_number,
        direction=direction,
        customer_number=loose.text(customer, loose.MAX_NUMBER) if direction else None,
        agent_number=agent_number,
        started_at=loose.earlier(ended, form.get("CallDuration")),
        ended_at=ended,
        end_reason=loose.text(status, 255) if is_over and status else session,
        ending=_ending(form, status, session),
        connected=_connected(form, status, direction),
        final=handed.tells_all,
        transcript=handed.turns,
        variables=handed.variables,
        hints=loose.kept(
            handoff=handed.rest,
            session=session,
            error=form.get("ErrorMessage"),
            error_code=form.get("ErrorCode"),
            answered_by=form.get("AnsweredBy"),
        ),
    )


class _Handed:
    """HandoffData: what an agent on ConversationRelay gave with its last message. As an object with `transcript`
    (or `messages`) or `variables` it is the author's report of the call, and nothing is waited for."""

    def __init__(self, data: str | None) -> None:
        given = loose.mapping(data)
        said = conversation(map(_message, loose.listing(given.get("transcript") or given.get("messages"))))
        variables = _variables(loose.mapping(given.get("variables")))
        self.agent: str | None = loose.identifier(given.get("agent"))
        self.turns: list[Turn] = said.turns
        self.variables = variables.model_copy(update={"action_results": said.results | variables.action_results})
        self.tells_all = bool(said.turns or given.get("variables")) and given.get("final") is not False
        ours = ("transcript", "messages", "variables", "agent", "final")
        self.rest: Any = {name: value for name, value in given.items() if name not in ours} if given else data


def _message(turn: Any) -> dict[str, Any]:
    """A turn as POST /calls has it, or a message of a chat model."""
    turn = loose.mapping(turn)
    return {"content": turn.get("text"), **turn}


def _variables(given: Mapping[str, Any]) -> Variables:
    """In their namespaces; an object without any of these holds what the agent collected."""
    if not any(isinstance(given.get(name), dict) for name in _NAMESPACES):
        return Variables(collected=dict(given))
    return Variables.model_validate({name: loose.mapping(given.get(name)) for name in _NAMESPACES})


def _direction(form: Mapping[str, str]) -> Direction | None:
    written = form.get("Direction", "").lower()
    if written == "inbound":
        return "inbound"
    return "outbound" if written.startswith("outbound") else None


def _ending(form: Mapping[str, str], status: str, session: str | None) -> Ending | None:
    if form.get("AnsweredBy", "").startswith("machine"):
        return "voicemail"
    if session == "failed" and status not in _NOT_REACHED:
        return "error"
    return _ENDINGS.get(status)


def _connected(form: Mapping[str, str], status: str, direction: Direction | None) -> bool | None:
    """Of a call that came in somebody called; one that went out may have been completed with a machine."""
    if status in _NOT_REACHED or form.get("AnsweredBy") == "fax":
        return False
    return True if direction == "inbound" or form.get("AnsweredBy") == "human" else None


def _moment(written: str | None) -> datetime | None:
    """Twilio writes times as mail does."""
    if not written:
        return None
    try:
        found = parsedate_to_datetime(written)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return loose.moment(written)
