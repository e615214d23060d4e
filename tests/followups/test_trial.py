"""A rehearsal: what would become of a call, decided as real ones are, and nothing kept of it."""

from __future__ import annotations

from django.utils import timezone

from postcall.actions.models import Attachment
from postcall.followups.facts import facts_of
from postcall.followups.policy import Go
from postcall.followups.snapshot import agent_as_it_is, snapshot_of
from postcall.followups.trial import Rehearsal, Stage, rehearse
from postcall.judge.verdicts import Evidence, JudgeFailed

from .clinic import Clinic, KnowingJudge

HEARD = Evidence(2, "Bitte keine SMS")
GERMAN = [{"role": "agent", "text": "Ihr Termin steht."}, {"role": "customer", "text": "Bitte keine SMS, danke."}]


def rehearsed(clinic: Clinic, attachment: Attachment, judge: KnowingJudge) -> Rehearsal:
    facts = facts_of(clinic.call(external_id=str(attachment.pk), transcript=GERMAN))
    snapshot = snapshot_of(attachment, agent_as_it_is(clinic.agent))
    stage = Stage(clinic.workspace, lambda _: Go(), None, timezone.now())
    assert attachment.action.revision is not None
    return rehearse(facts, snapshot, attachment.action.revision, judge, stage)


def test_it_has_a_listening_judge_hear_what_always_goes_out(clinic: Clinic) -> None:
    judge = KnowingJudge(listens=True, objection=HEARD)
    rehearsal = rehearsed(clinic, clinic.attach("Thank you."), judge)
    assert (rehearsal.decision.reason, rehearsal.objection) == ("asked_not_to_be_texted", HEARD)
    assert judge.cases[0].conditions == []


def test_it_lets_what_always_goes_out_go_when_that_judge_fails(clinic: Clinic) -> None:
    judge = KnowingJudge(listens=True, failures=[JudgeFailed("no key", retry=False)])
    rehearsal = rehearsed(clinic, clinic.attach("Thank you."), judge)
    assert (rehearsal.decision.reason, rehearsal.composed.body) == ("messaging_not_configured", "Thank you.")


def test_it_asks_nobody_where_nothing_is_to_be_judged_or_heard(clinic: Clinic) -> None:
    deaf = KnowingJudge()
    rehearsed(clinic, clinic.attach("Thank you."), deaf)
    judge = KnowingJudge(listens=True)
    to_a_colleague = clinic.attach("For you.", recipient_override="+14155550180")
    rehearsed(clinic, to_a_colleague, judge)
    assert deaf.cases == judge.cases == []
