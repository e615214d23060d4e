"""A call, what followed it, and its message, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from pydantic import Field

from postcall.api.answers import Out
from postcall.calls.models import Call
from postcall.followups.models import FollowUp
from postcall.followups.reasons import explain as explain_reason
from postcall.followups.review import expires_at
from postcall.messages.errors import explain
from postcall.messages.models import Attempt, DeliveryEvent, Message
from postcall.sources.ended_call import Ending, Removed, Variables

MessageStatus = Literal[
    "scheduled", "queued", "sending", "accepted", "sent", "delivered", "undelivered", "failed", "unconfirmed",
    "canceled",
]  # fmt: skip
AttemptStatus = Literal[
    "sending", "accepted", "sent", "delivered", "undelivered", "failed", "canceled", "unconfirmed", "refused",
    "absent",
]  # fmt: skip


class ErrorOut(Out):
    """Why a text failed: Twilio's code, and in plain words what it means and what to do."""

    code: int | None = Field(examples=[30003])
    message: str
    fix: str


class PriceOut(Out):
    amount: str = Field(examples=["0.00790"], description="A decimal string.")
    currency: str = Field(examples=["USD"])


class AttemptOut(Out):
    """One try at handing the message to Twilio."""

    number: int
    sid: str | None
    status: AttemptStatus
    error: ErrorOut | None
    started_at: datetime
    ended_at: datetime | None
    by: str = Field(description="`postcall`, or `operator` for a resend.")


class EventOut(Out):
    """One status that the message went through."""

    status: str
    provider_status: str | None = Field(description="Twilio's own word.")
    at: datetime
    origin: Literal["postcall", "twilio", "poll", "operator"]
    attempt: int | None
    detail: str | None


class MessageInCall(Out):
    """A text; where it stands in a list, without its attempts and events."""

    id: UUID
    to: str
    from_: str | None = Field(alias="from", description="A number, or a messaging service's SID.")
    body: str
    encoding: str = Field(examples=["GSM-7"])
    segments: int
    status: MessageStatus
    sid: str | None
    price: PriceOut | None
    error: ErrorOut | None
    created_at: datetime
    sent_at: datetime | None


class MessageWhole(MessageInCall):
    """A text with all that happened to it."""

    attempts: list[AttemptOut]
    events: list[EventOut]


class MessageItem(MessageInCall):
    """A text in the list of texts."""

    follow_up_id: UUID
    call_id: UUID


class MessageOut(MessageWhole):
    """A text with all that happened to it, and where it came from."""

    follow_up_id: UUID
    call_id: UUID


class ActionRef(Out):
    id: UUID
    name: str
    revision: int


class EvidenceOut(Out):
    turn: int = Field(description="Counted from 1, as in the transcript.")
    quote: str


class JudgeUsageOut(Out):
    requests: int = Field(description="To a language model; 0: the built-in judge, or a verdict beside another.")
    input_tokens: int
    output_tokens: int


class VerdictOut(Out):
    """What the judge decided, with quotes that stand in the transcript."""

    result: Literal["met", "not_met", "unclear"]
    confidence: float | None
    reason: str
    evidence: list[EvidenceOut]
    judge: str = Field(examples=["offline-1", "openai:gpt-5-mini"], description="Who decided.")
    prompt: str | None = Field(
        default=None, description="Of a language model: the version of what it was told, and of its answer's shape."
    )
    usage: JudgeUsageOut | None = Field(
        default=None,
        description="What judging the whole call took; it stands on one of its follow-ups, so that sums are right.",
    )
    cost: PriceOut | None = Field(
        default=None, description="Of that usage, by list prices; null where no price is known."
    )


class InputOut(Out):
    """The value that an input was filled with, and where it came from."""

    value: Any
    from_: str | None = Field(alias="from")
    turn: int | None


class ReviewerOut(Out):
    kind: Literal["user", "key", "cli", "system"]
    name: str


class ReviewOut(Out):
    """The last word about a held text, and whose it was."""

    decision: Literal["approved", "edited", "rejected"]
    by: ReviewerOut
    at: datetime


