"""A workspace that goes through the real steps: a call comes in, is followed up, and its text is sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection

from postcall.actions.models import Action, Attachment, Revision
from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.calls.receive import receive
from postcall.followups.process import process
from postcall.judge.choose import judge_from_config
from postcall.messages.accounts import use_sandbox
from postcall.messages.handing import TwilioMessaging
from postcall.messages.models import Attempt, Message
from postcall.messages.send import send
from postcall.messages.track import track
from postcall.sandbox.running import Sandbox
from postcall.sources.ended_call import EndedCall
from postcall.work import clock
from postcall.work.leases import take
from postcall.workspaces.models import Workspace

ANN, BEN = "+14155550132", "+14155550133"
OURS = "+15005550006"
LEASE = timedelta(seconds=30)


class Clinic:
    def __init__(self, name: str, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.workspace = Workspace.objects.create(name=name, window_start=None, window_end=None)
        self.account = use_sandbox(self.workspace).account
        self.agent = Agent.objects.create(workspace=self.workspace, name="Front desk", business_name=name)
        self.action = Action.objects.create(workspace=self.workspace, name="Confirmation")
        self.revision = Revision.objects.create(
            action=self.action,
            number=1,
            message="Hi <customer_name>, see you on <day>.",
            always=True,
            inputs=["customer_name", "day"],
        )
        Action.objects.filter(pk=self.action.pk).update(revision=self.revision)
        self.attachment = Attachment.objects.create(
            workspace=self.workspace,
            agent=self.agent,
            action=self.action,
            mode=Attachment.Mode.LIVE,
            inputs={
                "customer_name": {"from": "collected", "name": "first_name"},
                "day": {"from": "collected", "name": "day"},
            },
        )

    def call(self, number: str = ANN, name: str = "Annabel", **fields: Any) -> Call:
        """A call that has come in, and nothing more."""
        said = [
            {"role": "agent", "text": "Northgate Clinic, how can I help?"},
            {"role": "customer", "text": f"This is {name}, my knee hurts terribly."},
        ]
        ended = EndedCall.model_validate(
            {
                "external_id": f"c-{Call.objects.count()}",
                "agent": str(self.agent.pk),
                "customer_number": number,
                "transcript": said,
                "variables": {"collected": {"first_name": name, "day": "Tuesday 4 March"}},
            }
            | fields
        )
        return receive(self.workspace, None, "api", ended, ended.model_dump_json().encode()).call

    def process(self) -> None:
        for call in take(Call, 100, LEASE):
            process(call, judge_from_config(), TwilioMessaging())

    def send(self) -> None:
        for message in take(Message, 100, LEASE):
            send(message)

    def track(self) -> None:
        for attempt in take(Attempt, 100, LEASE):
            track(attempt)

    def texted(self, number: str = ANN, name: str = "Annabel", status: str = "delivered", **fields: Any) -> Message:
        """A call whose text has gone out, as far as `status`."""
        call = self.call(number, name, **fields)
        self.process()
        self.send()
        message = Message.objects.get(follow_up__call=call)
        if status != "queued":
            self.sandbox.push(message.sid, status)
            Attempt.objects.filter(message=message).update(due_at=clock.now())
            self.track()
        message.refresh_from_db()
        return message

    def everything_is_due(self) -> None:
        past = clock.now() - timedelta(seconds=1)
        for table in ("message", "attempt", "erasure", "redaction"):
            with connection.cursor() as cursor:
                cursor.execute(
                    f"UPDATE {table} SET due_at = %s, lease_until = NULL WHERE due_at IS NOT NULL", [past]
                )
