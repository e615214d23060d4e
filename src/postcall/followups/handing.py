"""What the follow-ups need of messaging, and are given: they never import it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.followups.models import FollowUp
from postcall.workspaces.models import Workspace


@dataclass(frozen=True)
class Sender:
    """Who the text comes from: a number, or a messaging service that picks one."""

    from_number: str = ""
    messaging_service_sid: str = ""


@dataclass(frozen=True)
class Draft:
    """A text that may go out: to whom, from whom, not before when, and until when it still makes sense.

    `sender` None: no Twilio account is set up yet, so who it comes from is found when it is sent.
    `by` is who asked for it: "postcall" by itself, or an "operator", whose word the attachment's switch does not
    take back.
    """

    to: str
    sender: Sender | None
    body: str
    not_before: datetime
    valid_until: datetime
    by: str = "postcall"


@dataclass(frozen=True)
class SendingFacts:
    """What sending rules are decided by, read in the transaction that decides.

    `opted_out` is how the number opted out, in words, or None. Counts are of messages that left or may have left
    during the last 24 hours.
    """

    opted_out: str | None
    sent_to_number: int
    sent_by_workspace: int


class Messaging(Protocol):
    """The messages folder, as the follow-ups see it."""

    def sender_for(self, workspace: Workspace, agent: Agent, call: Call) -> Sender | None:
        """The agent's sender, else the workspace's; None when no Twilio account is set up."""
        ...

    def facts_about(self, workspace_id: UUID, number: str) -> SendingFacts: ...

    def hand_over(self, follow_up: FollowUp, draft: Draft) -> None:
        """Makes the follow-up's message, in the caller's transaction. Where the follow-up is held, the message is
        too: the claim lets it go once what holds it is gone."""
        ...
