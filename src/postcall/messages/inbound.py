"""Texts that come in: only STOP, START and HELP mean anything to us."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final, Literal
from uuid import UUID

import structlog

from postcall.followups.models import OptOut
from postcall.followups.optouts import BY_STOP, opt_in, opt_out
from postcall.messages.accounts import proven_alike
from postcall.messages.models import Account, Attempt, OwnText, SendingAccount
from postcall.messages.signatures import Params, UnknownAddress, verify
from postcall.numbers import e164
from postcall.webhooks.telling import Reply, tell_reply

log = structlog.get_logger("postcall.messages")

Keyword = Literal["STOP", "START", "HELP"]

# The words that Twilio documents: its own, by which it blocks and unblocks itself, and those of campaigns in French
# (ARRET, AIDE) and Spanish (ALTO, AYUDA).
_WORDS: Final[dict[Keyword, str]] = {
    "STOP": "STOP UNSUBSCRIBE END QUIT STOPALL REVOKE OPTOUT CANCEL ARRET ARRETE ARRETT ALTO",
    "START": "START UNSTOP YES",
    "HELP": "HELP INFO AIDE AYUDA",
}
_KEYWORDS: Final[dict[str, Keyword]] = {word: kind for kind, words in _WORDS.items() for word in words.split()}

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
    if number is None:
        return NO_REPLY
    if keyword is not None:
        _heed(account, number, keyword, params)
    reply = Reply(
        number,
        params.get("To"),
        params.get("Body"),
        params.get("MessageSid") or params.get("SmsSid"),
        keyword or "",
    )
    tell_reply(reply, account.account_sid, proven_alike(account))
    return NO_REPLY


def _heed(account: Account, number: str, keyword: Keyword, params: Params) -> None:
    workspaces = _concerned(account, number)
    log.info("keyword received", keyword=keyword, workspaces=len(workspaces))
    for workspace_id in workspaces:
        if keyword == "STOP":
            opt_out(workspace_id, number, OptOut.Origin.STOP, quote=params.get("Body").replace("\0", "")[:200])
        elif keyword == "START":
            opt_in(workspace_id, number, OptOut.Origin.STOP, only_origins=BY_STOP)


def keyword_of(params: Params) -> Keyword | None:
    """What Twilio made of the text, where Advanced Opt-Out says so, and what the text is by itself.

    “Stop.”, "stop all", "OPT-OUT" and "Arrêt!" are as clear as STOP. Consent is not guessed: START and its like
    count as Twilio takes them, the bare word in any case.
    """
    told = params.get("OptOutType").strip().upper()
    if told in _WORDS:
        return told
    body = params.get("Body")
    keyword = _KEYWORDS.get(_bare(body))
    return None if keyword == "START" and body.strip().upper() != _bare(body) else keyword


def _bare(body: str) -> str:
    """Its letters and digits, without accents, in capitals."""
    plain = unicodedata.normalize("NFKD", body)
    return re.sub(r"[\W_]+", "", "".join(char for char in plain if not unicodedata.combining(char))).upper()


def _concerned(account: Account, number: str) -> list[UUID]:
    alike = proven_alike(account)
    sends = SendingAccount.objects.filter(account__in=alike)
    texted = Attempt.objects.filter(account_sid=account.account_sid, account__in=alike, to=number)
    tested = OwnText.objects.filter(account_sid=account.account_sid, account__in=alike, to=number)
    return sorted({pk for rows in (sends, texted, tested) for pk in rows.values_list("workspace_id", flat=True)})
