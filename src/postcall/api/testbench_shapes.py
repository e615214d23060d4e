"""Runs of an action's words, what came of each call, and cases, as the API takes and shows them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool, StrictInt, model_validator

from postcall.actions.editing import sendable
from postcall.api.answers import Moment, Out
from postcall.api.shapes import (
    ActionRef,
    AgentRef,
    CallRef,
    EvidenceOut,
    JudgeUsageOut,
    PriceOut,
    TurnOut,
    VerdictOut,
    call_ref,
    dollars,
)
from postcall.reports.tables import Cell
from postcall.shapes import Strict, Text
from postcall.sources.ended_call import MAX_TURNS, Turn
from postcall.testbench.cases import Expected, Mark, Score, Standing, mark_of, score_of
from postcall.testbench.models import ActionCase, BenchItem, BenchRun
from postcall.testbench.selecting import DEFAULT, MOST
from postcall.testbench.summary import Summary, summary

Kind = Literal["backtest", "cases"]
State = Literal["queued", "running", "done", "canceled", "failed"]
Outcome = Literal["would_send", "would_not", "unclear"]
Change = Literal["any", "newly", "no_longer"]


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("may not be empty")
    return text


Condition = Annotated[Text, Field(min_length=1, max_length=2_000), AfterValidator(_said)]
Wording = Annotated[Text, Field(min_length=1, max_length=6_000), AfterValidator(sendable)]
Remark = Annotated[Text, Field(max_length=300)]


class BacktestContent(Strict):
    """Words, and the calls to try them on. What is left out of the words is as the action has it now."""

    action_id: UUID
    condition: Condition | None = Field(default=None, examples=["After scheduling an appointment"])
    always: StrictBool | None = Field(default=None, description="True: after every connected call.")
    message: Wording | None = Field(default=None, examples=["Hi <customer_name>, see you then."])
    agent_id: UUID | None = Field(
        default=None, description="Calls of this agent alone. By default of the agents that use the action."
    )
    all_agents: StrictBool = Field(default=False, description="True: calls of every agent.")
    since: Moment | None = Field(default=None, description="Calls that arrived from then on.")
    until: Moment | None = Field(default=None, description="Calls that arrived before then.")
    latest: StrictInt = Field(default=DEFAULT, ge=1, le=MOST, description="Of them the newest so many.")

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if self.always and self.condition is not None:
            raise ValueError("`always` stands in place of a condition: give one of the two")
        if self.all_agents and self.agent_id is not None:
            raise ValueError("give `agent_id` or `all_agents`, one of the two")
        return self


class EstimateOut(Out):
    """About what trying these words will take. Nothing was begun."""

    calls: int
    judge: str = Field(description="As the environment names it.", examples=["offline", "openai:gpt-5-mini"])
    tokens: int | None = Field(description="By the length of the calls; null: the judge takes none.")
    cost: PriceOut | None = Field(description="Of these tokens; null where no price is known, or none is paid.")


class JudgingOut(JudgeUsageOut):
    """What a language model used."""

    cost: PriceOut | None = Field(description="By its vendor's list prices; null where none is known.")


class SummaryOut(Out):
    """What a backtest found so far. `changed`, `newly` and `no_longer` are against the present words of when it was
    begun, and 0 where the words tried are the same."""

    judged: int
    would_send: int
    would_not: int
    unclear: int
    changed: int = Field(description="Calls that come to something else.")
    newly: int = Field(description="Calls that would get a text now.")
    no_longer: int = Field(description="Calls that would get none any more.")
    segments: int
    prices: list[PriceOut] = Field(description="Of the texts that would be sent, by currency.")
    unpriced: int = Field(description="Texts whose price is not known.")
    judging: JudgingOut


class ScoreOut(Out):
    """What a condition is worth by its cases. An unclear verdict sends nothing: it costs recall, not precision."""

    cases: int
    passed: int
    failed: int
    unclear: int
    unknown: int = Field(description="Not judged by this condition yet.")
    precision: float | None = Field(description="Of what the judge called met, the share that was.")
    recall: float | None = Field(description="Of what was met, the share that the judge found.")


class RunListed(Out):
    """A run of an action's words: over calls (`backtest`), or over its cases (`cases`)."""

    id: UUID
    kind: Kind
    action: ActionRef = Field(description="With the revision that its words are compared to.")
    condition: str | None
    always: bool
    message: str | None = Field(description="Null: of cases only the condition is tried.")
    agent: AgentRef | None
    since: datetime | None
    until: datetime | None
    latest: int | None
    state: State
    total: int
    done: int
    judge: str | None
    problem: str | None = Field(description="Why it failed, or why the judge is asked again; with the mend.")
    began_by: str
    created_at: datetime
    ended_at: datetime | None


