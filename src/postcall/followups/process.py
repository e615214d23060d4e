"""One ended call: every living attachment gets its follow-up, and every follow-up its outcome."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import transaction

from postcall.actions.bindings import Ask
from postcall.actions.models import Attachment, Revision
from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.followups import policy
from postcall.followups.compose import Composed, compose
from postcall.followups.deciding import (
    HELD,
    MESSAGE,
    SKIPPED,
    Decision,
    Matter,
    Objection,
    by_veto,
    decide,
    objection_in,
)
from postcall.followups.facts import CallFacts, facts_of
from postcall.followups.gate import Contact, Stopped, contact_of, gate
from postcall.followups.handing import Draft, Messaging, Sender, SendingFacts
from postcall.followups.models import FollowUp, OptOut, Reason
from postcall.followups.optouts import opt_out
from postcall.followups.policy import Go, Refused, Wait
from postcall.followups.snapshot import Snapshot, agent_as_it_is, as_written, snapshot_of
from postcall.judge import guards, quotes, verdicts
from postcall.judge.prices import cost
from postcall.judge.verdicts import Answer, Case, Condition, Judge, JudgeFailed, Judgement, Usage, Verdict
from postcall.pace import paced_delta
from postcall.work import clock
from postcall.work.leases import lock_held, settle
from postcall.work.rows import find
from postcall.workspaces.models import Workspace

log = logging.getLogger(__name__)

# After which waits a judge that failed is asked again; when they are used up, the follow-ups are held.
RETRY_AFTER: Final = tuple(paced_delta(seconds=seconds) for seconds in (10, 45, 180, 600))
MAX_FAILURES: Final = len(RETRY_AFTER) + 1
# Longer than this no vendor is waited for.
LONGEST_ASKED: Final = timedelta(hours=1)
# What a richer report of the same call may put right.
REOPENABLE: Final = frozenset({Reason.NO_TRANSCRIPT, Reason.NO_RECIPIENT, Reason.MISSING_INPUT})

_WRITTEN: Final = (
    "outcome", "reason", "detail", "result", "confidence", "verdict", "judge", "prompt", "judge_requests",
    "judge_input_tokens", "judge_output_tokens", "judge_cost_usd", "judge_s", "inputs", "recipient", "body",
    "decided_at", "updated_at",
)  # fmt: skip


@dataclass(frozen=True)
class _Spent:
    """What one judgement took. `judge` is the name of who was asked; `cost` in USD, None: no price is known."""

    judge: str
    usage: Usage
    cost: Decimal | None
    seconds: float


@dataclass
class _Item:
    """A follow-up that is not decided yet, beside what it was made from."""

    row: FollowUp
    snapshot: Snapshot
    revision: Revision
    is_new: bool
    draft: Draft | None = None

    @property
    def id(self) -> str:
        return str(self.row.pk)

    @property
    def asks(self) -> dict[str, Ask]:
        return {
            name: binding
            for name in self.revision.inputs
            if isinstance(binding := self.snapshot.inputs.get(name), Ask)
        }

    @property
    def goes_without_judge(self) -> bool:
        return self.revision.always and not self.asks


def process(call: Call, judge: Judge, messaging: Messaging) -> list[FollowUp]:
    """Decides all that is undecided about a call taken on lane `calls`; returns the follow-ups handed over.

    What needs no model is decided, and handed over, in the first transaction; the judge is asked outside any; the
    rest is decided in a second. A judge that listens is asked about every call of which something could be sent.
    Processing again leaves decided follow-ups alone, except those that a richer report of the call may put right.

    When the judge fails the call stays due, with growing waits. When it failed MAX_FAILURES times, or says that
    asking again is useless, what it left open is held as `judge_failed`; what it decided all the same, and what
    always goes out, goes: then our own guard alone has listened.

    Raises LostLease, and has then written nothing in that transaction, when another worker has the call by now.
    """
    with transaction.atomic():
        lock_held(call)
        if call.agent_id is None:
            settle(call, status=Call.Status.UNASSIGNED)
            return []
        desk = _Desk.open(call, messaging)
        desk.record_what_was_heard()
        pending = desk.decide_without_judge(judge)
        if not pending:
            return desk.close()
        desk.write()
        _mark_processing(call)
    begun = time.monotonic()
    try:
        judgement = _ask(desk, pending, judge)
    except JudgeFailed as failure:
        return _failed(desk, pending, failure, judge)
    spent = _spent(judge, judgement.usage, time.monotonic() - begun)
    with transaction.atomic():
        lock_held(call)
        desk.decide_judged(pending, judgement, spent)
        return desk.close()


def set_aside(call: Call, detail: str = "Deciding about this call broke off again and again.") -> None:
    """Ends a call that kills its worker: what is undecided about it is held as `set_aside`, in few plain steps that
    read nothing of what may be the cause: neither the call's content nor what was stored about it.

    Raises LostLease when another worker has the call by now.
    """
    with transaction.atomic():
        lock_held(call)
        now = clock.now()
        if call.agent_id is not None and call.processed_at is None:
            _make_unread(call, now)
        FollowUp.objects.filter(call=call, outcome=FollowUp.Outcome.PENDING).update(
            outcome=HELD, reason=Reason.SET_ASIDE, detail=detail, decided_at=now, updated_at=now
        )
        settle(call, status=Call.Status.DONE, processed_at=now)


def _make_unread(call: Call, now: datetime) -> None:
    """Makes the call's follow-ups where it has none yet, and without them ends it all the same."""
    try:
        with transaction.atomic():
            if FollowUp.objects.filter(call=call).exists():
                return
            agent = _agent_of(call)
            then = agent_as_it_is(agent)
            rows = [
                _new_row(call, agent, attachment, as_written(attachment, then), now)
                for attachment in _attachments(agent)
            ]
            FollowUp.objects.bulk_create(rows, ignore_conflicts=True)
    except Exception:
        log.exception("call %s is set aside without follow-ups: they cannot be made either", call.pk)


