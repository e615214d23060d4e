"""Rows as the rest of Postcall leaves them, for pages to show."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from postcall.actions.message import inputs_of
from postcall.actions.models import Action, Attachment, Revision
from postcall.agents.models import Agent, ExternalId
from postcall.alerts.models import AlertChannel
from postcall.calls.models import Call, RawPayload
from postcall.followups.models import FollowUp
from postcall.followups.snapshot import agent_as_it_is, snapshot_of
from postcall.ids import new_id
from postcall.messages.models import (
    Account,
    Attempt,
    DeliveryEvent,
    Message,
    OwnPhone,
    OwnText,
    RefusedSender,
    SendingAccount,
)
from postcall.testbench.models import ActionCase, BenchItem, BenchRun
from postcall.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from postcall.workspaces.models import Invitation, Membership, User, Workspace

PASSWORD = "a long password of the tests"
TURNS = [
    {"role": "agent", "text": "Thanks for calling Northgate Clinic. How can I help?", "at": 0.4},
    {"role": "customer", "text": "Hi, this is Maya Ortiz. I’d like to see someone about my knee.", "at": 4.2},
    {"role": "agent", "text": "I have Doctor Lin next Tuesday at nine forty. Does that suit you?", "at": 11.0},
    {"role": "customer", "text": "Nine forty works,\n yes please. Could you text me that?", "at": 19.5},
    {"role": "tool", "text": "create_booking: booked NC-4821, 2026-12-01 09:40", "at": 22.0},
    {"role": "agent", "text": "You’re booked with Doctor Lin on Tuesday at nine forty.", "at": 25.1},
    {"role": "customer", "text": "Great. I’ll just pay at the desk. Bye!", "at": 31.9},
]
MESSAGE = "Hi <customer_name>, see you at <company> on <appointment_date>."


def a_workspace(name: str = "Northgate Clinic", account: str | None = Account.Kind.SANDBOX) -> Workspace:
    workspace = Workspace.objects.create(name=name, window_start=None, window_end=None)
    if account:
        row = Account.objects.create(
            workspace=workspace,
            kind=account,
            account_sid=f"AC{new_id().hex}",
            auth_token="not a real one",
            from_number="+14155550100",
            api_url="sandbox",
        )
        SendingAccount.objects.create(workspace=workspace, account=row)
    return workspace


def a_member(workspace: Workspace, role: str = Membership.Role.OWNER, email: str | None = None) -> User:
    person = User.objects.create_user(email or f"{new_id().hex}@northgate.example", PASSWORD)
    Membership.objects.create(workspace=workspace, user=person, role=role)
    return person


def an_invitation(
    workspace: Workspace, email: str, token: str | None = None, role: str = Membership.Role.EDITOR
) -> Invitation:
    now = timezone.now()
    return Invitation.objects.create(
        workspace=workspace,
        email=email,
        role=role,
        digest=hashlib.sha256((token or new_id().hex).encode()).hexdigest(),
        invited_by="dana@northgate.example",
        created_at=now,
        expires_at=now + timedelta(days=7),
    )


def an_agent(workspace: Workspace, name: str = "Front desk", **fields: Any) -> Agent:
    agent = Agent.objects.create(
        workspace=workspace,
        name=name,
        timezone="America/Los_Angeles",
        business_name="Northgate Clinic",
        **fields,
    )
    ExternalId.objects.create(workspace=workspace, agent=agent, source_kind="vapi", external_id=f"asst-{name}")
    return agent


def an_action(
    agent: Agent, name: str = "Booking confirmation", message: str = MESSAGE, **attachment: Any
) -> Attachment:
    """An action with one revision, attached to the agent."""
    action = Action.objects.create(workspace=agent.workspace, name=name)
    action.revision = Revision.objects.create(
        action=action,
        number=1,
        message=message,
        condition="After scheduling an appointment",
        inputs=inputs_of(message),
    )
    action.save(update_fields=["revision"])
    inputs = {
        "customer_name": {"from": "collected", "name": "first_name", "fallback": "there"},
        "company": {"from": "fixed", "value": "Northgate Clinic"},
        "appointment_date": {"from": "ask", "description": "the day and time agreed", "format": "datetime"},
    }
    fields = {"mode": "live", "inputs": {name: inputs[name] for name in action.revision.inputs if name in inputs}}
    return Attachment.objects.create(workspace=agent.workspace, agent=agent, action=action, **(fields | attachment))


def a_call(agent: Agent | None, workspace: Workspace | None = None, **fields: Any) -> Call:
    now = timezone.now()
    home = workspace or (agent.workspace if agent else None)
    assert home is not None
    values: dict[str, Any] = {
        "source_kind": "vapi",
        "external_id": str(new_id()),
        "direction": "inbound",
        "customer_number": "+14155550132",
        "agent_number": "+14155550100",
        "started_at": now - timedelta(minutes=5),
        "ended_at": now - timedelta(minutes=4),
        "connected": True,
        "transcript": TURNS,
        "variables": {"collected": {"first_name": "Maya", "last_name": "Ortiz"}},
        "status": Call.Status.DONE if agent else Call.Status.UNASSIGNED,
        "received_at": now - timedelta(minutes=4),
        "processed_at": now,
    }
    call = Call.objects.create(workspace=home, agent=agent, **(values | fields))
    report = {
        "type": "end-of-call-report",
        "endedReason": "customer-ended-call",
        "call": {"id": call.external_id},
    }
    RawPayload.objects.create(
        received_at=call.received_at,
        workspace=home,
        call=call,
        body=json.dumps({"message": report}).encode(),
    )
    return call


def a_follow_up(call: Call, attachment: Attachment, **fields: Any) -> FollowUp:
    """A decided one: met, with a quote, to be sent unless `fields` say otherwise."""
    assert attachment.action.revision is not None
    values: dict[str, Any] = {
        "outcome": FollowUp.Outcome.MESSAGE,
        "result": "met",
        "confidence": 0.94,
        "verdict": {
            "reason": "The caller accepted a time and the agent confirmed it.",
            "evidence": [{"turn": 4, "quote": "Nine forty works, yes please."}],
            "judge": "offline-1",
        },
        "inputs": {
            "customer_name": {"value": "Maya", "from": "collected", "turn": None},
            "company": {"value": "Northgate Clinic", "from": "fixed", "turn": None},
            "appointment_date": {"value": "Tue, Dec 1 at 9:40 AM", "from": "ask", "turn": 6},
        },
        "recipient": call.customer_number,
        "body": "Hi Maya, see you at Northgate Clinic on Tue, Dec 1 at 9:40 AM.",
        "decided_at": call.received_at + timedelta(seconds=1.2),
        "created_at": call.received_at,
    }
    return FollowUp.objects.create(
        workspace=call.workspace,
        call=call,
        action=attachment.action,
        revision=attachment.action.revision,
        attachment=attachment,
        snapshot=snapshot_of(attachment, agent_as_it_is(attachment.agent)).as_json(),
        **(values | fields),
    )


def a_held_follow_up(call: Call, attachment: Attachment, **fields: Any) -> FollowUp:
    return a_follow_up(
        call,
        attachment,
        **({"outcome": FollowUp.Outcome.HELD, "reason": "awaiting_approval"} | fields),
    )


def a_case(action: Action, call: Call, expected: str = "met") -> ActionCase:
    return ActionCase.objects.create(
        workspace_id=action.workspace_id, action=action, call=call, expected=expected, created_at=timezone.now()
    )


def a_run(action: Action, *calls: Call, **fields: Any) -> BenchRun:
    """A backtest of the action's words as they are; of each call it says that it would have sent."""
    revision = action.revision
    assert revision is not None
    values: dict[str, Any] = {
        "kind": "backtest",
        "state": "done",
        "condition": revision.condition,
        "always": revision.always,
        "message": revision.message,
        "total": len(calls),
        "done": len(calls),
        "judge": "offline-1",
        "created_at": timezone.now(),
    }
    run = BenchRun.objects.create(
        workspace_id=action.workspace_id, action=action, revision=revision, **{**values, **fields}
    )
    for position, call in enumerate(calls, start=1):
        BenchItem.objects.create(
            workspace_id=action.workspace_id,
            run=run,
            position=position,
            call=call,
            judged_at=timezone.now(),
            outcome="would_send",
            result="met",
            verdict={"reason": "It was booked.", "evidence": [{"turn": 1, "quote": "Thanks for calling"}]},
            body="Hi Maya, see you.",
        )
    return run