class RunOut(RunListed):
    """A run with what it found so far."""

    # What moves by itself while a worker is at it.
    volatile: ClassVar[frozenset[str]] = frozenset(
        {"state", "done", "judge", "problem", "ended_at", "summary", "score"}
    )

    summary: SummaryOut | None = Field(description="Of a backtest.")
    score: ScoreOut | None = Field(description="Of a run of cases.")


class BeforeOut(Out):
    """What the present words would have come to."""

    outcome: Outcome
    reason: str | None
    verdict: VerdictOut | None
    text: str | None


class ResultOut(Out):
    """What one call, or case, came to."""

    id: UUID
    call: CallRef | None = Field(description="Null: the words of a case were pasted.")
    case_id: UUID | None
    expected: Expected | None = Field(description="Of a case, as it was when the run began.")
    mark: Mark | None = Field(description="Of a case.")
    outcome: Outcome | None = Field(description="Of a call.")
    reason: str | None = Field(description="Why nothing would be sent.")
    detail: str | None
    verdict: VerdictOut | None = Field(description="Null: nothing had to be judged, or its words are forgotten.")
    text: str | None = Field(description="The message, filled in.")
    segments: int | None
    price: PriceOut | None = Field(description="About what the text would cost.")
    changed: bool = Field(description="Whether it comes to something else than by the present words.")
    before: BeforeOut | None = Field(description="Null: the words tried are the present ones.")


class NewCase(Strict):
    """A call whose answer you know: one that is stored, or its words."""

    call_id: UUID | None = None
    transcript: list[Turn] | None = Field(default=None, min_length=1, max_length=MAX_TURNS)
    expected: Expected = Field(description="Whether the action's condition was met in it.")
    note: Remark = ""

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if (self.call_id is None) == (self.transcript is None):
            raise ValueError("give `call_id` or `transcript`, one of the two")
        if self.transcript is not None and not any(turn.text.strip() for turn in self.transcript):
            raise ValueError("nobody says anything in this `transcript`")
        return self


class CaseChange(Strict):
    expected: Expected
    note: Remark | None = Field(default=None, description="Left out: it stays as it is.")


class CasesToRun(Strict):
    condition: Condition | None = Field(default=None, description="By default the action's present one.")


class CaseOut(Out):
    """A call whose answer is known."""

    id: UUID
    action_id: UUID
    call: CallRef | None = Field(description="Null: its words were pasted.")
    expected: Expected
    note: str
    said_by: str
    created_at: datetime
    updated_at: datetime


class CaseStanding(CaseOut):
    """A case beside what the judge says of it by a condition."""

    mark: Mark = Field(description="`unknown`: not judged by this condition yet; run the cases.")
    result: Literal["met", "not_met", "unclear"] | None
    verdict: VerdictOut | None = Field(description="Null where no run of the cases has judged it by it.")


class CaseWhole(CaseOut):
    """A case with its words."""

    transcript: list[TurnOut] = Field(description="Empty: what was said in the call is forgotten.")


class CasesOut(Out):
    """A part of an action's cases, newest first, with the score of all of them."""

    items: list[CaseStanding]
    next: str | None = Field(default=None, description="Pass it as `cursor` to go on.")
    condition: str | None = Field(description="The one that they are held against.")
    score: ScoreOut


def run_listed(run: BenchRun) -> RunListed:
    return RunListed(**_run(run))


def run_out(run: BenchRun) -> RunOut:
    of_calls = run.kind == BenchRun.Kind.BACKTEST
    return RunOut(
        **_run(run),
        summary=_summary(summary(run)) if of_calls else None,
        score=None if of_calls else score_out(score_of(run)),
    )


def _run(run: BenchRun) -> dict[str, Any]:
    return {
        "id": run.pk,
        "kind": run.kind,
        "action": ActionRef(id=run.action_id, name=run.action.name, revision=run.revision.number),
        "condition": run.condition or None,
        "always": run.always,
        "message": run.message if run.kind == BenchRun.Kind.BACKTEST else None,
        "agent": AgentRef(id=run.agent.pk, name=run.agent.name) if run.agent else None,
        "since": run.since,
        "until": run.until,
        "latest": run.latest,
        "state": run.state,
        "total": run.total,
        "done": run.done,
        "judge": run.judge or None,
        "problem": run.problem or None,
        "began_by": run.began_by,
        "created_at": run.created_at,
        "ended_at": run.ended_at,
    }


