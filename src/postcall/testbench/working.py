"""A worker's part: puts a run's words to its calls, a few at a time, and writes down what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from postcall.actions.message import inputs_of
from postcall.actions.models import Attachment, Revision
from postcall.calls.models import Call
from postcall.config import config
from postcall.followups import trial
from postcall.followups.deciding import Decision
from postcall.followups.facts import CallFacts, facts_of, facts_of_words
from postcall.followups.gate import Stopped, contact_of, gate
from postcall.followups.handing import Sender
from postcall.followups.models import FollowUp, Reason
from postcall.followups.policy import Go
from postcall.followups.snapshot import AgentAsItWas, Snapshot, agent_as_it_is, snapshot_of
from postcall.followups.trial import Read, Rehearsal, Stage
from postcall.judge.prices import cost
from postcall.judge.verdicts import Case, Judge, JudgeFailed, Turn, Verdict
from postcall.messages.prices import Estimates
from postcall.messages.segments import count
from postcall.pace import paced_delta
from postcall.testbench.models import BenchItem, BenchRun
from postcall.work import clock
from postcall.work.leases import lock_held, settle

# Requests of one run to a language model at a time: real calls are judged beside it.
SIDE_BY_SIDE: Final = 4
# How long a worker stays with one run while others wait.
SLICE_S: Final = 60.0
# After which waits a judge that failed is asked again; when they are used up, the run has failed.
RETRY_AFTER: Final = tuple(paced_delta(seconds=seconds) for seconds in (10, 30, 90, 300))

# Whoever tries words on calls of the past does not ask who would send them today.
_NOBODY: Final = Sender()


@dataclass(frozen=True)
class _Job:
    """One item ready for the judge: the words that are tried and, where those are others, the ones before. `case`
    None: there is nothing to ask."""

    item: BenchItem
    facts: CallFacts
    snapshot: Snapshot
    tried: Revision
    before: Revision | None
    case: Case | None


def work(run: BenchRun, judge: Judge, *, slice_s: float = SLICE_S) -> None:
    """Goes on with a run taken on lane `bench_runs`, for about `slice_s`; then it is due again.

    Raises LostLease, and has then written nothing of the calls in hand, when another worker has the run by now.
    """
    until = clock.ticks() + slice_s
    desk = _Desk(run)
    while True:
        if not _is_on(run, judge):
            return
        jobs = [desk.job(item) for item in _next(run)]
        if not jobs:
            settle(run, state=BenchRun.State.DONE, ended_at=clock.now())
            return
        failed = desk.judge(jobs, judge)
        if failed is not None:
            _failed(run, failed)
            return
        if clock.ticks() > until:
            settle(run, due_at=clock.now())
            return


def set_aside(run: BenchRun) -> None:
    """Ends a run that kills its worker."""
    settle(
        run,
        state=BenchRun.State.FAILED,
        ended_at=clock.now(),
        problem="It broke off again and again. What was judged until then stands below.",
    )


def _is_on(run: BenchRun, judge: Judge) -> bool:
    """Whether nobody has stopped it meanwhile; if somebody has, it is let go of. In one transaction: whoever
    resumes it comes before that, and it goes on, or after, and it is due again."""
    with transaction.atomic():
        lock_held(run)
        state = BenchRun.objects.filter(pk=run.pk).values_list("state", flat=True).get()
        if state == BenchRun.State.QUEUED:
            BenchRun.objects.filter(pk=run.pk).update(state=BenchRun.State.RUNNING, judge=judge.name)
        if state in (BenchRun.State.QUEUED, BenchRun.State.RUNNING):
            return True
        settle(run)
        return False


def _next(run: BenchRun) -> list[BenchItem]:
    items = BenchItem.objects.filter(run=run, judged_at=None).select_related("call__agent", "case")
    return list(items.order_by("position")[: 1 if config().judge_model == "offline" else SIDE_BY_SIDE])


def _failed(run: BenchRun, failure: JudgeFailed) -> None:
    if failure.retry and run.failures < len(RETRY_AFTER):
        wait = RETRY_AFTER[run.failures]
        settle(run, due_at=clock.now() + wait, failures=run.failures + 1, problem=str(failure))
        return
    settle(run, state=BenchRun.State.FAILED, ended_at=clock.now(), problem=str(failure))


class _Desk:
    """What is read once for all items of a run."""

    def __init__(self, run: BenchRun) -> None:
        self.run = run
        self.run.revision = Revision.objects.get(pk=run.revision_id)
        self._prices = Estimates(run.workspace)
        self._attachments = {
            attachment.agent_id: attachment
            for attachment in Attachment.objects.filter(action_id=run.action_id, deleted_at=None).order_by("-pk")
        }

    def _tried(self) -> Revision:
        """The words of a run of cases are its condition alone."""
        run = self.run
        message = run.message if run.kind == BenchRun.Kind.BACKTEST else ""
        return Revision(
            action_id=run.action_id,
            number=0,
            condition=run.condition,
            always=run.always,
            message=message,
            inputs=inputs_of(message),
            send_within_s=run.revision.send_within_s,
        )

    def job(self, item: BenchItem) -> _Job:
        facts = _facts(item)
        snapshot = self._snapshot(item.call)
        tried, before = self._tried(), None
        open_ones = [tried]
        if self.run.kind == BenchRun.Kind.BACKTEST:
            before = self.run.revision if self.run.compares else None
            wordings = [tried, before] if before else [tried]
            open_ones = [one for one in wordings if not _is_stopped(snapshot, one, facts)]
        case = trial.question(facts, snapshot.agent, open_ones, snapshot.inputs) if open_ones else None
        return _Job(item, facts, snapshot, tried, before, case)

    def _snapshot(self, call: Call | None) -> Snapshot:
        """With the bindings and rules of the call's agent; of another agent's, where that one does not use it."""
        agent = call.agent if call is not None else None
        then = agent_as_it_is(agent) if agent is not None else AgentAsItWas(name="")
        attachment = self._attachments.get(agent.pk) if agent is not None else None
        if attachment is not None:
            return snapshot_of(attachment, then).model_copy(update={"mode": "live"})
        other = next(iter(self._attachments.values()), None)
        inputs = snapshot_of(other, then).inputs if other is not None else {}
        return Snapshot(mode="live", inputs=inputs, agent=then)

    def judge(self, jobs: Sequence[_Job], judge: Judge) -> JudgeFailed | None:
        """Judges the jobs side by side and writes down those that were answered; the failure of the others."""
        reads = _all_asked(judge, jobs)
        answered = [(job, read) for job, read in zip(jobs, reads, strict=True) if isinstance(read, Read)]
        now = clock.now()
        for job, read in answered:
            self._note(job, read, judge)
            job.item.judged_at = now
        with transaction.atomic():
            lock_held(self.run)
            if answered:
                items = [job.item for job, _ in answered]
                _leave_out_forgotten(items)
                BenchItem.objects.bulk_update(items, _WRITTEN)
                BenchRun.objects.filter(pk=self.run.pk).update(
                    done=F("done") + len(answered), failures=0, problem=""
                )
                self.run.failures = 0
        return next((read for read in reads if isinstance(read, JudgeFailed)), None)

    def _note(self, job: _Job, read: Read, judge: Judge) -> None:
        item = job.item
        item.requests, item.input_tokens, item.output_tokens = (
            read.usage.requests,
            read.usage.input_tokens,
            read.usage.output_tokens,
        )
        item.cost = cost(judge.name, item.input_tokens, item.output_tokens)
        tried = read.verdicts.get(job.tried.condition)
        item.result, item.verdict = (tried.result, _verdict_json(tried, judge)) if tried else ("", None)
        if self.run.kind == BenchRun.Kind.CASES:
            return
        came = self._rehearsed(job, read, job.tried)
        item.outcome, item.reason, item.detail = _outcome(came), _reason(came.decision), came.decision.detail
        item.body = came.composed.body
        if item.body:
            item.segments = count(item.body).count
            price = self._prices.to(job.facts.customer_number, item.segments)
            item.price, item.currency = (price.amount, price.currency) if price else (None, "")
        if job.before is not None:
            self._note_before(item, self._rehearsed(job, read, job.before), judge)

    def _note_before(self, item: BenchItem, came: Rehearsal, judge: Judge) -> None:
        item.before_outcome, item.before_reason = _outcome(came), _reason(came.decision)
        item.before_body = came.composed.body
        if came.verdict is not None:
            item.before_result, item.before_verdict = came.verdict.result, _verdict_json(came.verdict, judge)

    def _rehearsed(self, job: _Job, read: Read, wording: Revision) -> Rehearsal:
        stage = Stage(self.run.workspace, lambda _: Go(), _NOBODY, clock.now())
        return trial.rehearsed(job.facts, job.snapshot, wording, read, stage)


_WRITTEN: Final = (
    "judged_at", "outcome", "reason", "detail", "result", "verdict", "body", "segments", "price", "currency",
    "before_outcome", "before_reason", "before_result", "before_verdict", "before_body",
    "requests", "input_tokens", "output_tokens", "cost",
)  # fmt: skip


def _leave_out_forgotten(items: Sequence[BenchItem]) -> None:
    """Of a call whose words went while it was judged, nothing is written down but what came of it."""
    calls = Call.objects.filter(pk__in=[item.call_id for item in items if item.call_id]).order_by("pk")
    kept = {call.pk for call in calls.select_for_update(no_key=True) if call.forgotten_at is None}
    for item in items:
        if item.call_id and item.call_id not in kept:
            item.body = item.before_body = item.detail = ""
            item.verdict = item.before_verdict = None


def _all_asked(judge: Judge, jobs: Sequence[_Job]) -> list[Read | JudgeFailed]:
    if len(jobs) == 1:
        return [_asked(judge, jobs[0])]
    with ThreadPoolExecutor(len(jobs), thread_name_prefix="bench") as pool:
        return list(pool.map(lambda job: _asked(judge, job), jobs))


def _asked(judge: Judge, job: _Job) -> Read | JudgeFailed:
    if job.case is None:
        return Read()
    try:
        return trial.asked(judge, job.facts, job.case)
    except JudgeFailed as failure:
        return failure


def _facts(item: BenchItem) -> CallFacts:
    if item.call is not None:
        return facts_of(item.call)
    assert item.case is not None
    return facts_of_words([Turn(turn["role"], turn["text"]) for turn in item.case.turns], item.case.created_at)


def _is_stopped(snapshot: Snapshot, wording: Revision, facts: CallFacts) -> bool:
    """Whether nothing would be asked. Inputs that nobody has bound stand in the way of a text, not of trying."""
    stopped = gate(snapshot, wording, facts, contact_of(facts))
    return isinstance(stopped, Stopped) and stopped.reason != Reason.UNMAPPED_INPUT


def _outcome(came: Rehearsal) -> BenchItem.Outcome:
    decision = came.decision
    unbound = decision.reason == Reason.UNMAPPED_INPUT
    result = came.verdict.result if came.verdict else "met"
    if decision.reason == Reason.CONDITION_UNCLEAR or (unbound and result == "unclear"):
        return BenchItem.Outcome.UNCLEAR
    if decision.outcome == FollowUp.Outcome.MESSAGE or (unbound and result == "met"):
        return BenchItem.Outcome.WOULD_SEND
    return BenchItem.Outcome.WOULD_NOT


def _reason(decision: Decision) -> str:
    return decision.reason.value if decision.reason else ""


def _verdict_json(verdict: Verdict, judge: Judge) -> dict[str, Any]:
    return {
        "reason": verdict.reason,
        "evidence": verdict.evidence_json(),
        "judge": verdict.judge or judge.name,
        "confidence": verdict.confidence,
        "probability": verdict.probability,
        "likelier": verdict.likelier,
    }
