"""What becomes of one follow-up once everything about it is known: a pure function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from postcall.actions.message import MAX_LENGTH
from postcall.actions.models import Revision
from postcall.followups.compose import Composed, in_words, length_of
from postcall.followups.facts import CallFacts
from postcall.followups.handing import Draft, Sender
from postcall.followups.models import FollowUp, Reason
from postcall.followups.policy import FINAL, Go, Refused, Wait
from postcall.followups.snapshot import Snapshot
from postcall.judge import guards
from postcall.judge.verdicts import Evidence, Verdict
from postcall.workspaces.models import Workspace

Policy = Callable[[], "Go | Wait | Refused"]

MESSAGE, SKIPPED, HELD = FollowUp.Outcome.MESSAGE, FollowUp.Outcome.SKIPPED, FollowUp.Outcome.HELD


@dataclass(frozen=True)
class Objection:
    """What the customer said against being texted. `evidence` None: the platform says that they may have."""

    explicit: bool
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Decision:
    """`draft` is there when the outcome is `message`, and when it is held for something that passes or is mended
    without another decision: then the claim lets the text go."""

    outcome: FollowUp.Outcome
    reason: Reason | None = None
    detail: str = ""
    draft: Draft | None = None


@dataclass(frozen=True)
class Matter:
    """Everything that one decision rests on. `verdict` None: `always`, nothing was judged."""

    snapshot: Snapshot
    revision: Revision
    recipient: str
    verdict: Verdict | None
    composed: Composed
    objection: Objection | None
    workspace: Workspace
    now: datetime


def decide(matter: Matter, policy: Policy, sender: Callable[[], Sender | None]) -> Decision:
    """Veto, condition, suspected objection, message, sending rules, mode: the first that stands in the way names
    the reason.

    `policy` and `sender` are asked only where it matters. In shadow nothing is ever held or sent: it shows what
    live would have come to.
    """
    decision = _decide(matter, policy, sender)
    if matter.snapshot.mode == "shadow" and decision.outcome == HELD:
        return Decision(SKIPPED, decision.reason, decision.detail)
    return decision


def _decide(matter: Matter, policy: Policy, sender: Callable[[], Sender | None]) -> Decision:
    stopped = by_veto(matter.objection) or _by_condition(matter) or _by_suspicion(matter) or _by_message(matter)
    if stopped:
        return stopped
    verdict = policy()
    if isinstance(verdict, Refused):
        reason = Reason(verdict.reason)
        if matter.snapshot.mode == "live" or reason in FINAL:
            if reason != Reason.BUDGET_EXCEEDED:
                return Decision(SKIPPED, reason, verdict.detail)
            return _kept_ready(matter, reason, verdict.detail, sender())
    if matter.snapshot.mode == "shadow":
        return Decision(SKIPPED, Reason.SHADOW, "In shadow mode this text is written and not sent.")
    if matter.snapshot.mode == "approve":
        return Decision(HELD, Reason.AWAITING_APPROVAL, "Somebody has to approve this text before it leaves.")
    assert not isinstance(verdict, Refused)
    return sendable(matter, verdict, matter.composed.body, sender())


def sendable(
    matter: Matter, allowed: Go | Wait, body: str, sender: Sender | None, *, since: datetime | None = None
) -> Decision:
    """The text, or why it does not leave although the rules allow it; also what an approval comes to.

    `since` is from when the action's time to send is counted; default: now.
    """
    not_before = allowed.until if isinstance(allowed, Wait) else matter.now
    last = (since or matter.now) + timedelta(seconds=matter.revision.send_within_s)
    if not_before > last:
        return Decision(SKIPPED, Reason.EXPIRED, _too_late(not_before, matter.revision.send_within_s))
    if sender is None:
        detail = "No Twilio account is set up for this workspace."
        return _kept_ready(matter, Reason.MESSAGING_NOT_CONFIGURED, detail, None)
    valid_until = min(not_before + timedelta(seconds=matter.workspace.valid_for_s), last)
    return Decision(MESSAGE, draft=Draft(matter.recipient, sender, body, not_before, valid_until))


def _kept_ready(matter: Matter, reason: Reason, detail: str, sender: Sender | None) -> Decision:
    """Held with its text made. It may not be sent yet, so only the action bounds its waiting: how long a text is
    valid counts from when it may."""
    last = matter.now + timedelta(seconds=matter.revision.send_within_s)
    return Decision(HELD, reason, detail, Draft(matter.recipient, sender, matter.composed.body, matter.now, last))


def _too_late(opening: datetime, within_s: int) -> str:
    return (
        f"The send window opens at {opening:%Y-%m-%d %H:%M} UTC, later than the {within_s} seconds "
        "within which this action's texts have to leave."
    )


def _by_condition(matter: Matter) -> Decision | None:
    verdict = matter.verdict
    if verdict is None or verdict.result == "met":
        return None
    if verdict.result == "not_met":
        return Decision(SKIPPED, Reason.CONDITION_NOT_MET, verdict.reason)
    outcome = SKIPPED if matter.snapshot.on_unclear == "skip" else HELD
    return Decision(outcome, Reason.CONDITION_UNCLEAR, _with_gaps(verdict.reason, matter.composed))


def _with_gaps(reason: str, composed: Composed) -> str:
    return f"{reason} {in_words(composed.missing)}".strip() if composed.missing else reason


def by_veto(objection: Objection | None) -> Decision | None:
    """What an explicit objection comes to, whatever else is said of the call."""
    if objection is None or not objection.explicit or objection.evidence is None:
        return None
    return Decision(SKIPPED, Reason.ASKED_NOT_TO_BE_TEXTED, f"The customer said {_said(objection.evidence)}")


def _by_suspicion(matter: Matter) -> Decision | None:
    if matter.objection is None:
        return None
    evidence = matter.objection.evidence
    says = f"they said {_said(evidence)}" if evidence else "the voice platform says so, and quotes nothing."
    detail = f"The customer may not want a text; {says}"
    return Decision(HELD, Reason.ASKED_NOT_TO_BE_TEXTED, detail)


def _said(evidence: Evidence) -> str:
    return f"“{evidence.quote}” (turn {evidence.turn})."


def objection_in(call: CallFacts) -> Objection | None:
    """What our own guard hears in the call, or else the platform's word: no reason to send, but one to ask."""
    if found := guards.asked_not_to_be_texted(call.turns):
        return Objection(found[0] == "explicit", found[1])
    return Objection(explicit=False) if call.objected else None


def _by_message(matter: Matter) -> Decision | None:
    composed = matter.composed
    if composed.missing:
        return Decision(SKIPPED, Reason.MISSING_INPUT, in_words(composed.missing))
    if composed.unsafe:
        return Decision(HELD, Reason.UNSAFE_VALUE, in_words(composed.unsafe))
    if composed.too_long:
        detail = f"The text is {length_of(composed.body)} characters long; {MAX_LENGTH} is the limit."
        return Decision(HELD, Reason.MESSAGE_TOO_LONG, detail)
    return None
