"""/test"""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from pydantic import Field, model_validator

from postcall.actions.bindings import Binding
from postcall.actions.message import inputs_of
from postcall.agents.models import Agent
from postcall.api.actions import SegmentsOut
from postcall.api.answers import Out, answer
from postcall.api.finding import one
from postcall.api.keys import INGEST, ApiRequest
from postcall.api.problems import RETRY_AFTER_S, Problem, wrong_fields
from postcall.api.routes import Routes
from postcall.api.shapes import EvidenceOut, InputOut, JudgeUsageOut, VerdictOut, dollars
from postcall.calls.models import Call
from postcall.calls.receive import find_agent
from postcall.followups.facts import CallFacts, facts_of, facts_of_ended
from postcall.followups.snapshot import AgentAsItWas, agent_as_it_is
from postcall.followups.trial import Trial, try_out
from postcall.judge.choose import judge_from_config
from postcall.judge.prices import cost
from postcall.judge.verdicts import JudgeFailed
from postcall.messages.segments import count
from postcall.shapes import Identifier, Strict, Text
from postcall.sources.told import ToldCall
from postcall.workspaces.scope import within

routes = Routes(tags=["Trying out"])


class TriedCall(ToldCall):
    """As for POST /calls, except that it needs no id: it is not stored."""

    external_id: Identifier = "test"


class TrialContent(Strict):
    """A call (given, or one that is stored), and what to try on it."""

    call: TriedCall | None = None
    call_id: UUID | None = None
    condition: Annotated[Text, Field(max_length=2_000)] = Field(
        default="", examples=["After scheduling an appointment"]
    )
    message: Annotated[Text, Field(max_length=6_000)] = Field(
        default="", examples=["Hi <customer_name>, see you then."]
    )
    inputs: dict[str, Binding] = Field(default_factory=dict, max_length=200)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.call is None) == (self.call_id is None):
            raise ValueError("give `call` or `call_id`, one of the two")
        if not self.condition.strip() and not self.message.strip():
            raise ValueError("give a `condition` to judge, a `message` to fill in, or both")
        return self


class FilledOut(Out):
    """The message as it would go out."""

    body: str | None = Field(description="Null: something is missing.")
    inputs: dict[str, InputOut]
    missing: dict[str, str] = Field(description="By input: why it has no value.")
    unsafe: dict[str, str] = Field(description="By input: why its value would be held.")
    too_long: bool


class StopOut(Out):
    """What would have ended a real follow-up before any judging."""

    reason: str
    detail: str


class TrialOut(Out):
    """What would have come of it. Nothing was stored, nothing was sent."""

    verdict: VerdictOut | None
    message: FilledOut | None
    segments: SegmentsOut | None
    stopped: StopOut | None
    objection: EvidenceOut | None = Field(description="What the customer said against being texted.")


@routes.post(
    "/test", response=TrialOut, auth=INGEST, summary="Try a condition and a message out", operation_id="test"
)
def test(request: ApiRequest, content: TrialContent) -> HttpResponse:
    """Judges one call and fills the message in, with the judge that decides real calls."""
    known = inputs_of(content.message)
    if unknown := [name for name in content.inputs if name not in known]:
        raise wrong_fields([(f"inputs.{name}", f"the message has no input “{name}”") for name in unknown])
    facts, agent = _facts(request, content)
    judge = judge_from_config()
    try:
        tried = try_out(
            facts,
            agent,
            judge,
            condition=content.condition.strip(),
            message=content.message,
            inputs=content.inputs,
        )
    except JudgeFailed as error:
        headers = {"Retry-After": str(RETRY_AFTER_S)} if error.retry else None
        raise Problem(
            503 if error.retry else 502, f"the judge could not answer: {error}", headers=headers
        ) from None
    return answer(_shown(tried, content.message, judge.name))


def _facts(request: ApiRequest, content: TrialContent) -> tuple[CallFacts, AgentAsItWas]:
    workspace = request.auth.workspace
    if content.call_id is not None:
        calls = within(workspace, Call).select_related("agent")
        call = one(calls, content.call_id, "call")
        return facts_of(call), _agent(call.agent)
    assert content.call is not None
    agent = find_agent(workspace, "api", content.call.agent)
    region = agent.locale.rpartition("-")[2] if agent else None
    return facts_of_ended(content.call, region=region, now=timezone.now()), _agent(agent)


def _agent(agent: Agent | None) -> AgentAsItWas:
    return agent_as_it_is(agent) if agent else AgentAsItWas(name="")


def _shown(tried: Trial, message: str, judge: str) -> TrialOut:
    verdict, composed = tried.verdict, tried.composed
    used = tried.usage
    paid = cost(judge, used.input_tokens, used.output_tokens)
    filled = FilledOut(
        body=composed.body or None,
        inputs={
            name: InputOut(value=one.get("value"), from_=one.get("from"), turn=one.get("turn"))
            for name, one in composed.inputs_json().items()
        },
        missing=composed.missing,
        unsafe=composed.unsafe,
        too_long=composed.too_long,
    )
    segments = count(composed.body) if composed.body else None
    return TrialOut(
        verdict=VerdictOut(
            result=verdict.result,
            confidence=verdict.confidence,
            reason=verdict.reason,
            evidence=[EvidenceOut(turn=quote.turn, quote=quote.quote) for quote in verdict.evidence],
            judge=verdict.judge,
            prompt=verdict.prompt or None,
            usage=JudgeUsageOut(
                requests=used.requests, input_tokens=used.input_tokens, output_tokens=used.output_tokens
            ),
            cost=None if paid is None else dollars(paid),
        )
        if verdict
        else None,
        message=filled if message else None,
        segments=SegmentsOut(count=segments.count, encoding=segments.encoding, length=segments.length)
        if segments
        else None,
        stopped=StopOut(reason=tried.stopped.reason.value, detail=tried.stopped.detail) if tried.stopped else None,
        objection=EvidenceOut(turn=tried.objection.turn, quote=tried.objection.quote) if tried.objection else None,
    )
