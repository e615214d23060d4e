"""Who an agent's texts come from as things stand, and why they cannot leave."""

from __future__ import annotations

from dataclasses import dataclass

from postcall.agents.models import Agent
from postcall.dashboard.access import Visit
from postcall.followups.handing import Sender
from postcall.messages.accounts import account_of
from postcall.messages.claim import own_sender, sender_of
from postcall.messages.models import Account
from postcall.messages.pausing import pause_of


@dataclass(frozen=True)
class SenderNow:
    """`name` is a number or a service's SID, `why` whose choice it is; `problem` why nothing can leave."""

    name: str
    why: str
    problem: str = ""
    mend: str = ""
    mend_link: str = ""


def sender_in_force(visit: Visit, agent: Agent) -> SenderNow:
    settings = visit.to("settings-twilio")
    account = account_of(visit.workspace.pk)
    if account is None:
        return SenderNow("", "", "This workspace has no Twilio account yet.", "Connect Twilio", settings)
    own = own_sender(agent.messaging_service_sid, agent.from_number, "")
    sender = own or sender_of(account)
    name, why = _in_words(agent, account, own)
    if not name and not agent.follow_agent_number:
        return SenderNow("", "", "The Twilio account has no sender yet.", "Choose one", settings)
    if pause := pause_of(visit.workspace.pk, sender):
        return SenderNow(name, why, pause.detail, "Mend it", settings)
    return SenderNow(name, why)


def _in_words(agent: Agent, account: Account, own: Sender | None) -> tuple[str, str]:
    if own:
        return own.messaging_service_sid or own.from_number, "this agent’s own sender"
    standard = sender_of(account)
    usual = standard.messaging_service_sid or standard.from_number
    if agent.follow_agent_number:
        return usual, "where the number that was called is not known"
    return usual, "the workspace’s sender"