def _summary(found: Summary) -> SummaryOut:
    return SummaryOut(
        judged=found.judged,
        would_send=found.would_send,
        would_not=found.would_not,
        unclear=found.unclear,
        changed=found.changed,
        newly=found.newly,
        no_longer=found.no_longer,
        segments=found.segments,
        prices=[_price(price, currency) for currency, price in found.price.items()],
        unpriced=found.unpriced,
        judging=JudgingOut(
            requests=found.requests,
            input_tokens=found.input_tokens,
            output_tokens=found.output_tokens,
            cost=None if found.cost is None else dollars(found.cost),
        ),
    )


def _price(amount: Decimal, currency: str) -> PriceOut:
    return PriceOut(amount=f"{amount.normalize():f}", currency=currency)


def score_out(score: Score) -> ScoreOut:
    return ScoreOut(
        cases=score.cases,
        passed=score.passed,
        failed=score.failed,
        unclear=score.unclear,
        unknown=score.unknown,
        precision=score.precision,
        recall=score.recall,
    )


def result_out(item: BenchItem) -> ResultOut:
    case = item.case_id is not None
    return ResultOut(
        id=item.pk,
        call=call_ref(item.call) if item.call else None,
        case_id=item.case_id,
        expected=item.expected or None,
        mark=mark_of(item.result, item.expected) if case else None,
        outcome=item.outcome or None,
        reason=item.reason or None,
        detail=item.detail or None,
        verdict=_verdict(item.result, item.verdict),
        text=item.body or None,
        segments=item.segments,
        price=None if item.price is None else _price(item.price, item.currency),
        changed=bool(item.before_outcome) and item.before_outcome != item.outcome,
        before=BeforeOut(
            outcome=item.before_outcome,
            reason=item.before_reason or None,
            verdict=_verdict(item.before_result, item.before_verdict),
            text=item.before_body or None,
        )
        if item.before_outcome
        else None,
    )


def _verdict(result: str, said: dict[str, Any] | None) -> VerdictOut | None:
    if not result or said is None:
        return None
    return VerdictOut(
        result=result,
        confidence=said.get("confidence"),
        reason=said.get("reason", ""),
        evidence=[EvidenceOut(turn=one["turn"], quote=one["quote"]) for one in said.get("evidence", [])],
        judge=said.get("judge", ""),
        prompt=said.get("prompt") or None,
    )


def case_standing(standing: Standing) -> CaseStanding:
    item = standing.item
    return CaseStanding(
        **_case(standing.case),
        mark=standing.mark,
        result=standing.result or None,
        verdict=_verdict(item.result, item.verdict) if item else None,
    )


def case_whole(case: ActionCase) -> CaseWhole:
    turns = case.call.transcript if case.call else case.turns
    return CaseWhole(
        **_case(case),
        transcript=[
            TurnOut(turn=number, role=turn["role"], text=turn["text"], at=turn.get("at"), tool=turn.get("tool"))
            for number, turn in enumerate(turns, start=1)
        ],
    )


def _case(case: ActionCase) -> dict[str, Any]:
    return {
        "id": case.pk,
        "action_id": case.action_id,
        "call": call_ref(case.call) if case.call else None,
        "expected": case.expected,
        "note": case.note,
        "said_by": case.said_by,
        "created_at": case.created_at,
        "updated_at": case.updated_at,
    }


RESULTS_HEAD: Final = (
    "call_id", "external_id", "started_at", "agent", "expected", "outcome", "reason", "verdict", "verdict_reason",
    "evidence", "text", "segments", "price", "currency", "before_outcome", "before_reason", "before_verdict",
    "before_text",
)  # fmt: skip


def results_table(items: Iterator[BenchItem]) -> Iterator[list[Cell]]:
    """A row for each, as RESULTS_HEAD names them."""
    for item in items:
        call, said = item.call, item.verdict or {}
        quotes = " | ".join(f"{one['turn']}: {one['quote']}" for one in said.get("evidence", []))
        yield [
            item.call_id,
            call.external_id if call else "",
            call.started_at if call else None,
            call.agent.name if call and call.agent else "",
            item.expected,
            item.outcome,
            item.reason,
            item.result,
            said.get("reason", ""),
            quotes,
            item.body,
            item.segments,
            item.price,
            item.currency,
            item.before_outcome,
            item.before_reason,
            item.before_result,
            item.before_body,
        ]