def _mark_processing(call: Call) -> None:
    # `received` says that the call's content is new; from here on it is not.
    if call.status != Call.Status.PROCESSING:
        Call.objects.filter(pk=call.pk).update(status=Call.Status.PROCESSING, judge_failures=0)
        call.status, call.judge_failures = Call.Status.PROCESSING, 0


def _failed(desk: _Desk, pending: Sequence[_Item], failure: JudgeFailed, judge: Judge) -> list[FollowUp]:
    call = desk.call
    failures = call.judge_failures + 1
    if failure.retry and failures < MAX_FAILURES:
        settle(
            call,
            due_at=clock.now() + _wait(failures, failure.after_s),
            status=Call.Status.PROCESSING,
            judge_failures=failures,
        )
        return desk.handed
    with transaction.atomic():
        lock_held(call)
        desk.hold_unjudged(pending, failure, judge.name)
        return desk.close(judge_failures=failures)


def _wait(failures: int, asked_s: float | None) -> timedelta:
    """How long a judge that failed is left alone: growing waits, and no less than its vendor asked for."""
    # A little noise, so that calls that failed together do not come back together.
    noise = random.uniform(0, 0.2)  # noqa: S311  # spreads load, guards nothing
    asked = min(timedelta(seconds=asked_s or 0), LONGEST_ASKED)
    return max(RETRY_AFTER[failures - 1] * (0.9 + noise), paced_delta(seconds=asked.total_seconds()) * (1 + noise))


# Loading.


def _agent_of(call: Call) -> Agent:
    agent = find(Agent, "id = %s", [call.agent_id])
    workspace = find(Workspace, "id = %s", [call.workspace_id])
    assert agent
    assert workspace
    agent.workspace = workspace
    return agent


def _items(call: Call, agent: Agent, now: datetime) -> list[_Item]:
    """The undecided follow-ups.

    The first processing makes all there will ever be; a later one finds what is pending, and on new content what
    may be reopened.
    """
    # A call taken for the first time has none yet: not worth a query.
    rows = [] if call.generation == 1 else _existing(call)
    if rows or call.processed_at is not None:
        return [_item(row) for row in rows if _is_open(row, call)]
    then = agent_as_it_is(agent)
    return [
        _new_item(call, agent, attachment, snapshot_of(attachment, then), now) for attachment in _attachments(agent)
    ]


def _attachments(agent: Agent) -> Iterable[Attachment]:
    if agent.deleted_at is not None:
        return []
    attachments = Attachment.objects.filter(agent=agent, deleted_at=None, action__deleted_at=None)
    return attachments.select_related("action__revision").order_by("id")


