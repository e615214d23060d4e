"""What a trial of an action's words says, for its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils import timezone

from postcall.actions.message import PLACEHOLDER, inputs_of
from postcall.actions.models import Action, Attachment, Revision
from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.dashboard.access import Visit
from postcall.dashboard.cards import InputShown, Run, origin_of
from postcall.dashboard.forms import Form
from postcall.dashboard.paging import uuid_or_none
from postcall.followups import policy
from postcall.followups.compose import length_of
from postcall.followups.facts import facts_of, facts_of_words
from postcall.followups.handing import Sender
from postcall.followups.models import FollowUp, Reason
from postcall.followups.pasted import NotATranscript, read_pasted
from postcall.followups.reasons import in_words
from postcall.followups.snapshot import AgentAsItWas, Snapshot, agent_as_it_is, snapshot_of
from postcall.followups.trial import Rehearsal, Stage, rehearse
from postcall.judge.choose import judge_from_config
from postcall.judge.verdicts import JudgeFailed, Turn
from postcall.messages.handing import TwilioMessaging
from postcall.messages.segments import Segments, count
from postcall.work import clock

_MAX_MESSAGE: Final = 6_000
_MAX_CONDITION: Final = 2_000


@dataclass(frozen=True)
class Way:
    """What would have become of the text, in words."""

    tone: str
    icon: str
    words: str
    detail: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Tried:
    """A rehearsal as it is shown. `call` None: on pasted words, `turns`. `mode` is the attachment's, empty where
    the agent does not use the action."""

    rehearsal: Rehearsal
    message: str
    call: Call | None
    turns: tuple[Turn, ...]
    agent: Agent | None
    bindings: Mapping[str, Any]
    mode: str
    now: datetime

    @property
    def way(self) -> Way:
        decision = self.rehearsal.decision
        if decision.outcome == FollowUp.Outcome.MESSAGE and decision.draft:
            later = decision.draft.not_before > self.now
            words = "A text would wait for the sending hours" if later else "A text would go out"
            return Way("good", "send", words, at=decision.draft.not_before if later else None)
        if decision.reason == Reason.UNMAPPED_INPUT:
            return Way("wait", "warn", "Nothing would go out: inputs are not bound", self._unbound)
        held = decision.outcome == FollowUp.Outcome.HELD
        words = f"It would be {'held' if held else 'skipped'}: {_small(in_words(decision.reason or ''))}"
        # The verdict stands above, with its reason.
        said = self.rehearsal.verdict.reason if self.rehearsal.verdict else ""
        detail = decision.detail.removeprefix(said).strip()
        return Way("wait" if held else "idle", "held" if held else "idle", words, detail)

    @property
    def _unbound(self) -> str:
        lacking = [f"<{name}>" for name in inputs_of(self.message) if name not in self.bindings]
        come = "comes" if len(lacking) == 1 else "come"
        who = self.agent.name if self.agent else "No agent"
        return f"{who} {'does not say yet' if self.agent else 'says'} where {', '.join(lacking)} {come} from."

    @property
    def inputs(self) -> list[InputShown]:
        filled = self.rehearsal.composed.inputs
        return [
            InputShown(
                name, filled[name].value, origin_of(filled[name].source, self.bindings.get(name)), filled[name].turn
            )
            for name in inputs_of(self.message)
            if name in filled
        ]

    @property
    def missing(self) -> Mapping[str, str]:
        return self.rehearsal.composed.missing

    @property
    def bubble(self) -> list[Run]:
        """The text as far as it could be filled; what is missing stands as its placeholder."""
        composed = self.rehearsal.composed
        return _runs(self.message, {name: each.value for name, each in composed.inputs.items()}, composed.body)

    @property
    def segments(self) -> Segments | None:
        body = self.rehearsal.composed.body
        return count(body) if body else None

    @property
    def characters(self) -> int:
        return length_of(self.rehearsal.composed.body)

    @property
    def evidence(self) -> list[dict[str, Any]]:
        verdict = self.rehearsal.verdict
        return verdict.evidence_json() if verdict else []


@dataclass(frozen=True)
class JudgeSilent:
    """The judge could not answer; `why` is for the operator."""

    why: str
    later: bool


def tried(visit: Visit, action: Action | None, form: Form) -> Tried | JudgeSilent | None:
    """The form's words on the call that it names or holds; None where it names none, with the problems noted."""
    pasted = form["against"] == "text"
    call, turns = (None, _turns(form)) if pasted else (_call(visit, form), ())
    if not form["message"] and not form["condition"]:
        form.refuse("message", "Write the condition or the text first")
    if len(form["message"]) > _MAX_MESSAGE or len(form["condition"]) > _MAX_CONDITION:
        form.refuse("message", "This is longer than an action may be")
    if not form.is_well:
        return None
    now = clock.now()
    agent, attachment = _whose(visit, action, form["agent"], call)
    snapshot = _snapshot(agent, attachment)
    stage = Stage(visit.workspace, _rules(visit, form, agent, now), _sender(visit, agent, call), now, not pasted)
    revision = _revision(form)
    facts = facts_of(call) if call else facts_of_words(turns, timezone.localtime(now))
    try:
        rehearsal = rehearse(facts, snapshot, revision, judge_from_config(), stage)
    except JudgeFailed as failure:
        return JudgeSilent(str(failure), failure.retry)
    mode = attachment.mode if attachment else ""
    bindings = attachment.inputs if attachment else {}
    return Tried(rehearsal, revision.message, call, turns, agent, bindings, mode, now)