class FollowUpInCall(Out):
    """What one action did about one call."""

    id: UUID
    attachment_id: UUID
    action: ActionRef
    verdict: VerdictOut | None
    outcome: Literal["pending", "message", "skipped", "held"]
    reason: str | None = Field(description="Why nothing was sent (yet); null: a text was.")
    detail: str | None = Field(description="The reason's particulars, in one sentence.")
    explanation: str | None = Field(description="The reason in plain words, and what can be done.")
    inputs: dict[str, InputOut]
    recipient: str | None
    body: str | None = Field(description="The filled text, also where it was held or only shadowed.")
    feedback: bool | None = Field(description="Whether the operator found the verdict right.")
    decided_at: datetime | None
    review: ReviewOut | None = Field(description="What somebody decided about it while it was held.")
    expires_at: datetime | None = Field(
        description="When a held one lapses unless somebody decides, or what it waits for is mended."
    )


class FollowUpItem(FollowUpInCall):
    message: MessageInCall | None


class FollowUpWhole(FollowUpInCall):
    message: MessageWhole | None


class AgentRef(Out):
    id: UUID
    name: str


class SourceRef(Out):
    id: UUID | None = Field(description="Null: the call came by POST /calls.")
    kind: str
    name: str | None


class CallBase(Out):
    id: UUID
    external_id: str
    source: SourceRef
    agent: AgentRef | None
    agent_ref: str | None = Field(description="The agent as the sender named it.")
    status: Literal["received", "unassigned", "processing", "done"]
    direction: Literal["inbound", "outbound"] | None
    customer_number: str | None = Field(description="E.164; null when what came was no phone number.")
    customer_number_raw: str | None = Field(description="As it came.")
    agent_number: str | None
    started_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None = Field(description="In the platform's own words.")
    ending: Ending | None = Field(description="How it ended, alike for all platforms; null: not known.")
    connected: bool | None
    final: bool
    judge_after: datetime | None = Field(
        description="When it is judged at the latest, if what is still to come from the platform does not come."
    )
    redacted: list[Removed] = Field(description="What the platform took out before it sent the call.")
    received_at: datetime
    processed_at: datetime | None


class CallRef(Out):
    """The call that a follow-up is about."""

    id: UUID
    external_id: str
    agent: AgentRef | None
    customer_number: str | None
    started_at: datetime | None


class FollowUpOut(FollowUpWhole):
    """A follow-up with its call."""

    call: CallRef


class FollowUpListed(FollowUpItem):
    """A follow-up in the list of follow-ups."""

    call: CallRef


class CallItem(CallBase):
    """A call in the list: without transcript and variables, its messages without attempts and events."""

    follow_ups: list[FollowUpItem]


class TurnOut(Out):
    turn: int = Field(description="Counted from 1.")
    role: Literal["agent", "customer", "system", "tool"]
    text: str
    at: float | None
    tool: str | None = Field(description="With the role `tool`: which one was called, or answered.")


class CallOut(CallBase):
    """A call with all that was said and all that followed."""

    transcript: list[TurnOut]
    variables: Variables
    hints: dict[str, Any] = Field(description="What the platform makes of the call. Nothing is decided by it.")
    follow_ups: list[FollowUpWhole]


_ATTEMPTS: Final = Prefetch("attempts", Attempt.objects.order_by("number"))
_EVENTS: Final = Prefetch("events", DeliveryEvent.objects.order_by("at", "id"))
_FOLLOW_UP: Final = ("action", "revision", "message")


def listed_calls(calls: QuerySet[Call]) -> QuerySet[Call]:
    """The calls with what `call_item` shows, in a fixed number of queries."""
    return (
        calls.defer("transcript", "variables", "hints")
        .select_related("agent", "source")
        .prefetch_related(_follow_ups())
    )


def whole_calls(calls: QuerySet[Call]) -> QuerySet[Call]:
    """The calls with what `call_out` shows."""
    return calls.select_related("agent", "source").prefetch_related(
        _follow_ups(), _within("follow_ups__message", _ATTEMPTS), _within("follow_ups__message", _EVENTS)
    )