def _existing(call: Call) -> list[FollowUp]:
    return list(FollowUp.objects.filter(call=call).select_related("revision", "message").order_by("id"))


def _is_open(row: FollowUp, call: Call) -> bool:
    if row.outcome == FollowUp.Outcome.PENDING:
        return True
    is_news = call.status == Call.Status.RECEIVED
    return is_news and row.outcome == SKIPPED and row.reason in REOPENABLE and not hasattr(row, "message")


def _item(row: FollowUp) -> _Item:
    return _Item(row, Snapshot.model_validate(row.snapshot), row.revision, is_new=False)


def _new_item(call: Call, agent: Agent, attachment: Attachment, snapshot: Snapshot, now: datetime) -> _Item:
    row = _new_row(call, agent, attachment, snapshot.as_json(), now)
    return _Item(row, snapshot, row.revision, is_new=True)


def _new_row(call: Call, agent: Agent, attachment: Attachment, snapshot: dict[str, Any], now: datetime) -> FollowUp:
    revision = attachment.action.revision
    assert revision is not None
    return FollowUp(
        workspace_id=agent.workspace_id,
        call=call,
        action=attachment.action,
        revision=revision,
        attachment=attachment,
        snapshot=snapshot,
        created_at=now,
    )


# Deciding.


class _Desk:
    """One call being decided: what was read about it, and what is to be written."""

    def __init__(self, call: Call, agent: Agent, items: list[_Item], messaging: Messaging, now: datetime) -> None:
        self.call = call
        self.agent = agent
        self.items = items
        self.messaging = messaging
        self.now = now
        self.facts: CallFacts = facts_of(call)
        self.contact: Contact = contact_of(self.facts)
        self.heard = self._heard()
        self._sending: dict[str, SendingFacts] = {}
        self._senders: dict[str, Sender | None] = {}
        self._recipients: dict[str, str] = {}
        self._decided: list[_Item] = []
        self._reopened: list[FollowUp] = []
        self.handed: list[FollowUp] = []

    @classmethod
    def open(cls, call: Call, messaging: Messaging) -> _Desk:
        agent, now = _agent_of(call), clock.now()
        return cls(call, agent, _items(call, agent, now), messaging, now)

    def _heard(self) -> Objection | None:
        return objection_in(self.facts) if self.contact.customer else None

    def decide_without_judge(self, judge: Judge) -> list[_Item]:
        """Decides what the gate or the customer's own words stop and what always goes out; returns the rest."""
        pending: list[_Item] = []
        always: list[_Item] = []
        for item in self.items:
            passed = gate(item.snapshot, item.revision, self.facts, self.contact)
            if isinstance(passed, Stopped):
                self._settle(item, Decision(SKIPPED, passed.reason, passed.detail), None, Composed(), "")
                continue
            self._recipients[item.id] = passed
            if vetoed := by_veto(self._objection_to(passed, self.heard)):
                self._settle(item, vetoed, None, Composed(), passed)
                continue
            at_once = item.goes_without_judge and not (judge.listens and self._could_object(passed))
            (always if at_once else pending).append(item)
        self._reopened = [self._reopen(item) for item in pending if item.row.outcome != FollowUp.Outcome.PENDING]
        for item in always:
            self._decide(item, None, {}, self.heard)
        return pending

    def _could_object(self, recipient: str) -> bool:
        """Whether the customer may have said, in words that our guard does not know, that they want no text."""
        return recipient == self.contact.customer and guards.customer_spoke(self.facts.turns)

    def _reopen(self, item: _Item) -> FollowUp:
        # While it waits for the judge it is pending again, for a later try to find.
        item.row.outcome, item.row.reason, item.row.detail = FollowUp.Outcome.PENDING, "", ""
        item.row.updated_at = self.now
        return item.row

    def decide_judged(self, pending: Iterable[_Item], judgement: Judgement, spent: _Spent) -> None:
        self._read_anew()
        objection = self.heard
        if judgement.objection and not (objection and objection.explicit):
            objection = Objection(True, judgement.objection)
            self._record_once(objection)
        for item in pending:
            verdict = None if item.revision.always else judgement.verdicts[item.id]
            answers = {name: judgement.answers[key] for name, key in _ask_ids(item) if key in judgement.answers}
            self._decide(item, verdict, answers, objection)
            _note_verdict(item.row, verdict, spent.judge)
        self._note_spent(spent)

    def _note_spent(self, spent: _Spent) -> None:
        """The whole call's cost stands on one follow-up, so that sums are right: on one that a model decided, where
        there is one, and where nothing was judged on any, since listening has its cost too."""
        rows = [item.row for item in self._decided]
        by_model = [row for row in rows if row.prompt]
        judged = [row for row in rows if row.result]
        if bearers := by_model or judged or (rows if spent.usage.requests else []):
            _add_spent(bearers[0], spent)

    def hold_unjudged(self, pending: Iterable[_Item], failure: JudgeFailed, judge: str) -> None:
        self._read_anew()
        for item in pending:
            verdict = failure.decided.verdicts.get(item.id)
            if verdict is not None or item.goes_without_judge:
                self._decide(item, verdict, {}, self.heard)
                _note_verdict(item.row, verdict, judge)
                continue
            outcome = SKIPPED if item.snapshot.mode == "shadow" else HELD
            decision = Decision(outcome, Reason.JUDGE_FAILED, f"The judge could not answer: {failure}")
            self._settle(item, decision, None, self._composed(item, {}), self._recipients[item.id])

    def _read_anew(self) -> None:
        self.now = clock.now()
        self._sending.clear()
        self._senders.clear()
        self._decided.clear()
        self._reopened = []
        self.items = []

    def record_what_was_heard(self) -> None:
        """Keeps an explicit objection as an opt-out, whether or not this call could have sent anything."""
        # Once a report of the call: an operator who took it back keeps the last word when it is judged, or read,
        # again.
        if self.heard and self.heard.explicit and self.call.status == Call.Status.RECEIVED:
            record = self._opt_out if self.call.processed_at is None else self._record_once
            record(self.heard)

    def _record_once(self, objection: Objection) -> None:
        """What was heard, unless this call's objection was kept before: somebody may have taken it back."""
        if self.contact.customer and not OptOut.objects.filter(call=self.call, origin=OptOut.Origin.SAID).exists():
            self._opt_out(objection)

    def _opt_out(self, objection: Objection) -> None:
        assert objection.evidence
        number, quote = self.contact.customer, objection.evidence.quote
        opt_out(self.agent.workspace_id, number, OptOut.Origin.SAID.value, quote=quote, call=self.call)

    def _objection_to(self, recipient: str, objection: Objection | None) -> Objection | None:
        # What the customer asked for is about the customer's number, not about the driver on duty.
        return objection if recipient == self.contact.customer else None

    def _composed(self, item: _Item, answers: Mapping[str, Answer]) -> Composed:
        return compose(item.revision.message, item.snapshot.inputs, self.facts, item.snapshot.agent, answers)

    def _decide(
        self, item: _Item, verdict: Verdict | None, answers: Mapping[str, Answer], objection: Objection | None
    ) -> None:
        to = self._recipients[item.id]
        refused = verdict is not None and verdict.result == "not_met"
        composed = Composed() if refused else self._composed(item, answers)
        matter = Matter(
            snapshot=item.snapshot,
            revision=item.revision,
            recipient=to,
            verdict=verdict,
            composed=composed,
            objection=self._objection_to(to, objection),
            workspace=self.agent.workspace,
            now=self.now,
        )
        self._settle(item, decide(matter, self._policy(item, to), self._sender(item)), verdict, composed, to)

    def _policy(self, item: _Item, to: str) -> Callable[[], Go | Wait | Refused]:
        def check() -> Go | Wait | Refused:
            if to not in self._sending:
                self._sending[to] = self.messaging.facts_about(self.agent.workspace_id, to)
            return policy.check(
                self.agent.workspace,
                self._sending[to],
                to=to,
                urgency=item.revision.urgency,
                now=self.now,
                fallback_timezone=item.snapshot.agent.timezone,
            )

        return check

    def _sender(self, item: _Item) -> Callable[[], Sender | None]:
        def find() -> Sender | None:
            key = item.snapshot.agent.model_dump_json()
            if key not in self._senders:
                agent = item.snapshot.agent.onto(self.agent)
                self._senders[key] = self.messaging.sender_for(self.agent.workspace, agent, self.call)
            return self._senders[key]

        return find

    def _settle(
        self, item: _Item, decision: Decision, verdict: Verdict | None, composed: Composed, recipient: str
    ) -> None:
        row = item.row
        row.outcome = decision.outcome
        row.reason = decision.reason or ""
        row.detail = decision.detail
        row.result = verdict.result if verdict else ""
        row.confidence = verdict.confidence if verdict else None
        row.verdict, row.judge, row.prompt = None, "", ""
        row.inputs = composed.inputs_json()
        row.recipient = recipient
        row.body = composed.body
        row.decided_at = row.updated_at = self.now
        item.draft = decision.draft
        self._decided.append(item)
        if decision.outcome == MESSAGE:
            self._count(recipient)

    def _count(self, to: str) -> None:
        """What this transaction hands over counts too: two actions of one call may not pass a cap of one."""
        self._sending = {
            number: replace(
                facts,
                sent_to_number=facts.sent_to_number + (number == to),
                sent_by_workspace=facts.sent_by_workspace + 1,
            )
            for number, facts in self._sending.items()
        }

    # Writing.

    def write(self) -> None:
        """Stores every item, decided or pending, and hands over what is to be sent."""
        new = [item.row for item in self.items if item.is_new]
        if new:
            FollowUp.objects.bulk_create(new, ignore_conflicts=True)
        changed = self._reopened + [item.row for item in self._decided if not item.is_new]
        if changed:
            FollowUp.objects.bulk_update(changed, _WRITTEN)
        for item in self._decided:
            if item.draft:
                self.messaging.hand_over(item.row, item.draft)
                self.handed.append(item.row)
        for item in self.items:
            item.is_new = False

    def close(self, **fields: Any) -> list[FollowUp]:
        self.write()
        settle(self.call, status=Call.Status.DONE, processed_at=self.now, **fields)
        return self.handed


