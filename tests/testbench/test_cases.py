"""Calls whose answer is known, and what a condition is worth by them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from followups.clinic import Clinic, KnowingJudge

from postcall.actions.models import Attachment
from postcall.calls.models import Call
from postcall.followups import review
from postcall.followups.models import FollowUp
from postcall.followups.process import process
from postcall.judge.verdicts import Turn
from postcall.testbench import cases, working
from postcall.testbench.cases import Contradiction, give_feedback, note, run_of, score, standings, truth_of
from postcall.testbench.models import ActionCase, BenchRun
from postcall.testbench.runs import NotPossible, Words, begin_cases
from postcall.work.leases import take
from postcall.workspaces.audit import SYSTEM

OLD = "After booking"
NEW = "After booking a cleaning"


@pytest.fixture
def attachment(clinic: Clinic) -> Attachment:
    return clinic.attach("You are booked.", OLD)


@pytest.fixture
def judged(clinic: Clinic, attachment: Attachment) -> Callable[..., FollowUp]:
    """A call's follow-up, with the verdict that is asked for."""

    def follow_up(result: str = "met", **fields: Any) -> FollowUp:
        process(clinic.call(**fields), KnowingJudge(results={OLD: result}), clinic.messaging)
        return FollowUp.objects.latest("pk")

    return follow_up


def judge_cases(attachment: Attachment, condition: str, **results: str) -> BenchRun:
    begin_cases(attachment.action, Words(condition, ""), SYSTEM)
    (run,) = take(BenchRun, 1, timedelta(seconds=60))
    working.work(run, KnowingJudge(results={condition: results.get("result", "met")}))
    return BenchRun.objects.get(pk=run.pk)


@pytest.mark.parametrize(
    ("result", "right", "truth"),
    [
        ("met", True, "met"),
        ("met", False, "not_met"),
        ("not_met", True, "not_met"),
        ("not_met", False, "met"),
        ("unclear", True, None),
        ("unclear", False, None),
    ],
)
def test_it_knows_what_was_so(result: str, right: bool, truth: str | None) -> None:
    assert truth_of(result, right) == truth


def test_it_makes_a_case_of_feedback_and_takes_the_last_word(judged: Callable[..., FollowUp]) -> None:
    follow_up = judged()
    case = give_feedback(follow_up, SYSTEM, right=False)
    assert case is not None
    assert (case.expected, case.result, case.judge, case.call_id) == (
        "not_met",
        "met",
        follow_up.judged_by,
        follow_up.call_id,
    )
    ActionCase.objects.update(note="Ours")
    give_feedback(follow_up, SYSTEM, right=True)
    again = ActionCase.objects.get()
    assert (again.pk, again.expected, again.note) == (case.pk, "met", "Ours")
    follow_up.refresh_from_db()
    assert follow_up.feedback_right is True


def test_it_learns_from_an_unclear_verdict_only_what_was_so(judged: Callable[..., FollowUp]) -> None:
    follow_up = judged("unclear")
    assert give_feedback(follow_up, SYSTEM, right=False) is None
    assert not ActionCase.objects.exists()
    case = give_feedback(follow_up, SYSTEM, expected="met")
    assert case is not None
    follow_up.refresh_from_db()
    assert (case.expected, case.result, follow_up.feedback_right) == ("met", "unclear", False)


def test_it_refuses_two_answers_at_once(judged: Callable[..., FollowUp]) -> None:
    with pytest.raises(Contradiction, match="the verdict is met"):
        give_feedback(judged(), SYSTEM, right=True, expected="not_met")
    assert not ActionCase.objects.exists()
    assert FollowUp.objects.get().feedback_right is None


def test_it_has_no_feedback_where_nothing_was_judged(judged: Callable[..., FollowUp]) -> None:
    with pytest.raises(review.NotPossible):
        give_feedback(judged(ending="voicemail"), SYSTEM, expected="met")
    assert not ActionCase.objects.exists()


def test_it_takes_so_many_cases_and_no_more(
    clinic: Clinic, attachment: Attachment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "MOST", 1)
    call = clinic.receive()
    note(attachment.action, SYSTEM, "met", call=call)
    note(attachment.action, SYSTEM, "not_met", call=call)
    with pytest.raises(NotPossible, match="remove some"):
        note(attachment.action, SYSTEM, "met", turns=[Turn("agent", "You are booked.")])
    assert ActionCase.objects.get().expected == "not_met"


