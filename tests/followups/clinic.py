"""A clinic with one agent, calls that are really received and taken, and what stands in for the neighbours:
a judge that knows the answers, and messaging that only writes down what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from postcall.actions.message import inputs_of
from postcall.actions.models import Action, Attachment, Revision
from postcall.agents.models import Agent, ExternalId
from postcall.calls.models import Call
from postcall.calls.receive import receive
from postcall.followups.handing import Draft, Sender, SendingFacts
from postcall.followups.models import FollowUp
from postcall.followups.optouts import active_opt_out
from postcall.judge.verdicts import Answer, Case, Evidence, JudgeFailed, Judgement, Usage, Verdict
from postcall.messages.models import Message
from postcall.sources.ended_call import EndedCall
from postcall.work.leases import take
from postcall.workspaces.models import Workspace

CUSTOMER = "+14155550132"
WORDS = (
    {"role": "agent", "text": "Northgate Clinic, how can I help?"},
    {"role": "customer", "text": "I would like to book a cleaning for Thursday at two."},
    {"role": "agent", "text": "Thursday at two it is. You are booked."},
    {"role": "customer", "text": "Great, thank you."},
)


@dataclass
class WritingMessaging:
    """Messaging that stores the message and remembers the draft; no account: `sender` None."""

    sender: Sender | None = field(default_factory=lambda: Sender(from_number="+14155550100"))
    sent_to_number: int = 0
    sent_by_workspace: int = 0
    drafts: list[tuple[FollowUp, Draft]] = field(default_factory=list)
    senders_of: list[Agent] = field(default_factory=list)

    def sender_for(self, workspace: Workspace, agent: Agent, call: Call) -> Sender | None:
        self.senders_of.append(agent)
        return self.sender

    def facts_about(self, workspace_id: UUID, number: str) -> SendingFacts:
        out = active_opt_out(workspace_id, number)
        return SendingFacts(out and f"opted out by {out.origin}", self.sent_to_number, self.sent_by_workspace)

    def hand_over(self, follow_up: FollowUp, draft: Draft) -> None:
        Message.objects.create(
            workspace_id=follow_up.workspace_id,
            follow_up=follow_up,
            to=draft.to,
            body=draft.body,
            encoding="GSM-7",
            segments=1,
            valid_until=draft.valid_until,
            created_at=timezone.now(),
        )
        self.drafts.append((follow_up, draft))


@dataclass
class KnowingJudge:
    """Answers by the condition's text, `met` where nothing else is said; asks by their description."""

    results: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str | None] = field(default_factory=dict)
    objection: Evidence | None = None
    quote: Evidence | None = None
    failures: list[JudgeFailed] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    name: str = "knowing-1"
    listens: bool = False

    def decide(self, case: Case) -> Judgement:
        self.cases.append(case)
        if self.failures:
            raise self.failures.pop(0)
        quote = self.quote or next(
            (Evidence(n, turn.text) for n, turn in enumerate(case.turns, 1) if turn.role == "agent"), None
        )
        said = Verdict("met", 0.9, "It was said.", (quote,) if quote else ())
        return Judgement(
            {c.id: replace(said, result=self.results.get(c.text, "met")) for c in case.conditions},
            {ask.id: Answer(self.answers.get(ask.description), 2) for ask in case.asks},
            Usage(900, 80, 1),
            self.objection,
        )


class Clinic:
    """The workspace, its agent, and verbs to set up actions and to receive and take calls."""

    def __init__(self, **agent: Any) -> None:
        self.workspace = Workspace.objects.create(name="Northgate Clinic", window_start=None, window_end=None)
        fields = {"timezone": "America/Los_Angeles", "locale": "en-US", "business_name": "Northgate"} | agent
        self.agent = Agent.objects.create(workspace=self.workspace, name="Front desk", **fields)
        ExternalId.objects.create(
            workspace=self.workspace, agent=self.agent, source_kind="api", external_id="front-desk"
        )
        self.messaging = WritingMessaging()

    def attach(self, message: str = "You are booked.", condition: str = "", **attachment: Any) -> Attachment:
        """An action attached to the agent; without a condition it always goes out."""
        of_revision = {k: attachment.pop(k) for k in ("urgency", "send_within_s") if k in attachment}
        action = Action.objects.create(workspace=self.workspace, name=message[:30])
        action.revision = Revision.objects.create(
            action=action, number=1, message=message, condition=condition, always=not condition,
            inputs=inputs_of(message), **of_revision,
        )  # fmt: skip
        action.save()
        fields = {"mode": "live"} | attachment
        return Attachment.objects.create(workspace=self.workspace, agent=self.agent, action=action, **fields)

    def receive(self, external_id: str = "c-1", **fields: Any) -> Call:
        body = {
            "external_id": external_id, "agent": "front-desk", "direction": "inbound", "customer_number": CUSTOMER,
            "connected": True, "transcript": list(WORDS), "started_at": timezone.now().isoformat(),
        } | fields  # fmt: skip
        return receive(self.workspace, None, "api", EndedCall.model_validate(body), b"{}").call

    def take(self) -> Call:
        (call,) = take(Call, 1, timedelta(seconds=60))
        return call

    def call(self, **fields: Any) -> Call:
        """A call received and taken."""
        self.receive(**fields)
        return self.take()
