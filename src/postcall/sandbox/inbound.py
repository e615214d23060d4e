"""Somebody texts one of our numbers: the signed inbound webhook, and what Twilio makes of STOP and START.

Twilio's own reply to a keyword is not simulated: it never reaches the application anyway.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from postcall.sandbox.creating import pool_number
from postcall.sandbox.message import Message
from postcall.sandbox.segments import count_segments
from postcall.sandbox.store import Store
from postcall.sandbox.webhooks import Delivery, Webhooks
from postcall.sandbox.wire import API_VERSION, new_sid

Keyword = Literal["STOP", "START", "HELP"]

_WORDS: dict[Keyword, str] = {
    "STOP": "STOP UNSUBSCRIBE END QUIT STOPALL REVOKE OPTOUT CANCEL",
    "START": "START UNSTOP YES",
    "HELP": "HELP INFO",
}
_KEYWORDS = {word: keyword for keyword, words in _WORDS.items() for word in words.split()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text to one of the account's numbers, and the address at which the application takes it.

    With `advanced_opt_out` the webhook carries OptOutType for a keyword, as a messaging service with
    Advanced Opt-Out does. With a messaging service a STOP counts for the whole service.
    """

    account_sid: str
    from_number: str
    to: str
    body: str
    url: str
    advanced_opt_out: bool = False
    messaging_service_sid: str | None = None


def keyword_of(body: str) -> Keyword | None:
    return _KEYWORDS.get(body.strip().upper())


async def deliver_text(text: Text, store: Store, webhooks: Webhooks) -> Delivery:
    """Remembers an opt-out or its end, keeps the text as an inbound message and posts its webhook."""
    _heed(text, store)
    now = time.time()
    message = Message(
        sid=new_sid("SM"),
        account_sid=text.account_sid,
        to=text.to,
        from_number=text.from_number,
        body=text.body,
        original_body=text.body,
        status="received",
        direction="inbound",
        messaging_service_sid=text.messaging_service_sid,
        segments=max(1, count_segments(text.body)),
        created_at=now,
        updated_at=now,
        sent_at=now,
    )
    store.add(message)
    return await webhooks.post(text.url, _parameters(text, message))


def _heed(text: Text, store: Store) -> None:
    service = text.messaging_service_sid
    for sender in (text.to, *([service, pool_number(service)] if service else [])):
        match keyword_of(text.body):
            case "STOP":
                store.opt_out(text.account_sid, sender, text.from_number)
            case "START":
                store.opt_in(text.account_sid, sender, text.from_number)


def _parameters(text: Text, message: Message) -> dict[str, str]:
    fields = {
        "AccountSid": text.account_sid,
        "ApiVersion": API_VERSION,
        "Body": text.body,
        "From": text.from_number,
        "FromCity": "",
        "FromCountry": "US" if text.from_number.startswith("+1") else "",
        "FromState": "",
        "FromZip": "",
        "MessageSid": message.sid,
        "NumMedia": "0",
        "NumSegments": str(message.segments),
        "SmsMessageSid": message.sid,
        "SmsSid": message.sid,
        "SmsStatus": "received",
        "To": text.to,
    }
    if text.messaging_service_sid:
        fields["MessagingServiceSid"] = text.messaging_service_sid
    if text.advanced_opt_out and (keyword := keyword_of(text.body)):
        fields["OptOutType"] = keyword
    return fields
