"""Messaging by Twilio, as the follow-ups are given it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.followups.handing import Draft, Sender, SendingFacts
from postcall.followups.models import FollowUp
from postcall.messages import claim, segments
from postcall.messages.accounts import account_of
from postcall.messages.models import Account, DeliveryEvent, Message
from postcall.messages.status import note
from postcall.pace import paced_delta
from postcall.work import clock
from postcall.work.wake import wake
from postcall.workspaces.models import Workspace

# Whoever takes over from a worker that died between storing the message and sending it waits this long.
IN_HAND: Final = paced_delta(seconds=60)


class TwilioMessaging:
    """`pass_on` gets every message that is due now as soon as its transaction is committed: taken already, to be
    sent without waiting for anything else. None: the workers are woken, and take it like any other."""

    def __init__(self, pass_on: Callable[[Message], None] | None = None) -> None:
        self._pass_on = pass_on
        self._accounts: dict[UUID, Account | None] = {}

    def sender_for(self, workspace: Workspace, agent: Agent, call: Call) -> Sender | None:
        """The agent's own sender, else the number the call was on where the agent asks for it, else the
        account's; None without an account."""
        account = self._account_of(workspace.pk)
        if account is None:
            return None
        called = call.agent_number if agent.follow_agent_number else ""
        own = claim.own_sender(agent.messaging_service_sid, agent.from_number, called)
        return own or claim.sender_of(account)

    def facts_about(self, workspace_id: UUID, number: str) -> SendingFacts:
        return claim.facts_about(workspace_id, number)[0]

    def hand_over(self, follow_up: FollowUp, draft: Draft) -> None:
        now = clock.now()
        due_now = draft.not_before <= now
        counted = segments.count(draft.body)
        sender = draft.sender or Sender()
        message = Message(
            workspace_id=follow_up.workspace_id,
            follow_up=follow_up,
            to=draft.to,
            from_number=sender.from_number,
            messaging_service_sid=sender.messaging_service_sid,
            body=draft.body,
            encoding=counted.encoding,
            segments=counted.count,
            status=Message.Status.QUEUED if due_now else Message.Status.SCHEDULED,
            next_by=draft.by,
            valid_until=draft.valid_until,
            created_at=now,
            due_at=now if due_now else draft.not_before,
        )
        if due_now and self._pass_on is not None:
            message.generation = message.starts = 1
            message.lease_until = Now() + IN_HAND  # by the database's clock
        message.save(force_insert=True)
        note(message, message.status, DeliveryEvent.Origin.POSTCALL, at=now)
        if due_now:
            self._begin(message)

    def _begin(self, message: Message) -> None:
        pass_on = self._pass_on
        if pass_on is None:
            wake("messages")
            return
        message.lease_until = message.created_at + IN_HAND
        transaction.on_commit(lambda: pass_on(message))

    def _account_of(self, workspace_id: UUID) -> Account | None:
        if workspace_id not in self._accounts:
            self._accounts[workspace_id] = account_of(workspace_id)
        return self._accounts[workspace_id]
