"""LiveKit: the session report that an agent posts when it is done, and the server's webhooks.

Both are signed alike, by a JSON Web Token over the body's SHA-256 that is made with a key of the project.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from pydantic import Field

from postcall.sources import loose
from postcall.sources.auth import KeyPair
from postcall.sources.chat import conversation
from postcall.sources.ended_call import Direction, EndedCall, Ending, Removed, Variables
from postcall.sources.kind import Addition, Delivery, Ignored, NotVerified, Unreadable
from postcall.sources.reading import read_event
from postcall.sources.signing import WRONG, header, one_of

# As LiveKit's own libraries allow.
_LEEWAY: Final = timedelta(minutes=1)
_REPORT: Final = "session_report"
_JOB_ENDED: Final = "agent_job_ended"
_ROOM_FINISHED: Final = "room_finished"
_WEBHOOK: Final = re.compile(r"(room|participant|track|egress|ingress|agent_job)_\w+")
_BEARER: Final = re.compile("^bearer ", re.IGNORECASE)
# Why the agent's session was closed. Job shutdown is left open: a deleted room and a stopped worker read alike.
_ENDINGS: Final[dict[str, Ending]] = {
    "participant_disconnected": "customer_hung_up",
    "user_initiated": "agent_hung_up",  # by the agent's own code, which is the session's user
    "completed": "agent_hung_up",
    "task_completed": "agent_hung_up",
    "error": "error",
}
# Tags that LiveKit's detection of answering machines sets.
_MACHINES: Final = frozenset({"lk.amd:machine-vm", "lk.amd:machine-unavailable"})
# How an agent's message says to its voice in which tone to speak.
_TONE: Final = re.compile(r"</?expr\b[^<>]*>")


class ApiKey(KeyPair):
    """A project's API key: LiveKit signs its webhooks with it, and agents their reports."""

    key: str = Field(
        min_length=1, max_length=500, title="API key", description="LIVEKIT_API_KEY, such as APIxxxxxxxxxxxx."
    )
    secret: str = Field(
        min_length=1,
        max_length=500,
        title="API secret",
        description="LIVEKIT_API_SECRET, which belongs to that key.",
    )


class LiveKit:
    name = "livekit"
    title = "LiveKit"
    paste = (
        "Put it into your agent’s environment as REPORT_CALLS_TO and add the snippet of docs/sources/livekit.md, "
        "which posts each session’s report. It may also stand under Settings → Webhooks of your LiveKit project: "
        "then a call whose agent broke down is noticed too."
    )
    auth = ApiKey

    def new_auth(self) -> dict[str, Any] | None:
        return None

    def verify(self, delivery: Delivery, auth: Mapping[str, Any]) -> None:
        token = _BEARER.sub("", header(delivery, "authorization")).strip()
        signed = _claims(token, auth).get("sha256")
        if not isinstance(signed, str):
            raise NotVerified("the token in Authorization has no sha256 of the body")
        one_of([base64.b64encode(hashlib.sha256(delivery.body).digest())], signed)

    def parse(self, body: bytes) -> EndedCall | Addition | Ignored:
        event = read_event(body, "a JSON object is needed: a session report, or a webhook of LiveKit's")
        if report := _report_in(event):
            return _reported(report, event)
        kind = event.get("event")
        if kind == _JOB_ENDED:
            return _job_ended(event)
        if kind == _ROOM_FINISHED and (room := loose.identifier(loose.at(event, "room.sid"))):
            # Any room ends so, a video meeting's too: of itself it makes no call.
            return Addition((room,), end_reason=_ROOM_FINISHED)
        if isinstance(kind, str) and _WEBHOOK.fullmatch(kind):
            return Ignored(kind[:100])
        raise Unreadable("this is neither a session report nor a webhook of LiveKit's")


def _claims(token: str, auth: Mapping[str, Any]) -> dict[str, Any]:
    reason = "the source has no key"
    for key, secret in _pairs(auth):
        try:
            return jwt.decode(
                token,
                secret,
                algorithms=["HS256"],
                issuer=key,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss"], "verify_aud": False},
            )
        except jwt.InvalidTokenError as error:
            reason = next((said for kind, said in _REASONS.items() if isinstance(error, kind)), _UNREAD)
        except ValueError:
            # What is no text at all cannot be a token either.
            reason = _UNREAD
    raise NotVerified(reason)


_UNREAD: Final = "Authorization holds no token of LiveKit's"
_REASONS: Final[dict[type[jwt.InvalidTokenError], str]] = {
    jwt.InvalidSignatureError: WRONG,
    jwt.InvalidIssuerError: "the token was made with another API key",
    jwt.ExpiredSignatureError: "the token in Authorization has run out: is the sender's clock right?",
    jwt.ImmatureSignatureError: "the token in Authorization is of later: is the sender's clock right?",
    jwt.MissingRequiredClaimError: "the token in Authorization has no end, or does not name its key",
}


