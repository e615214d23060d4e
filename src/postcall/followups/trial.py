"""Trying a condition and a message out on one call: nothing is stored, nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from postcall.actions.bindings import Ask, Binding
from postcall.actions.message import inputs_of
from postcall.actions.models import Revision
from postcall.followups.compose import Composed, compose
from postcall.followups.deciding import Decision, Matter, Objection, decide, objection_in
from postcall.followups.facts import CallFacts
from postcall.followups.gate import Stopped, contact_of, gate
from postcall.followups.handing import Sender
from postcall.followups.models import FollowUp
from postcall.followups.policy import Go, Refused, Wait
from postcall.followups.snapshot import AgentAsItWas, Snapshot
from postcall.judge import guards, quotes, verdicts
from postcall.judge.verdicts import Answer, Case, Condition, Evidence, Judge, JudgeFailed, Usage, Verdict
from postcall.workspaces.models import Workspace

Rules = Callable[[str], "Go | Wait | Refused"]


@dataclass(frozen=True)
class Trial:
    """`stopped` is what would have ended a real follow-up before any judging; it is judged here all the same where
    the call has words. `verdict` None: no condition was given, or there was nothing to read. `objection` is what
    the customer said against being texted, `usage` what asking the judge took."""

    stopped: Stopped | None
    verdict: Verdict | None
    objection: Evidence | None
    composed: Composed
    usage: Usage = field(default_factory=Usage)


def try_out(
    call: CallFacts,
    agent: AgentAsItWas,
    judge: Judge,
    *,
    condition: str = "",
    message: str = "",
    inputs: Mapping[str, Binding] | None = None,
) -> Trial:
    """What the judge says of `condition` in this call, and `message` as it would go out.

    Raises JudgeFailed.
    """
    wording = Revision(message=message, condition=condition, always=not condition)
    read = asked(judge, call, question(call, agent, [wording], inputs or {}))
    contact = contact_of(call)
    stopped = contact.stopped or (contact.recipient if isinstance(contact.recipient, Stopped) else None)
    objection = read.objection.evidence if read.objection else None
    composed = compose(message, inputs or {}, call, agent, read.answers)
    return Trial(stopped, read.verdicts.get(condition), objection, composed, read.usage)


@dataclass(frozen=True)
class Rehearsal:
    """What an attachment would have come to if it were live: `decision` is the outcome with its reason, its draft
    says when the text would have left. `verdict` and `composed` are told whatever stands in the way, `objection` is
    what the customer said against being texted."""

    decision: Decision
    verdict: Verdict | None
    objection: Evidence | None
    composed: Composed


@dataclass(frozen=True)
class Stage:
    """What a rehearsal needs beside the call: the sending rules for a recipient as they stand, and the sender.

    `number_known` False: the words were pasted, so there is nobody to text, nor are there variables; then neither
    the plain rules nor the sending rules are asked.
    """

    workspace: Workspace
    rules: Rules
    sender: Sender | None
    now: datetime
    number_known: bool = True


def rehearse(call: CallFacts, snapshot: Snapshot, revision: Revision, judge: Judge, stage: Stage) -> Rehearsal:
    """As a real call is decided: by the same gate, judge, message and rules. `revision` need not be stored.

    Raises JudgeFailed.
    """
    listen = _recipient(call, snapshot, revision, stage) == contact_of(call).customer
    read = asked(judge, call, question(call, snapshot.agent, [revision], snapshot.inputs), listen=listen)
    return rehearsed(call, snapshot, revision, read, stage)


def rehearsed(call: CallFacts, snapshot: Snapshot, revision: Revision, read: Read, stage: Stage) -> Rehearsal:
    """What comes of `revision`, which the judge was asked about, by what it answered."""
    live = snapshot.model_copy(update={"mode": "live"})
    verdict = read.verdicts.get(revision.condition)
    to = _recipient(call, live, revision, stage)
    composed = compose(revision.message, live.inputs, call, live.agent, read.answers)
    told = read.objection.evidence if read.objection else None
    if isinstance(to, Stopped):
        return Rehearsal(Decision(FollowUp.Outcome.SKIPPED, to.reason, to.detail), verdict, told, composed)
    # What the customer asked for is about the customer's number, not about the driver on duty.
    objection = read.objection if to == contact_of(call).customer else None
    matter = Matter(live, revision, to, verdict, composed, objection, stage.workspace, stage.now)
    decision = decide(matter, lambda: stage.rules(to) if stage.number_known else Go(), lambda: stage.sender)
    return Rehearsal(decision, verdict, told, composed)


def _recipient(call: CallFacts, snapshot: Snapshot, revision: Revision, stage: Stage) -> str | Stopped:
    contact = contact_of(call)
    if not stage.number_known:
        return contact.stopped or contact.customer
    return gate(snapshot.model_copy(update={"mode": "live"}), revision, call, contact)


@dataclass(frozen=True)
class Read:
    """What judge and guard say of a call: verdicts by the words of the condition, answers by input."""

    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    objection: Objection | None = None
    usage: Usage = field(default_factory=Usage)


def question(
    call: CallFacts, agent: AgentAsItWas, wordings: Sequence[Revision], bindings: Mapping[str, Binding]
) -> Case:
    """One request for several wordings of an action. Conditions are named by their own words, so that what two have
    in common is asked once; `always` has none, and asks for its values alone."""
    needed: dict[str, set[str]] = {}
    for revision in wordings:
        for name in inputs_of(revision.message):
            needed.setdefault(name, set()).add(revision.condition)
    return Case(
        turns=call.turns,
        conditions=[
            Condition(text, text) for text in dict.fromkeys(revision.condition for revision in wordings) if text
        ],
        asks=[
            # What several conditions wait for is needed whichever is met.
            verdicts.Ask(
                name, conditions.pop() if len(conditions) == 1 else "", ask.description, ask.example, ask.format
            )
            for name, conditions in needed.items()
            if isinstance(ask := bindings.get(name), Ask)
        ],
        started_at=call.when.astimezone(agent.zone),
        variables={"action_results": call.variables.get("action_results", {})},
    )


def asked(judge: Judge, call: CallFacts, case: Case, *, listen: bool = False) -> Read:
    """What judge and guard say of the call. Nothing is read from the database: this may run in any thread.

    `listen`: a judge that hears objections is asked although nothing else has to be decided; where it fails at
    that, what always goes out goes. Raises JudgeFailed.
    """
    objection = objection_in(call)
    only_listen = not (case.conditions or case.asks)
    listen = listen and judge.listens and guards.customer_spoke(call.turns)
    if not call.has_words or (only_listen and not listen):
        return Read(objection=objection)
    try:
        judgement = quotes.checked(judge.decide(case), call.turns, case.conditions)
    except JudgeFailed:
        if only_listen:
            return Read(objection=objection)
        raise
    if judgement.objection and not (objection and objection.explicit):
        objection = Objection(True, judgement.objection)
    return Read(judgement.verdicts, judgement.answers, objection, judgement.usage)
