"""A sender that Twilio refuses again and again is paused, and its texts wait until somebody has mended it.

A refusal for the sender's sake (bad credentials, a number that is not the account's, a missing registration) hits
every further text as well. One alone may be Twilio's own passing fault, so IN_A_ROW of them pause: the account as a
whole, or the one sender that they are about. Counting and mending take the lock of the workspace's sending account:
workers, callbacks and an owner who mends it come one after another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet

from postcall.agents.models import Agent
from postcall.followups.handing import Sender
from postcall.messages.errors import ErrorText, concerns_account, explain, is_told_later, stops_sending
from postcall.messages.models import Attempt, Message, RefusedSender, SendingAccount
from postcall.messages.waiting import WAITING
from postcall.work import clock

log = structlog.get_logger("postcall.messages")

IN_A_ROW: Final = 3

_TAKEN: Final = (
    Attempt.Status.ACCEPTED,
    Attempt.Status.SENT,
    Attempt.Status.DELIVERED,
    Attempt.Status.UNDELIVERED,
    Attempt.Status.FAILED,
    Attempt.Status.CANCELED,
)


@dataclass(frozen=True)
class Pause:
    """`sender` empty: nothing of the account goes out."""

    sender: str
    since: datetime
    code: int

    @property
    def error(self) -> ErrorText:
        return explain(self.code)

    @property
    def detail(self) -> str:
        """What is paused, why, and the mend."""
        paused = f"Sending from {self.sender} is paused." if self.sender else "Sending is paused."
        return f"{paused} {self.error.message} {self.error.fix} Recheck lets it go on once it is mended."


def name_of(sender: Sender) -> str:
    """A messaging service goes by its own name: which of its numbers it picks is Twilio's affair."""
    return sender.messaging_service_sid or sender.from_number


def count(attempt: Attempt, code: int) -> None:
    """Takes down that Twilio refused an attempt with `code`; the last of IN_A_ROW pauses its sender or account.

    An attempt counts once, however often it is told. Without effect where the code is no sender's, when the
    workspace sends by another account by now, and when the sender was mended after the attempt began.
    """
    if not stops_sending(code):
        return
    message = attempt.message
    # Which sender an earlier attempt of a text had is not kept.
    if not concerns_account(code) and attempt.number != message.attempts_made:
        return
    with transaction.atomic():
        if not _is_in_force(attempt):
            return
        sender = "" if concerns_account(code) else sender_of(message)
        row, _ = RefusedSender.objects.get_or_create(
            workspace_id=attempt.workspace_id,
            account_id=attempt.account_id,
            sender=sender,
            defaults={"code": code},
        )
        if attempt.pk in row.attempts:
            return
        row.attempts, row.code = _in_a_row(row, attempt, code), code
        if len(row.attempts) >= IN_A_ROW and row.paused_at is None:
            row.paused_at = clock.now()
            log.warning("sender paused", workspace=str(row.workspace_id), whole_account=not sender, code=code)
        row.save(update_fields=["attempts", "code", "paused_at"])


def _is_in_force(attempt: Attempt) -> bool:
    """Whether the workspace still sends by the attempt's account, not mended since; then it is locked."""
    sending = (
        SendingAccount.objects.select_for_update(no_key=True)
        .filter(workspace_id=attempt.workspace_id, account_id=attempt.account_id)
        .first()
    )
    return sending is not None and (sending.mended_at is None or attempt.started_at > sending.mended_at)


def _in_a_row(row: RefusedSender, attempt: Attempt, code: int) -> list[UUID]:
    """The refused attempts, oldest first, since the last text that went."""
    run = [*Attempt.objects.filter(pk__in=row.attempts), attempt]
    went = _last_that_went(attempt, row.sender, since=min(each.started_at for each in run), code=code)
    run = [each for each in run if went is None or each.started_at > went]
    return [each.pk for each in sorted(run, key=lambda each: each.started_at)][-IN_A_ROW:]


