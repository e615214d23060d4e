"""Whether a workspace's account and senders are well again: Twilio is asked, and what is well goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from postcall.messages import twilio_client
from postcall.messages.accounts import resume, sending_account
from postcall.messages.errors import explain, is_told_later
from postcall.messages.models import Account, SendingAccount
from postcall.messages.pausing import Pause, forgive, pauses
from postcall.messages.twilio_client import Looked, Unread
from postcall.numbers import e164
from postcall.work import clock

_OTHER_SENDER: Final = (
    "Add the number to this account in Twilio's console, or choose another sender where this one was chosen: under "
    "Settings, Twilio, or on the agent."
)
_SERVICE: Final = "MG"


class CannotRecheck(Exception):
    """There is nothing to check, or it was exchanged meanwhile; the message is one sentence for the owner."""


@dataclass(frozen=True)
class Finding:
    """`sender` empty: the account as a whole. `message` says what was found, `fix` the mend where it is amiss."""

    sender: str
    well: bool
    message: str
    fix: str = ""


@dataclass(frozen=True)
class Rechecked:
    """`looked_at` texts that were held for want of a sender are looked at again: those whose sender is well go, if
    they are still in time."""

    findings: Sequence[Finding]
    looked_at: int

    @property
    def well(self) -> bool:
        return all(finding.well for finding in self.findings)


def recheck(workspace_id: UUID, tell: Callable[[Rechecked], None]) -> Rechecked:
    """Looks at the account, its own sender and every paused one, and lifts the pauses of what is well.

    Nothing of a registration can be seen this way, so a sender that was paused for want of one goes on, and is
    paused anew by its next texts if that was too early. Twilio is asked outside any transaction; `tell` is given
    what came of it inside the one that changes something. Raises CannotRecheck.
    """
    sending = sending_account(workspace_id)
    if sending is None:
        raise CannotRecheck("This workspace has no Twilio account: choose one first.")
    began, paused = clock.now(), pauses(workspace_id)
    findings = _findings(sending.account, paused)
    with transaction.atomic():
        row = SendingAccount.objects.select_for_update(no_key=True).filter(workspace_id=workspace_id).first()
        if row is None or row.account_id != sending.account_id:
            raise CannotRecheck("Another account was chosen meanwhile: check again.")
        looked_at = _lift(row, findings, began) if findings[0].well else 0
        found = Rechecked(findings, looked_at)
        tell(found)
    return found


def _lift(row: SendingAccount, findings: Sequence[Finding], began: datetime) -> int:
    """Lets go what is well, of a locked sending account; returns how many texts are looked at again."""
    row.mended_at = began
    row.save(update_fields=["mended_at", "updated_at"])
    forgive(row.workspace_id, but=tuple(finding.sender for finding in findings if not finding.well))
    return resume(row.workspace_id)


def _findings(account: Account, paused: Sequence[Pause]) -> list[Finding]:
    """The account first; where it is not well, nothing else can be seen."""
    whole = _account(account)
    if not whole.well:
        return [whole]
    codes = {pause.sender: pause.code for pause in paused if pause.sender}
    own = account.messaging_service_sid or account.from_number
    senders = dict.fromkeys([own, *codes] if own else codes)
    return [whole, *(_sender(account, sender, codes.get(sender)) for sender in senders)]


def _account(account: Account) -> Finding:
    looked = twilio_client.look(account, _path(account, ".json"), by_token=True)
    if problem := _problem("", looked):
        return problem
    assert isinstance(looked, Looked)
    status = looked.body.get("status")
    if status != "active":
        told = status if isinstance(status, str) and status.isalpha() else "not active"
        return Finding("", False, f"Twilio says that the account is {told}.", "Settle it in Twilio's console.")
    if account.api_key_sid:
        by_key = twilio_client.look(account, _path(account, "/IncomingPhoneNumbers.json"), PageSize="1")
        if problem := _problem("", by_key):
            return problem
    return Finding("", True, "Twilio accepts the account's credentials.")


def _sender(account: Account, sender: str, code: int | None) -> Finding:
    if sender.startswith(_SERVICE) and len(sender) == 34:
        found = _service(account, sender)
    elif e164(sender) == sender:
        found = _number(account, sender)
    else:
        # Short codes and names stand in no list that is the same for every account.
        found = Finding(sender, True, f"Whether {sender} may send is seen when the next text goes.")
    if found.well and is_told_later(code):
        told = "Whether it is registered by now is seen when the next texts go."
        return Finding(sender, True, f"{found.message} {told}")
    return found


def _number(account: Account, sender: str) -> Finding:
    looked = twilio_client.look(account, _path(account, "/IncomingPhoneNumbers.json"), PhoneNumber=sender)
    if problem := _problem(sender, looked):
        return problem
    assert isinstance(looked, Looked)
    listed = looked.body.get("incoming_phone_numbers")
    numbers = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    mine = next((each for each in numbers if each.get("phone_number") == sender), None)
    if mine is None:
        return Finding(sender, False, f"{sender} is not a number of this account.", _OTHER_SENDER)
    capabilities = mine.get("capabilities")
    if isinstance(capabilities, dict) and capabilities.get("sms") is False:
        return Finding(sender, False, f"{sender} cannot send texts.", "Choose a number that can.")
    return Finding(sender, True, f"{sender} is a number of this account.")


def _service(account: Account, sender: str) -> Finding:
    looked = twilio_client.look(account, f"/v1/Services/{sender}", of_messaging=True)
    if isinstance(looked, Looked) and looked.status == 404:
        text = explain(21705)
        return Finding(sender, False, text.message, text.fix)
    if problem := _problem(sender, looked):
        return problem
    return Finding(sender, True, f"{sender} is a messaging service of this account.")


def _problem(sender: str, looked: Looked | Unread) -> Finding | None:
    """What keeps an answer from being read as good news; None: nothing."""
    if isinstance(looked, Unread):
        return Finding(sender, False, f"Twilio could not be asked: {looked.why}", "Check again in a moment.")
    if looked.status == 200 and looked.body:
        return None
    code = looked.body.get("code")
    text = explain(code if isinstance(code, int) else looked.status)
    return Finding(sender, False, text.message, text.fix)


def _path(account: Account, rest: str) -> str:
    return f"/2010-04-01/Accounts/{account.account_sid}{rest}"