def _turns(form: Form) -> tuple[Turn, ...]:
    try:
        return read_pasted(form["transcript"])
    except NotATranscript as problem:
        form.refuse("transcript", str(problem))
        return ()


def _call(visit: Visit, form: Form) -> Call | None:
    known = uuid_or_none(form["call"])
    call = visit.rows(Call).select_related("agent").filter(pk=known).first() if known else None
    if call is None:
        form.refuse("call", "Choose a call, or paste a transcript")
    return call


def _whose(
    visit: Visit, action: Action | None, chosen: str, call: Call | None
) -> tuple[Agent | None, Attachment | None]:
    """The agent with whose inputs it is tried: the chosen one, else the call's, else one that uses the action."""
    using = (
        visit.rows(Attachment).filter(action=action, deleted_at=None, agent__deleted_at=None) if action else None
    )
    agent = call.agent if call else None
    if known := uuid_or_none(chosen):
        agent = visit.rows(Agent).filter(pk=known, deleted_at=None).first() or agent
    if using is None:
        return agent, None
    if agent is None and (first := using.select_related("agent").order_by("pk").first()):
        return first.agent, first
    return agent, using.filter(agent=agent).first()


def _snapshot(agent: Agent | None, attachment: Attachment | None) -> Snapshot:
    then = agent_as_it_is(agent) if agent else AgentAsItWas(name="")
    return snapshot_of(attachment, then) if attachment else Snapshot(mode="live", agent=then)


def _revision(form: Form) -> Revision:
    """The words as they are typed, never to be stored."""
    within = form["send_within_s"]
    return Revision(
        message=form["message"],
        condition="" if form.ticked("always") else form["condition"],
        always=form.ticked("always") or not form["condition"],
        urgency="window" if form["urgency"] == "window" else "now",
        send_within_s=int(within) if within.isascii() and within.isdecimal() and len(within) < 9 else 86_400,
        inputs=inputs_of(form["message"]),
    )


def _rules(visit: Visit, form: Form, agent: Agent | None, now: datetime) -> Any:
    def rules(to: str) -> policy.Go | policy.Wait | policy.Refused:
        return policy.check(
            visit.workspace,
            TwilioMessaging().facts_about(visit.workspace.pk, to),
            to=to,
            urgency=form["urgency"],
            now=now,
            fallback_timezone=agent.timezone if agent else "UTC",
        )

    return rules


def _sender(visit: Visit, agent: Agent | None, call: Call | None) -> Sender | None:
    return TwilioMessaging().sender_for(visit.workspace, agent or Agent(), call or Call())


def _runs(template: str, values: Mapping[str, str], body: str) -> list[Run]:
    runs: list[Run] = []
    last = 0
    for found in PLACEHOLDER.finditer(template):
        runs += [Run(template[last : found.start()]), Run(values.get(found[1], found[0]), filled=True)]
        last = found.end()
    runs.append(Run(template[last:]))
    if body and "".join(run.text for run in runs) != body:
        return [Run(body)]
    return [run for run in runs if run.text]


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
