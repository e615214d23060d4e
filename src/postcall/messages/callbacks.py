"""Status callbacks: Twilio says what became of a text, in any order, twice or never."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog
from django.db import transaction

from postcall.messages import own_texts
from postcall.messages.accounts import account_with
from postcall.messages.models import Attempt, DeliveryEvent, OwnText, StrayCallback
from postcall.messages.signatures import Params, UnknownAddress, verify
from postcall.messages.status import (
    OURS,
    Contradiction,
    News,
    has_nothing_new,
    hear,
    heed_error,
    lock,
    note,
    with_proof,
)
from postcall.messages.twilio_client import is_sid
from postcall.numbers import e164
from postcall.work.leases import LostLease
from postcall.work.rows import find

log = structlog.get_logger("postcall.messages")


def receive_status(token: str, path: str, pairs: Iterable[tuple[str, str]], headers: Mapping[str, str]) -> None:
    """Takes one status callback at /twilio/status/{token}.

    `path` is the raw path with its raw query, `pairs` the form's fields in any order, empty ones included.
    Raises UnknownAddress (404) or BadSignature (401). Returning means: stored, answer 204. A database error
    propagates: answer 503, and Twilio tries again.

    The token names the attempt, so the SID of a signed callback is that attempt's: also when our own request
    has not been answered yet, or never was.
    """
    attempt = find(Attempt, "token = %s", [token])
    if attempt is None:
        _about_own_text(token, path, Params(pairs), headers)
        return
    attempt.account = account_with(attempt.account_id)
    params = Params(pairs)
    verify(attempt.account, path, params, headers)
    news = _news(params)
    if not is_sid(news.sid) or not news.provider_status or _is_anothers(attempt, news):
        _stray(attempt, news)
        return
    if attempt.sid == news.sid and not attempt.provisional and has_nothing_new(attempt, news):
        note(
            attempt,
            OURS.get(news.provider_status, attempt.status),
            news.origin,
            provider_status=news.provider_status,
            error_code=news.error_code,
        )
        return
    if news.provider_status in ("failed", "undelivered") and not has_nothing_new(attempt, news):
        heed_error(attempt, news.error_code)
    try:
        _take_in(attempt, news)
    except LostLease:
        raise UnknownAddress("the attempt that had this address is gone") from None


def _about_own_text(token: str, path: str, params: Params, headers: Mapping[str, str]) -> None:
    """The address may be that of a text to a member's own phone."""
    text = find(OwnText, "token = %s AND account_id IS NOT NULL", [token])
    if text is None or text.account_id is None:
        raise UnknownAddress("no attempt has this address")
    verify(account_with(text.account_id), path, params, headers)
    news = _news(params)
    try:
        taken = is_sid(news.sid) and bool(news.provider_status) and own_texts.told(text, news)
    except LostLease:
        raise UnknownAddress("the text that had this address is gone") from None
    if not taken:
        log.warning("a callback names another message", own_text=str(text.pk), status=news.provider_status)
        StrayCallback.objects.create(
            account_id=text.account_id, sid=news.sid[:64], provider_status=news.provider_status[:30]
        )


def _is_anothers(attempt: Attempt, news: News) -> bool:
    """Whether the attempt was told another SID than the one that the news is about."""
    return bool(attempt.sid) and attempt.sid != news.sid and not attempt.provisional


def _news(params: Params) -> News:
    """Signed is not the same as sane: an owner can sign anything with their own account's token."""

    def given(*names: str) -> str:
        return next((value for name in names if (value := params.get(name))), "").replace("\0", "")

    code, sender = given("ErrorCode"), given("From")
    return News(
        sid=given("MessageSid", "SmsSid"),
        provider_status=given("MessageStatus", "SmsStatus"),
        origin=DeliveryEvent.Origin.TWILIO,
        error_code=int(code) if code.isascii() and code.isdecimal() and len(code) < 9 else None,
        error_message=given("ErrorMessage"),
        from_number=sender if e164(sender) == sender else "",
    )


def _take_in(attempt: Attempt, news: News) -> None:
    @transaction.atomic
    def told() -> bool:
        locked = lock(attempt.pk)
        if _is_anothers(locked, news):
            return False
        hear(locked, news)
        return True

    try:
        taken = with_proof(attempt.account, news.sid, told)
    except Contradiction:
        taken = False
    if not taken:
        _stray(attempt, news)


def _stray(attempt: Attempt, news: News) -> None:
    """Kept and never acted upon: it names a message that is not this attempt's."""
    log.warning("a callback names another message", attempt=str(attempt.pk), status=news.provider_status)
    StrayCallback.objects.create(
        account_id=attempt.account_id,
        attempt=attempt,
        sid=news.sid[:64],
        provider_status=news.provider_status[:30],
    )