# Asking the judge.


def _ask(desk: _Desk, pending: Sequence[_Item], judge: Judge) -> Judgement:
    """One request for all conditions of the call and all values that its messages need."""
    conditions = [Condition(item.id, item.revision.condition) for item in pending if not item.revision.always]
    zone = pending[0].snapshot.agent.zone
    case = Case(
        turns=desk.facts.turns,
        conditions=conditions,
        asks=[ask for item in pending for ask in _asks(item)],
        started_at=desk.facts.when.astimezone(zone),
        variables={"action_results": desk.facts.variables.get("action_results", {})},
    )
    return quotes.checked(judge.decide(case), desk.facts.turns, conditions)


def _ask_ids(item: _Item) -> list[tuple[str, str]]:
    return [(name, f"{item.id}:{name}") for name in item.asks]


def _asks(item: _Item) -> list[verdicts.Ask]:
    return [
        verdicts.Ask(key, item.id, item.asks[name].description, item.asks[name].example, item.asks[name].format)
        for name, key in _ask_ids(item)
    ]


def _spent(judge: Judge, usage: Usage, seconds: float) -> _Spent:
    return _Spent(judge.name, usage, cost(judge.name, usage.input_tokens, usage.output_tokens), seconds)


def _note_verdict(row: FollowUp, verdict: Verdict | None, judge: str) -> None:
    """`judge` is who was asked; the verdict itself may name another who gave it."""
    if verdict is None:
        return
    row.verdict = {
        "reason": verdict.reason,
        "evidence": verdict.evidence_json(),
        "probability": verdict.probability,
        "likelier": verdict.likelier,
    }
    row.judge, row.prompt = (verdict.judge or judge)[:200], verdict.prompt[:40]
    if not row.judge_requests:
        row.judge_cost_usd = Decimal(0)


def _add_spent(row: FollowUp, spent: _Spent) -> None:
    """To what it took when it was judged before: that was paid all the same."""
    unknown = spent.cost is None or (row.judge_requests and row.judge_cost_usd is None)
    row.judge_cost_usd = None if unknown else (row.judge_cost_usd or Decimal(0)) + (spent.cost or Decimal(0))
    row.judge_requests += spent.usage.requests
    row.judge_input_tokens += spent.usage.input_tokens
    row.judge_output_tokens += spent.usage.output_tokens
    row.judge_s = (row.judge_s or 0.0) + spent.seconds
    row.judge = row.judge or spent.judge[:200]