def _last_that_went(attempt: Attempt, sender: str, *, since: datetime, code: int) -> datetime | None:
    """When the latest text by the account and the sender was sent that shows that it is well.

    Where Twilio refuses after it has accepted, only a delivery shows it.
    """
    shown_by = (Attempt.Status.DELIVERED,) if is_told_later(code) else _TAKEN
    went = Attempt.objects.filter(
        message__workspace_id=attempt.workspace_id,
        message__sent_at__gt=since,
        number=F("message__attempts_made"),
        account_id=attempt.account_id,
        status__in=shown_by,
    )
    if sender:
        went = went.filter(
            Q(message__messaging_service_sid=sender)
            | Q(message__messaging_service_sid="", message__from_number=sender)
        )
    latest: datetime | None = went.aggregate(latest=Max("started_at"))["latest"]
    return latest


def is_the_texts_own(attempt: Attempt, code: int) -> bool:
    """Whether a sender that refuses this text again has taken others in between: then it is about the text, such as
    a country that the sender does not reach."""
    if concerns_account(code):
        return False
    before = (
        Attempt.objects.filter(message_id=attempt.message_id, number__lt=attempt.number, error_code=code)
        .order_by("-number")
        .first()
    )
    if before is None:
        return False
    return _last_that_went(attempt, sender_of(attempt.message), since=before.started_at, code=code) is not None


def sender_of(message: Message) -> str:
    """The sender of a message's latest attempt."""
    return name_of(Sender(message.from_number, message.messaging_service_sid))


# What is paused.


def pauses(workspace_id: UUID) -> list[Pause]:
    """What of the account in force is paused, and texts would come from; the account as a whole comes first."""
    return [_pause(row) for row in _paused(workspace_id).filter(_in_use(workspace_id))]


def _in_use(workspace_id: UUID) -> Q:
    """Whether texts come from a refused sender by now: the account's, a living agent's, or that of a text which
    waits and whose agent has none that is known before the call, or is gone."""
    sender = OuterRef("sender")
    agents = Agent.objects.filter(
        Q(messaging_service_sid=sender) | Q(messaging_service_sid="", from_number=sender),
        workspace_id=workspace_id,
        deleted_at=None,
    )
    texts = Message.objects.filter(
        Q(messaging_service_sid=sender) | Q(messaging_service_sid="", from_number=sender),
        Q(follow_up__attachment__agent__follow_agent_number=True)
        | Q(follow_up__attachment__agent__deleted_at__isnull=False),
        workspace_id=workspace_id,
        status__in=WAITING,
        due_at__isnull=False,
    )
    return (
        Q(sender="")
        | Q(sender=F("account__messaging_service_sid"))
        | Q(account__messaging_service_sid="", sender=F("account__from_number"))
        | Q(Exists(agents))
        | Q(Exists(texts))
    )


def pause_of(workspace_id: UUID, sender: Sender) -> Pause | None:
    """The pause that keeps a text of `sender` from going out."""
    row = _paused(workspace_id).filter(sender__in=("", name_of(sender))).first()
    return _pause(row) if row else None


def _paused(workspace_id: UUID) -> QuerySet[RefusedSender]:
    return RefusedSender.objects.filter(
        workspace_id=workspace_id,
        account=F("workspace__sending_account__account"),
        paused_at__isnull=False,
    ).order_by("sender")


def _pause(row: RefusedSender) -> Pause:
    assert row.paused_at is not None
    return Pause(row.sender, row.paused_at, row.code)


def forgive(workspace_id: UUID, *, but: tuple[str, ...] = ()) -> None:
    """Forgets every refusal of the workspace's senders, those of `but` apart. The caller holds the lock of its
    sending account and sets its `mended_at`."""
    RefusedSender.objects.filter(workspace_id=workspace_id).exclude(
        sender__in=but, paused_at__isnull=False
    ).delete()