def _pairs(auth: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for pair in (auth.get("previous"), auth):
        if isinstance(pair, Mapping) and pair.get("secret"):
            yield str(pair.get("key")), str(pair["secret"])


def _report_in(event: dict[str, Any]) -> dict[str, Any]:
    """The session report that was posted: by itself, or with what else is known of the call beside it."""
    for report in (loose.mapping(event.get("report")), loose.mapping(event.get(_REPORT)), event):
        if "chat_history" in report or ("job_id" in report and "room_id" in report):
            return report
    return {}


def _reported(report: dict[str, Any], beside: dict[str, Any]) -> EndedCall:
    room, job = loose.identifier(report.get("room_id")), loose.identifier(report.get("job_id"))
    external_id = room or job
    if external_id is None:
        raise Unreadable("the session report names no call", [("room_id", "is required, or job_id")])
    phone = _attributes(beside)
    given = loose.mapping(beside.get("metadata"))
    ended = loose.moment(report.get("timestamp"))
    length = loose.number(report.get("duration_ms"))
    started = loose.earlier(ended, None if length is None else length / 1000)
    said = conversation(
        loose.listing(loose.at(report, "chat_history.items")), started or _first(report), spoken=_spoken
    )
    customer = _customer(phone, beside, given)
    reason = loose.text(report.get("close_reason"), loose.MAX_ID) or _closed(report)
    tags = [tag for tag in map(loose.text, loose.listing(report.get("tags"))) if tag]
    return EndedCall(
        external_id=external_id,
        agent=loose.identifier(beside.get("agent")) or loose.identifier(report.get("agent_name")),
        direction=_direction(phone, given),
        customer_number=customer,
        agent_number=loose.text(phone.get("sip.trunkPhoneNumber") or beside.get("agent_number"), loose.MAX_NUMBER),
        started_at=started or _first(report),
        ended_at=ended,
        end_reason=reason,
        ending="voicemail" if _MACHINES & set(tags) else _ENDINGS.get((reason or "").lower().removeprefix("cr_")),
        transcript=said.turns,
        variables=Variables(
            pre_call=given | {name: value for name, value in phone.items() if not name.startswith(("sip.", "lk."))},
            collected=loose.mapping(beside.get("collected")),
            action_results=said.results,
        ),
        redacted=_hidden(phone, customer),
        hints=loose.kept(tags=tags, errors=_errors(report)),
        also_known_as=_others(external_id, job, loose.identifier(phone.get("sip.callID"))),
    )


def _job_ended(event: dict[str, Any]) -> EndedCall:
    """The agent is done with a room; its report has come, or comes, or never will.

    Nothing here says that a job failed in words that read like an end reason: a report may still tell that the
    call went well.
    """
    job = loose.mapping(event.get("job"))
    room = loose.identifier(loose.at(event, "room.sid")) or loose.identifier(loose.at(job, "room.sid"))
    job_id = loose.identifier(job.get("id"))
    external_id = room or job_id
    if external_id is None:
        raise Unreadable("the event names neither room nor job", [("room.sid", "is required, or job.id")])
    state = loose.mapping(job.get("state"))
    phone = loose.mapping(loose.at(job, "participant.attributes"))
    customer = _customer(phone, {}, {})
    failed = state.get("status") == "JS_FAILED"
    return EndedCall(
        external_id=external_id,
        agent=loose.identifier(job.get("agentName")),
        direction=_direction(phone, {}),
        customer_number=customer,
        agent_number=loose.text(phone.get("sip.trunkPhoneNumber"), loose.MAX_NUMBER),
        started_at=_nanoseconds(state.get("startedAt")),
        ended_at=_nanoseconds(state.get("endedAt")) or loose.moment(event.get("createdAt")),
        ending="error" if failed else None,
        final=False,
        redacted=_hidden(phone, customer),
        hints=loose.kept(job_status=loose.text(state.get("status")), job_error=loose.text(state.get("error"))),
        also_known_as=_others(external_id, job_id, loose.identifier(phone.get("sip.callID"))),
    )


def _attributes(beside: dict[str, Any]) -> dict[str, Any]:
    """The attributes of the participant who telephoned."""
    caller = loose.mapping(beside.get("caller"))
    return (
        loose.mapping(caller.get("attributes"))
        or caller
        or loose.mapping(loose.at(beside, "participant.attributes"))
    )


def _direction(phone: dict[str, Any], given: dict[str, Any]) -> Direction | None:
    """Only a caller who came in did so by a dispatch rule."""
    if loose.text(phone.get("sip.ruleID")):
        return "inbound"
    return "outbound" if loose.text(phone.get("sip.callID")) or _dialled(given) else None


def _customer(phone: dict[str, Any], beside: dict[str, Any], given: dict[str, Any]) -> str | None:
    number = phone.get("sip.phoneNumber") or beside.get("customer_number") or _dialled(given)
    return loose.text(number, loose.MAX_NUMBER)


def _dialled(given: dict[str, Any]) -> str | None:
    # In LiveKit's own examples of outbound calls the job's metadata says whom to dial, by this name.
    return loose.text(given.get("phone_number"), loose.MAX_NUMBER)


def _hidden(phone: dict[str, Any], customer: str | None) -> list[Removed]:
    """A trunk or dispatch rule that hides phone numbers leaves the attribute out."""
    return ["customer_number"] if phone.get("sip.callID") and customer is None else []


def _closed(report: dict[str, Any]) -> str | None:
    """Older agents tell the reason in the events alone."""
    events = [loose.mapping(event) for event in loose.listing(report.get("events"))]
    reasons = [loose.text(event.get("reason"), loose.MAX_ID) for event in events if event.get("type") == "close"]
    return reasons[-1] if reasons else None


def _errors(report: dict[str, Any]) -> dict[str, Any]:
    return {part: count for part, count in loose.mapping(report.get("errors")).items() if count}


def _first(report: dict[str, Any]) -> datetime | None:
    items = map(loose.mapping, loose.listing(loose.at(report, "chat_history.items")))
    times = (loose.moment(item.get("created_at") or item.get("createdAt")) for item in items)
    return min((time for time in times if time is not None), default=None)


def _nanoseconds(value: Any) -> datetime | None:
    found = loose.number(value)
    try:
        return datetime.fromtimestamp(found / 1e9, UTC) if found and found > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _spoken(words: str) -> str:
    return re.sub(r" {2,}", " ", _TONE.sub("", words)).strip() if "<" in words else words


def _others(external_id: str, *ids: str | None) -> list[str]:
    return [each for each in dict.fromkeys(ids) if each and each != external_id]