def listed_follow_ups(follow_ups: QuerySet[FollowUp]) -> QuerySet[FollowUp]:
    return follow_ups.select_related(*_FOLLOW_UP, "call", "call__agent").defer(
        "call__transcript", "call__variables", "call__hints"
    )


def whole_follow_ups(follow_ups: QuerySet[FollowUp]) -> QuerySet[FollowUp]:
    return listed_follow_ups(follow_ups).prefetch_related(
        _within("message", _ATTEMPTS), _within("message", _EVENTS)
    )


def listed_messages(messages: QuerySet[Message]) -> QuerySet[Message]:
    return messages.select_related("follow_up")


def whole_messages(messages: QuerySet[Message]) -> QuerySet[Message]:
    return messages.select_related("follow_up").prefetch_related(_ATTEMPTS, _EVENTS)


def _follow_ups() -> Prefetch[str, QuerySet[FollowUp], str]:
    return Prefetch("follow_ups", FollowUp.objects.select_related(*_FOLLOW_UP).order_by("id"))


def _within(path: str, prefetch: Prefetch[Any, Any, Any]) -> Prefetch[Any, Any, Any]:
    return Prefetch(f"{path}__{prefetch.prefetch_to}", prefetch.queryset)


def call_item(call: Call) -> CallItem:
    return CallItem(**_call(call), follow_ups=[follow_up_item(row) for row in call.follow_ups.all()])


def call_out(call: Call) -> CallOut:
    return CallOut(
        **_call(call),
        transcript=[
            TurnOut(turn=number, role=turn["role"], text=turn["text"], at=turn.get("at"), tool=turn.get("tool"))
            for number, turn in enumerate(call.transcript, start=1)
        ],
        variables=Variables.model_validate(call.variables),
        hints=call.hints,
        follow_ups=[FollowUpWhole(**_follow_up(row), message=_whole(row)) for row in call.follow_ups.all()],
    )


def follow_up_item(follow_up: FollowUp) -> FollowUpItem:
    return FollowUpItem(**_follow_up(follow_up), message=_brief(follow_up))


def follow_up_listed(follow_up: FollowUp) -> FollowUpListed:
    return FollowUpListed(**_follow_up(follow_up), message=_brief(follow_up), call=call_ref(follow_up.call))


def follow_up_out(follow_up: FollowUp) -> FollowUpOut:
    return FollowUpOut(**_follow_up(follow_up), message=_whole(follow_up), call=call_ref(follow_up.call))


def message_item(message: Message) -> MessageItem:
    return MessageItem(**_message(message), **_origin(message))


def message_out(message: Message) -> MessageOut:
    return MessageOut(**_message(message), **_history(message), **_origin(message))


def _call(call: Call) -> dict[str, Any]:
    return {
        "id": call.pk,
        "external_id": call.external_id,
        "source": SourceRef(
            id=call.source_id, kind=call.source_kind, name=call.source.name if call.source else None
        ),
        "agent": _agent_ref(call),
        "agent_ref": call.agent_ref or None,
        "status": call.status,
        "direction": call.direction or None,
        "customer_number": call.customer_number or None,
        "customer_number_raw": call.customer_number_raw or None,
        "agent_number": call.agent_number or None,
        "started_at": call.started_at,
        "ended_at": call.ended_at,
        "end_reason": call.end_reason or None,
        "ending": call.ending or None,
        "connected": call.connected,
        "final": call.final,
        "judge_after": call.judge_after,
        "redacted": call.redacted,
        "received_at": call.received_at,
        "processed_at": call.processed_at,
    }


def _agent_ref(call: Call) -> AgentRef | None:
    return AgentRef(id=call.agent.pk, name=call.agent.name) if call.agent else None


def call_ref(call: Call) -> CallRef:
    return CallRef(
        id=call.pk,
        external_id=call.external_id,
        agent=_agent_ref(call),
        customer_number=call.customer_number or None,
        started_at=call.started_at,
    )