def test_it_makes_no_case_of_a_forgotten_call(clinic: Clinic, attachment: Attachment) -> None:
    call = clinic.receive()
    call.forgotten_at = timezone.now()
    with pytest.raises(NotPossible, match="forgotten"):
        note(attachment.action, SYSTEM, "met", call=call)


def test_it_leaves_out_what_can_no_longer_be_read(clinic: Clinic, attachment: Attachment) -> None:
    note(attachment.action, SYSTEM, "met", call=clinic.receive())
    Call.objects.update(forgotten_at=timezone.now())
    assert standings(attachment.action, OLD) == []
    with pytest.raises(NotPossible, match="no cases"):
        begin_cases(attachment.action, Words(OLD, ""), SYSTEM)


def test_it_knows_of_a_case_what_was_judged_when_it_was_made(
    attachment: Attachment, judged: Callable[..., FollowUp]
) -> None:
    follow_up = judged()
    note(attachment.action, SYSTEM, "not_met", call=follow_up.call)
    assert [each.mark for each in standings(attachment.action, f" {OLD} ")] == ["fail"]
    assert [each.mark for each in standings(attachment.action, NEW)] == ["unknown"]


def test_it_takes_the_latest_word_of_the_same_condition(clinic: Clinic, attachment: Attachment) -> None:
    note(attachment.action, SYSTEM, "met", call=clinic.receive())
    for result, mark in (("not_met", "fail"), ("unclear", "unclear"), ("met", "pass")):
        judge_cases(attachment, NEW, result=result)
        (standing,) = standings(attachment.action, NEW)
        assert (standing.mark, standing.result) == (mark, result)
    assert [each.mark for each in standings(attachment.action, OLD)] == ["unknown"]


def test_it_judges_pasted_words(attachment: Attachment) -> None:
    note(attachment.action, SYSTEM, "met", turns=[Turn("agent", "You are booked."), Turn("customer", "Thanks.")])
    run = judge_cases(attachment, NEW)
    assert (run.state, run.done) == ("done", 1)
    (standing,) = standings(attachment.action, NEW)
    assert standing.item is not None
    assert standing.item.verdict["evidence"] == [{"turn": 1, "quote": "You are booked."}]  # type: ignore[index]


def test_it_counts_what_a_condition_is_worth(attachment: Attachment) -> None:
    pairs = [("met", "met"), ("met", "not_met"), ("not_met", "met"), ("unclear", "met"), ("", "met")]
    standing = [cases.Standing(ActionCase(expected=expected), result, None) for result, expected in pairs]
    worth = score(standing)
    assert (worth.cases, worth.passed, worth.failed, worth.unclear, worth.unknown) == (5, 1, 2, 1, 1)
    assert (worth.precision, worth.recall) == (1 / 2, 1 / 3)
    nothing = score([])
    assert (nothing.precision, nothing.recall) == (None, None)


def test_it_scores_a_run_by_what_was_expected_when_it_began(clinic: Clinic, attachment: Attachment) -> None:
    note(attachment.action, SYSTEM, "met", call=clinic.receive())
    run = judge_cases(attachment, NEW)
    ActionCase.objects.update(expected="not_met")
    assert (cases.score_of(run).passed, score(standings(attachment.action, NEW)).failed) == (1, 1)


def test_it_uses_a_run_again_while_the_cases_are_the_same(clinic: Clinic, attachment: Attachment) -> None:
    call = clinic.receive()
    note(attachment.action, SYSTEM, "met", call=call)
    words = Words(NEW, "")
    assert run_of(attachment.action, words) is None
    run = judge_cases(attachment, NEW)
    assert run_of(attachment.action, words) == run
    assert run_of(attachment.action, Words(OLD, "")) is None
    note(attachment.action, SYSTEM, "not_met", call=call)
    assert run_of(attachment.action, words) is None
    note(attachment.action, SYSTEM, "met", call=call)
    note(attachment.action, SYSTEM, "met", call=clinic.receive("c-2"))
    assert run_of(attachment.action, words) is None


def test_it_reads_many_cases_in_two_queries(
    clinic: Clinic, attachment: Attachment, django_assert_num_queries: Callable[[int], Any]
) -> None:
    for n in range(4):
        note(attachment.action, SYSTEM, "met", call=clinic.receive(f"c-{n}"))
    judge_cases(attachment, NEW)
    with django_assert_num_queries(2):
        standing = standings(attachment.action, NEW)
        assert [each.case.call.agent.name for each in standing] == ["Front desk"] * 4  # type: ignore[union-attr]