def a_skipped_follow_up(call: Call, attachment: Attachment, **fields: Any) -> FollowUp:
    values: dict[str, Any] = {
        "outcome": FollowUp.Outcome.SKIPPED,
        "reason": "condition_not_met",
        "result": "not_met",
        "confidence": 0.97,
        "verdict": {
            "reason": "The caller declined.",
            "evidence": [{"turn": 7, "quote": "I’ll just pay at the desk"}],
            "judge": "offline-1",
        },
        "inputs": {},
        "body": "",
    }
    return a_follow_up(call, attachment, **(values | fields))


def a_message(follow_up: FollowUp, status: str = Message.Status.DELIVERED, **fields: Any) -> Message:
    """The follow-up's text with one attempt, and the events that lead to `status`."""
    made = follow_up.decided_at or timezone.now()
    values: dict[str, Any] = {
        "to": follow_up.recipient,
        "from_number": "+14155550100",
        "body": follow_up.body,
        "encoding": "GSM-7",
        "segments": 1,
        "status": status,
        "attempts_made": 1,
        "valid_until": made + timedelta(hours=1),
        "created_at": made,
    }
    if status == Message.Status.DELIVERED:
        values |= {"price": Decimal("-0.00830"), "price_unit": "USD"}
    message = Message.objects.create(workspace=follow_up.workspace, follow_up=follow_up, **(values | fields))
    if status in (Message.Status.SCHEDULED, Message.Status.QUEUED):
        _event(message, status, 0)
        return message
    sending = SendingAccount.objects.select_related("account").get(workspace=follow_up.workspace)
    Attempt.objects.create(
        workspace=follow_up.workspace,
        message=message,
        number=1,
        account=sending.account,
        account_sid=sending.account.account_sid,
        to=message.to,
        body_digest="0" * 64,
        status=status,
        sid=f"SM{new_id().hex}",
        open=status in (Message.Status.ACCEPTED, Message.Status.SENT, Message.Status.UNCONFIRMED),
        started_at=made,
    )
    way = [Message.Status.QUEUED, Message.Status.SENDING, Message.Status.ACCEPTED, Message.Status.SENT]
    for seconds, step in enumerate([step for step in way if step != status] + [status]):
        _event(message, step, seconds)
    return message


