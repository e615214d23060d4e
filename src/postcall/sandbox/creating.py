"""Accepting a message: what Twilio checks in a create, in its order, and the message that comes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from postcall.sandbox.errors import Refusal
from postcall.sandbox.magic import BAD_SENDERS, fate_of
from postcall.sandbox.message import Message
from postcall.sandbox.segments import count_segments
from postcall.sandbox.store import Store
from postcall.sandbox.wire import new_sid

MAX_BODY = 1600
SCHEDULE_S = (300, 35 * 86400)

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_PUNCTUATION = re.compile(r"[\s().-]")
_SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]+")


def accept(account_sid: str, form: Mapping[str, str], store: Store, now: float) -> Message:
    """The message that this create makes, not stored yet. Raises Refusal with Twilio's code."""
    to = _recipient(form)
    service, sender = _sender(form)
    body = _body(form)
    if sender == to:
        raise Refusal(21211, "'To' and 'From' are the same")
    if refused := fate_of(to).refused:
        raise Refusal(refused, to)
    if any(store.is_opted_out(account_sid, known, to) for known in _known_as(service, sender)):
        raise Refusal(21610, to)
    send_at = _send_at(form, service, now)
    return Message(
        sid=new_sid("SM"),
        account_sid=account_sid,
        to=to,
        from_number=sender,
        body=body,
        original_body=body,
        status=_first_status(service, send_at),
        messaging_service_sid=service,
        segments=count_segments(body),
        created_at=now,
        updated_at=now,
        due_at=send_at,
        status_callback=_callback(form),
        parameters=dict(form),
    )


def pool_number(service: str) -> str:
    """The number that a messaging service sends from: always the same one of its (imagined) pool."""
    return f"+1555{int(service[2:], 16) % 10_000_000:07d}"


def _first_status(service: str | None, send_at: float | None) -> str:
    if send_at is not None:
        return "scheduled"
    return "accepted" if service else "queued"


def _recipient(form: Mapping[str, str]) -> str:
    given = form.get("To", "").strip()
    if not given:
        raise Refusal(21604)
    to = _PUNCTUATION.sub("", given)
    if not _E164.fullmatch(to):
        raise Refusal(21211, given)
    return to


def _sender(form: Mapping[str, str]) -> tuple[str | None, str | None]:
    service, sender = form.get("MessagingServiceSid") or None, form.get("From", "").strip() or None
    if sender and _SERVICE.fullmatch(sender):
        service, sender = sender, None
    if service and not _SERVICE.fullmatch(service):
        raise Refusal(21705, service)
    if not service and not sender:
        raise Refusal(21603)
    if sender and (code := BAD_SENDERS.get(sender)):
        raise Refusal(code, sender)
    if sender and not _SENDER.fullmatch(sender):
        raise Refusal(21212, sender)
    return service, sender


def _body(form: Mapping[str, str]) -> str:
    body = form.get("Body", "")
    if not body.strip():
        raise Refusal(21602)
    if len(body) > MAX_BODY:
        raise Refusal(21617, f"{len(body)} characters")
    return body


def _known_as(service: str | None, sender: str | None) -> list[str]:
    """The names under which somebody may have opted out of this sender."""
    return [*([sender] if sender else []), *([service, pool_number(service)] if service else [])]


def _callback(form: Mapping[str, str]) -> str | None:
    url = form.get("StatusCallback") or None
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        raise Refusal(21609, url) from None
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or not url.isascii() or " " in url:
        raise Refusal(21609, url)
    return url


def _send_at(form: Mapping[str, str], service: str | None, now: float) -> float | None:
    if form.get("ScheduleType") != "fixed":
        return None
    if not service:
        raise Refusal(35118)
    if not form.get("SendAt"):
        raise Refusal(35111)
    try:
        send_at = datetime.fromisoformat(form["SendAt"])
    except ValueError:
        raise Refusal(35114, form["SendAt"]) from None
    at = (send_at if send_at.tzinfo else send_at.replace(tzinfo=UTC)).timestamp()
    if not SCHEDULE_S[0] <= at - now <= SCHEDULE_S[1]:
        raise Refusal(35114, form["SendAt"])
    return at
