"""Trying a condition and a message out on one call: nothing is stored, nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from postcall.actions.bindings import Ask, Binding
from postcall.actions.message import inputs_of
from postcall.followups.compose import Composed, compose
from postcall.followups.facts import CallFacts
from postcall.followups.gate import Stopped, contact_of
from postcall.followups.snapshot import AgentAsItWas
from postcall.judge import guards, quotes, verdicts
from postcall.judge.verdicts import Case, Condition, Evidence, Judge, Verdict

_CONDITION = "condition"


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
    bindings = inputs or {}
    asks = {name: binding for name in inputs_of(message) if isinstance(binding := bindings.get(name), Ask)}
    verdict, answers = None, {}
    heard = guards.asked_not_to_be_texted(call.turns)
    objection = heard[1] if heard else None
    if call.has_words and (condition or asks):
        conditions = [Condition(_CONDITION, condition)] if condition else []
        case = Case(
            turns=call.turns,
            conditions=conditions,
            asks=[
                verdicts.Ask(name, _CONDITION, ask.description, ask.example, ask.format)
                for name, ask in asks.items()
            ],
            started_at=call.when.astimezone(agent.zone),
            variables={"action_results": call.variables.get("action_results", {})},
        )
        judgement = quotes.checked(judge.decide(case), call.turns, conditions)
        verdict, answers = judgement.verdicts.get(_CONDITION), judgement.answers
        objection = objection or judgement.objection
    contact = contact_of(call)
    stopped = contact.stopped or (contact.recipient if isinstance(contact.recipient, Stopped) else None)
    return Trial(stopped, verdict, objection, compose(message, bindings, call, agent, answers))