def _event(message: Message, status: str, seconds: int) -> None:
    DeliveryEvent.objects.create(
        at=message.created_at + timedelta(seconds=seconds),
        workspace=message.workspace,
        message=message,
        attempt_number=message.attempts_made or None,
        status=status,
        provider_status="queued" if status == Message.Status.ACCEPTED else "",
        origin="twilio" if status in ("sent", "delivered", "failed", "undelivered") else "postcall",
        error_code=message.error_code if status in ("failed", "undelivered") else None,
    )


def a_phone(person: User, workspace: Workspace, number: str = "+14155550188") -> OwnPhone:
    """The person's own number, verified in the sandbox."""
    return OwnPhone.objects.create(
        person=person, workspace=workspace, number=number, by_sandbox=True, verified_at=timezone.now()
    )


def an_own_text(workspace: Workspace, person: User | None = None, **fields: Any) -> OwnText:
    """A test that has arrived on the person's phone."""
    account = SendingAccount.objects.get(workspace=workspace).account
    values: dict[str, Any] = {
        "kind": OwnText.Kind.TEST,
        "once": new_id(),
        "to": "+14155550188",
        "body": "Hi Maya, see you at Northgate Clinic.",
        "body_digest": "0" * 64,
        "encoding": "GSM-7",
        "segments": 1,
        "status": OwnText.Status.DELIVERED,
        "sid": f"SM{new_id().hex}",
        "account": account,
        "account_sid": account.account_sid,
        "created_at": timezone.now(),
        "started_at": timezone.now(),
    }
    return OwnText.objects.create(workspace=workspace, person=person, **(values | fields))


def a_pause(workspace: Workspace, code: int, sender: str = "") -> RefusedSender:
    """Twilio has refused the sender, or the whole account, so often that it is left be."""
    account = SendingAccount.objects.get(workspace=workspace).account
    if sender:
        Agent.objects.create(workspace=workspace, name="Own sender", from_number=sender)
    return RefusedSender.objects.create(
        workspace=workspace, account=account, sender=sender, code=code, paused_at=timezone.now()
    )


