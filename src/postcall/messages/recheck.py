"""Whether a workspace's account and senders are well again: Twilio is asked, and what is well goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from postcall.messages.accounts import resume, sending_account
from postcall.messages.errors import is_told_later
from postcall.messages.findings import Finding, account_finding, sender_finding
from postcall.messages.models import Account, SendingAccount
from postcall.messages.pausing import Pause, forgive, pauses
from postcall.work import clock


class CannotRecheck(Exception):
    """There is nothing to check, or it was exchanged meanwhile; the message is one sentence for the owner."""


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
    whole = account_finding(account)
    if not whole.well:
        return [whole]
    codes = {pause.sender: pause.code for pause in paused if pause.sender}
    own = account.messaging_service_sid or account.from_number
    senders = dict.fromkeys([own, *codes] if own else codes)
    return [whole, *(_of_paused(account, sender, codes.get(sender)) for sender in senders)]


def _of_paused(account: Account, sender: str, code: int | None) -> Finding:
    found = sender_finding(account, sender)
    if found.well and is_told_later(code):
        told = "Whether it is registered by now is seen when the next texts go."
        return replace(found, message=f"{found.message} {told}")
    return found