def _follow_up(follow_up: FollowUp) -> dict[str, Any]:
    return {
        "id": follow_up.pk,
        "attachment_id": follow_up.attachment_id,
        "action": ActionRef(id=follow_up.action_id, name=follow_up.action.name, revision=follow_up.revision.number),
        "verdict": _verdict(follow_up),
        "outcome": follow_up.outcome,
        "reason": follow_up.reason or None,
        "detail": follow_up.detail or None,
        "explanation": explain_reason(follow_up.reason, made=hasattr(follow_up, "message"))
        if follow_up.reason
        else None,
        "inputs": {
            name: InputOut(value=one.get("value"), from_=one.get("from"), turn=one.get("turn"))
            for name, one in follow_up.inputs.items()
        },
        "recipient": follow_up.recipient or None,
        "body": follow_up.body or None,
        "feedback": follow_up.feedback_right,
        "decided_at": follow_up.decided_at,
        "review": _review(follow_up),
        "expires_at": expires_at(follow_up),
    }


def _review(follow_up: FollowUp) -> ReviewOut | None:
    if not follow_up.review or follow_up.reviewed_at is None:
        return None
    by = ReviewerOut(kind=follow_up.reviewer_kind, name=follow_up.reviewer)
    return ReviewOut(decision=follow_up.review, by=by, at=follow_up.reviewed_at)


def dollars(amount: Decimal) -> PriceOut:
    """Without the zeros at the end that a column's fixed places leave."""
    return PriceOut(amount=f"{amount.normalize():f}", currency="USD")


def _verdict(follow_up: FollowUp) -> VerdictOut | None:
    if not follow_up.result:
        return None
    said = follow_up.verdict or {}
    return VerdictOut(
        result=follow_up.result,
        confidence=follow_up.confidence,
        reason=said.get("reason", ""),
        evidence=[EvidenceOut(turn=one["turn"], quote=one["quote"]) for one in said.get("evidence", [])],
        judge=follow_up.judged_by,
        prompt=follow_up.prompt or None,
        usage=JudgeUsageOut(
            requests=follow_up.judge_requests,
            input_tokens=follow_up.judge_input_tokens,
            output_tokens=follow_up.judge_output_tokens,
        ),
        cost=None if follow_up.judge_cost_usd is None else dollars(follow_up.judge_cost_usd),
    )


def _brief(follow_up: FollowUp) -> MessageInCall | None:
    message: Message | None = getattr(follow_up, "message", None)
    return MessageInCall(**_message(message)) if message else None


def _whole(follow_up: FollowUp) -> MessageWhole | None:
    message: Message | None = getattr(follow_up, "message", None)
    return MessageWhole(**_message(message), **_history(message)) if message else None


def _origin(message: Message) -> dict[str, Any]:
    return {"follow_up_id": message.follow_up_id, "call_id": message.follow_up.call_id}


def _message(message: Message) -> dict[str, Any]:
    price = message.price
    return {
        "id": message.pk,
        "to": message.to,
        "from_": message.from_number or message.messaging_service_sid or None,
        "body": message.body,
        "encoding": message.encoding,
        "segments": message.segments,
        "status": message.status,
        "sid": message.sid or None,
        "price": PriceOut(amount=str(abs(price)), currency=message.price_unit.upper() or "USD")
        if price is not None
        else None,
        "error": _error(message.error_code, message.error_message),
        "created_at": message.created_at,
        "sent_at": message.sent_at,
    }


def _history(message: Message) -> dict[str, Any]:
    return {
        "attempts": [
            AttemptOut(
                number=attempt.number,
                sid=attempt.sid or None,
                status=attempt.status,
                error=_error(attempt.error_code, attempt.error_message),
                started_at=attempt.started_at,
                ended_at=attempt.ended_at,
                by=attempt.by,
            )
            for attempt in message.attempts.all()
        ],
        "events": [
            EventOut(
                status=event.status,
                provider_status=event.provider_status or None,
                at=event.at,
                origin=event.origin,
                attempt=event.attempt_number,
                detail=event.detail or None,
            )
            for event in message.events.all()
        ],
    }


def _error(code: int | None, message: str) -> ErrorOut | None:
    if code is None and not message:
        return None
    text = explain(code, message)
    return ErrorOut(code=text.code, message=text.message, fix=text.fix)