def an_alert_channel(workspace: Workspace, address: str = "desk@northgate.example") -> AlertChannel:
    """By e-mail; of a webhook where the address is one."""
    kind = AlertChannel.Kind.WEBHOOK if address.startswith("http") else AlertChannel.Kind.EMAIL
    secret = "whsec_" + "QUJD" * 8 if kind == AlertChannel.Kind.WEBHOOK else ""
    return AlertChannel.objects.create(
        workspace=workspace, kind=kind, address=address, shown=address, secret=secret, created_at=timezone.now()
    )


def a_webhook(workspace: Workspace) -> WebhookEndpoint:
    """One that was told something, at an address that is not asked."""
    now = timezone.now()
    endpoint = WebhookEndpoint.objects.create(
        workspace=workspace,
        url="https://127.0.0.1/in",
        shown="127.0.0.1",
        events=["message.sent", "message.failed"],
        secret="whsec_" + "QUJD" * 8,
        failures=2,
        failing_since=now - timedelta(hours=1),
        created_at=now,
    )
    event = WebhookEvent.objects.create(workspace=workspace, at=now, type="message.sent", data={})
    delivery = WebhookDelivery.objects.create(
        workspace=workspace,
        endpoint=endpoint,
        event=event,
        round_at=now,
        tries=1,
        tried=1,
        due_at=now + timedelta(hours=1),
    )
    WebhookAttempt.objects.create(
        workspace=workspace,
        delivery=delivery,
        number=1,
        at=now,
        well=False,
        said="Answered with HTTP status 500.",
        status=500,
        took_ms=12,
        answer="nope",
    )
    return endpoint


def a_busy_workspace() -> Workspace:
    """A workspace in which every kind of outcome stands once, as an operator finds it on a working day."""
    workspace = a_workspace()
    desk = an_agent(workspace, from_number="+14155550100")
    garage = an_agent(workspace, "Service line", follow_agent_number=True)
    booking = an_action(desk)
    form = an_action(desk, "New-patient form", "Welcome, <customer_name>. Your form: northgate.example/f")
    link = an_action(desk, "Payment link", "Pay ahead: northgate.example/pay/<reference>", mode="off")
    pickup = an_action(garage, "Ready for pickup", "Your car is ready at <company>.", mode="approve")

    whole = a_call(desk)
    a_message(a_follow_up(whole, booking))
    failed = a_follow_up(
        whole,
        form,
        body="Welcome, Maya. Your form: northgate.example/f",
        inputs={"customer_name": {"value": "Maya", "from": "collected", "turn": None}},
        verdict={
            "reason": "The caller is new and booked a visit.",
            "evidence": [{"turn": 2, "quote": "I’d like to see someone about my knee"}],
            "judge": "offline-1",
        },
    )
    a_message(failed, Message.Status.FAILED, error_code=30034)
    a_skipped_follow_up(whole, link)

    numbers = iter(range(14155550140, 14155550199))
    for name, state in (
        ("Ray Whitfield", Message.Status.UNCONFIRMED),
        ("Inés Calder", Message.Status.DELIVERED),
        ("Priya Nand", Message.Status.SENT),
        ("Gus Amado", Message.Status.SCHEDULED),
    ):
        call = a_call(
            garage,
            customer_number=f"+{next(numbers)}",
            variables={"collected": {"name": name}},
            direction="outbound",
        )
        follow_up = a_follow_up(
            call,
            pickup,
            body="Your car is ready at Northgate Clinic.",
            inputs={"company": {"value": "Northgate Clinic", "from": "fixed", "turn": None}},
        )
        a_message(follow_up, state)
    held = a_call(garage, customer_number=f"+{next(numbers)}", variables={})
    a_held_follow_up(held, pickup, body="Your car is ready at Northgate Clinic.")
    unclear = a_call(desk, customer_number=f"+{next(numbers)}")
    a_held_follow_up(
        unclear,
        booking,
        reason="condition_unclear",
        detail="The caller never said yes.",
        result="unclear",
        confidence=0.55,
    )
    gone = a_call(desk, customer_number=f"+{next(numbers)}", variables={}, transcript=[])
    a_skipped_follow_up(
        gone, booking, reason="voicemail", detail="Turn 1 is a greeting.", result="", confidence=None, verdict=None
    )
    lacking = a_call(desk, customer_number=f"+{next(numbers)}")
    a_held_follow_up(
        lacking, booking, reason="missing_input", detail="appointment_date was not said.", body="", inputs={}
    )
    a_call(None, workspace, agent_ref="asst-unknown", customer_number=f"+{next(numbers)}", variables={})
    return workspace
