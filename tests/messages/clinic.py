"""What the tests of sending and tracking share: a workspace that texts its callers, and how to work its lanes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK ships no types

from postcall.actions.models import Action, Attachment, Revision
from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.config import config
from postcall.followups.handing import Sender
from postcall.followups.models import FollowUp
from postcall.messages import twilio_client
from postcall.messages.accounts import use_sandbox
from postcall.messages.callbacks import receive_status
from postcall.messages.models import Account, Attempt, DeliveryEvent, Message
from postcall.messages.send import send
from postcall.messages.track import track
from postcall.sandbox.running import Sandbox
from postcall.work.leases import take
from postcall.workspaces.models import Workspace

ANN = "+15551230001"
BEN = "+15551230002"
BODY = "Hi Ann, your appointment is confirmed for Tuesday 4 March."
LEASE = timedelta(seconds=30)


class Clinic:
    """A workspace with one agent, one action and texts to send."""

    def __init__(self, name: str, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.workspace = Workspace.objects.create(name=name, window_start=None, window_end=None)
        self.account: Account = use_sandbox(self.workspace).account
        self.agent = Agent.objects.create(workspace=self.workspace, name="Front desk")
        self.action = Action.objects.create(workspace=self.workspace, name="Confirmation")
        self.revision = Revision.objects.create(action=self.action, number=1, message=BODY, always=True)
        self.attachment = self._attached(self.agent)

    def agent_with(self, **sender: str) -> Agent:
        """An agent of the workspace whose texts come from a sender of its own."""
        agent, made = Agent.objects.get_or_create(workspace=self.workspace, name="Own sender", **sender)
        if made:
            self._attached(agent)
        return agent

    def _attached(self, agent: Agent) -> Attachment:
        return Attachment.objects.create(
            workspace=self.workspace, agent=agent, action=self.action, mode=Attachment.Mode.LIVE
        )

    def message(self, body: str = BODY, to: str = ANN, agent: Agent | None = None, **fields: Any) -> Message:
        """A text that is due now, of a call of its own."""
        now = timezone.now()
        agent = agent or self.agent
        call = Call.objects.create(
            workspace=self.workspace,
            source_kind="api",
            external_id=f"c-{Call.objects.count()}",
            agent=agent,
            received_at=now,
        )
        follow_up = FollowUp.objects.create(
            workspace=self.workspace,
            call=call,
            action=self.action,
            revision=self.revision,
            attachment=agent.attachments.get(),
            outcome=FollowUp.Outcome.MESSAGE,
            created_at=now,
        )
        return Message.objects.create(
            **{
                "workspace": self.workspace,
                "follow_up": follow_up,
                "to": to,
                "from_number": "+15005550006",
                "body": body,
                "encoding": "GSM-7",
                "segments": 1,
                "valid_until": now + timedelta(hours=1),
                "created_at": now,
                "due_at": now - timedelta(milliseconds=1),
            }
            | fields
        )

    def send(self) -> None:
        """Works what is due on the lane of messages, once."""
        for message in take(Message, 100, LEASE):
            send(message)

    def track(self, times: int = 1) -> None:
        """Works what is due on the lane of attempts."""
        for _ in range(times):
            for attempt in take(Attempt, 100, LEASE):
                track(attempt)

    def polls_come_due(self) -> None:
        Attempt.objects.filter(due_at__isnull=False).update(due_at=timezone.now() - timedelta(milliseconds=1))

    def retries_come_due(self) -> None:
        Message.objects.filter(due_at__isnull=False).update(due_at=timezone.now() - timedelta(milliseconds=1))

    def text_by_hand(self, body: str, to: str = ANN) -> str:
        """Something else sends a text by the same account; returns its SID."""
        outcome = twilio_client.create(
            self.account,
            to=to,
            sender=Sender(from_number="+15005550006"),
            body=body,
            status_callback=None,
            valid_for_s=60,
            may_begin=lambda: True,
        )
        assert isinstance(outcome, twilio_client.Accepted)
        return outcome.message.sid

    def call_back(self, attempt: Attempt, sid: str, status: str, **fields: str) -> None:
        """Twilio's signed callback for the attempt."""
        form = {
            "AccountSid": attempt.account_sid,
            "MessageSid": sid,
            "SmsSid": sid,
            "MessageStatus": status,
            "To": attempt.to,
            "From": "+15005550006",
        } | fields
        path = f"/twilio/status/{attempt.token}"
        receive_status(attempt.token, path, form.items(), self.signed(path, form))

    def signed(self, path: str, form: dict[str, str], account: Account | None = None) -> dict[str, str]:
        validator = RequestValidator((account or self.account).auth_token)
        return {"X-Twilio-Signature": validator.compute_signature(config().base_url + path, form)}

    def sids(self) -> list[str]:
        """What Twilio accepted, oldest first."""
        return [message.sid for message in self.sandbox.messages]


def events(message: Message) -> list[str]:
    """The statuses that a message went through, in order."""
    return [event.status for event in DeliveryEvent.objects.filter(message=message).order_by("at", "id")]
