"""Texts that come in: only STOP, START and HELP mean anything to us."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal
from uuid import UUID

import structlog

from postcall.followups.models import OptOut
from postcall.followups.optouts import opt_in, opt_out
from postcall.messages.accounts import proven_alike
from postcall.messages.models import Account, Attempt, SendingAccount
from postcall.messages.signatures import Params, UnknownAddress, verify
from postcall.numbers import e164

log = structlog.get_logger("postcall.messages")

Keyword = Literal["STOP", "START", "HELP"]

# Twilio's own words; it blocks and unblocks by them itself, and answers HELP.
_WORDS: Final[dict[Keyword, str]] = {
    "STOP": "STOP UNSUBSCRIBE END QUIT STOPALL REVOKE OPTOUT CANCEL",
    "START": "START UNSTOP YES",
    "HELP": "HELP INFO",
}
_KEYWORDS: Final[dict[str, Keyword]] = {word: kind for kind, words in _WORDS.items() for word in words.split()}
# Opt-outs that a STOP began: only these does START end, never what somebody said aloud or an operator recorded.
_BY_STOP: Final = (OptOut.Origin.STOP.value, OptOut.Origin.TWILIO.value)

# Twilio has answered the person already.
NO_REPLY: Final = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


def receive(token: str, path: str, pairs: Iterable[tuple[str, str]], headers: Mapping[str, str]) -> str:
    """Takes one incoming text at /twilio/inbound/{token} and returns the TwiML to answer with.

    Raises UnknownAddress (404) or BadSignature (401). A STOP counts in every workspace that sends by the Twilio
    account, or has texted the number by it: the person does not know who shares a sender. Only workspaces that
    have the account's auth token, by which this text was verified, share it.
    """
    account = Account.objects.filter(inbound_token=token).first()
    if account is None:
        raise UnknownAddress("no Twilio account has this address")
    params = Params(pairs)
    verify(account, path, params, headers)
    number = e164(params.get("From"))
    keyword = keyword_of(params)
    if number is None or keyword is None:
        return NO_REPLY
    workspaces = _concerned(account, number)
    log.info("keyword received", keyword=keyword, workspaces=len(workspaces))
    for workspace_id in workspaces:
        if keyword == "STOP":
            opt_out(workspace_id, number, OptOut.Origin.STOP, quote=params.get("Body").replace("\0", "")[:200])
        elif keyword == "START":
            opt_in(workspace_id, number, OptOut.Origin.STOP, only_origins=_BY_STOP)
    return NO_REPLY


def keyword_of(params: Params) -> Keyword | None:
    """What Twilio made of the text, where Advanced Opt-Out says so, and what the text is by itself."""
    told = params.get("OptOutType").upper()
    if told in _WORDS:
        return told
    # “Stop.”, "stop all" and "OPT-OUT" are as clear as STOP.
    return _KEYWORDS.get(re.sub(r"[\W_]+", "", params.get("Body")).upper())


def _concerned(account: Account, number: str) -> list[UUID]:
    alike = proven_alike(account)
    sends = SendingAccount.objects.filter(account__in=alike)
    texted = Attempt.objects.filter(account_sid=account.account_sid, account__in=alike, to=number)
    return sorted({*sends.values_list("workspace_id", flat=True), *texted.values_list("workspace_id", flat=True)})
