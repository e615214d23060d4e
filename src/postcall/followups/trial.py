"""Trying a condition and a message out on one call: nothing is stored, nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

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
from postcall.judge.verdicts import Answer, Case, Condition, Evidence, Judge, JudgeFailed, Verdict
from postcall.workspaces.models import Workspace

_CONDITION: Final = "condition"

Rules = Callable[[str], "Go | Wait | Refused"]


@dataclass(frozen=True)
class Trial:
    """`stopped` is what would have ended a real follow-up before any judging; it is judged here all the same where
    the call has words. `verdict` None: no condition was given, or there was nothing to read. `objection` is what
    the customer said against being texted."""

    stopped: Stopped | None
    verdict: Verdict | None
    objection: Evidence | None
    composed: Composed


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
    read = _read(call, agent, judge, condition, message, inputs or {})
    contact = contact_of(call)
    stopped = contact.stopped or (contact.recipient if isinstance(contact.recipient, Stopped) else None)
    objection = read.objection.evidence if read.objection else None
    return Trial(stopped, read.verdict, objection, compose(message, inputs or {}, call, agent, read.answers))


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
    live = snapshot.model_copy(update={"mode": "live"})
    contact = contact_of(call)
    to = gate(live, revision, call, contact) if stage.number_known else contact.stopped or contact.customer
    read = _read(
        call,
        live.agent,
        judge,
        revision.condition,
        revision.message,
        live.inputs,
        listen=to == contact.customer and guards.customer_spoke(call.turns),
    )
    composed = compose(revision.message, live.inputs, call, live.agent, read.answers)
    told = read.objection.evidence if read.objection else None
    if isinstance(to, Stopped):
        return Rehearsal(Decision(FollowUp.Outcome.SKIPPED, to.reason, to.detail), read.verdict, told, composed)
    # What the customer asked for is about the customer's number, not about the driver on duty.
    objection = read.objection if to == contact.customer else None
    matter = Matter(live, revision, to, read.verdict, composed, objection, stage.workspace, stage.now)
    decision = decide(matter, lambda: stage.rules(to) if stage.number_known else Go(), lambda: stage.sender)
    return Rehearsal(decision, read.verdict, told, composed)


@dataclass(frozen=True)
class _Read:
    verdict: Verdict | None
    answers: Mapping[str, Answer]
    objection: Objection | None


def _read(
    call: CallFacts,
    agent: AgentAsItWas,
    judge: Judge,
    condition: str,
    message: str,
    bindings: Mapping[str, Binding],
    *,
    listen: bool = False,
) -> _Read:
    """What judge and guard say of the call. `listen`: a judge that hears objections is asked although nothing else
    has to be decided; where it fails at that, what always goes out goes."""
    objection = objection_in(call)
    asks = {name: binding for name in inputs_of(message) if isinstance(binding := bindings.get(name), Ask)}
    only_listen = not (condition or asks)
    if not call.has_words or (only_listen and not (listen and judge.listens)):
        return _Read(None, {}, objection)
    conditions = [Condition(_CONDITION, condition)] if condition else []
    case = Case(
        turns=call.turns,
        conditions=conditions,
        asks=[
            verdicts.Ask(name, _CONDITION, ask.description, ask.example, ask.format) for name, ask in asks.items()
        ],
        started_at=call.when.astimezone(agent.zone),
        variables={"action_results": call.variables.get("action_results", {})},
    )
    try:
        judgement = quotes.checked(judge.decide(case), call.turns, conditions)
    except JudgeFailed:
        if only_listen:
            return _Read(None, {}, objection)
        raise
    if judgement.objection and not (objection and objection.explicit):
        objection = Objection(True, judgement.objection)
    return _Read(judgement.verdicts.get(_CONDITION), judgement.answers, objection)
