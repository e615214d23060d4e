"""Words of an action tried on many calls at once: nothing is sent, nothing is made."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from followups.clinic import Clinic, KnowingJudge

from postcall.actions.models import Attachment
from postcall.calls.models import Call
from postcall.followups.models import FollowUp
from postcall.judge.verdicts import JudgeFailed
from postcall.messages.models import Message
from postcall.testbench import working
from postcall.testbench.models import BenchItem, BenchRun
from postcall.testbench.runs import NotPossible, Words, begin_backtest, cancel, remove, resume
from postcall.testbench.selecting import Selection
from postcall.testbench.summary import summary
from postcall.work.leases import take
from postcall.workspaces.audit import SYSTEM

OLD = "After booking"
NEW = "After booking a cleaning"


def begun(attachment: Attachment, words: Words, **selection: object) -> BenchRun:
    return begin_backtest(attachment.action, words, Selection(**selection), SYSTEM)  # type: ignore[arg-type]


def worked(run: BenchRun, judge: KnowingJudge) -> BenchRun:
    (taken,) = take(BenchRun, 1, timedelta(seconds=60))
    assert taken.pk == run.pk
    working.work(taken, judge)
    return BenchRun.objects.get(pk=run.pk)


def items(run: BenchRun) -> list[BenchItem]:
    return list(run.items.order_by("position"))


def test_it_says_what_each_call_would_have_come_to(clinic: Clinic) -> None:
    attachment = clinic.attach("You are booked.", OLD)
    voicemail = clinic.receive("c-1", ending="voicemail")
    clinic.receive("c-2")
    run = worked(begun(attachment, Words(OLD, "You are booked.")), judge := KnowingJudge())
    new, old = items(run)
    assert (run.state, run.total, run.done) == ("done", 2, 2)
    assert (new.outcome, new.result, new.body, new.segments) == ("would_send", "met", "You are booked.", 1)
    assert (old.call_id, old.outcome, old.reason, old.requests) == (voicemail.pk, "would_not", "voicemail", 0)
    assert new.verdict["evidence"] == [{"turn": 1, "quote": "Northgate Clinic, how can I help?"}]  # type: ignore[index]
    assert len(judge.cases) == 1
    assert not Message.objects.exists()
    assert not FollowUp.objects.exists()


def test_it_asks_for_both_wordings_in_one_request_and_tells_the_difference(clinic: Clinic) -> None:
    attachment = clinic.attach("You are booked.", OLD)
    for n in range(3):
        clinic.receive(f"c-{n}")
    judge = KnowingJudge(results={NEW: "not_met"})
    run = worked(begun(attachment, Words(NEW, "You are booked.")), judge)
    assert [len(case.conditions) for case in judge.cases] == [2, 2, 2]
    assert {(each.outcome, each.before_outcome) for each in items(run)} == {("would_not", "would_send")}
    found = summary(run)
    assert (found.would_not, found.changed, found.newly, found.no_longer, found.requests) == (3, 3, 0, 3, 3)


def test_it_asks_once_about_a_condition_that_both_wordings_have(clinic: Clinic) -> None:
    attachment = clinic.attach("You are booked.", OLD)
    clinic.receive()
    judge = KnowingJudge(results={OLD: "not_met"})
    (item,) = items(worked(begun(attachment, Words(OLD, "See you.")), judge))
    assert [len(case.conditions) for case in judge.cases] == [1]
    assert (item.result, item.before_result, item.before_outcome) == ("not_met", "not_met", "would_not")


def test_it_reads_a_value_that_both_wordings_need_whichever_is_met(clinic: Clinic) -> None:
    day = {"day": {"from": "ask", "description": "the day agreed"}}
    attachment = clinic.attach("See you <day>.", OLD, inputs=day)
    clinic.receive()
    worked(
        begun(attachment, Words(NEW, "Until <day>.")), both := KnowingJudge(answers={"the day agreed": "Friday"})
    )
    worked(begun(attachment, Words(NEW, "Until then.")), one := KnowingJudge())
    assert [ask.condition_id for case in both.cases for ask in case.asks] == [""]
    assert [ask.condition_id for case in one.cases for ask in case.asks] == [OLD]


def test_it_calls_what_the_judge_left_open_unclear(clinic: Clinic) -> None:
    attachment = clinic.attach("You are booked.", OLD, on_unclear="skip")
    clinic.receive()
    (item,) = items(worked(begun(attachment, Words(OLD, "Hi.")), KnowingJudge(results={OLD: "unclear"})))
    assert (item.outcome, item.result) == ("unclear", "unclear")


def test_it_tries_words_whose_inputs_nobody_has_bound_yet(clinic: Clinic) -> None:
    attachment = clinic.attach("You are booked.", OLD)
    clinic.receive()
    (item,) = items(worked(begun(attachment, Words(OLD, "Hi <name>.")), KnowingJudge()))
    assert (item.outcome, item.reason, item.body) == ("would_send", "unmapped_input", "")


def test_it_takes_the_newest_calls_of_the_agents_that_use_the_action(clinic: Clinic) -> None:
    attachment = clinic.attach("You are booked.", OLD)
    calls = [clinic.receive(f"c-{n}") for n in range(3)]
    clinic.receive("c-3", agent="somebody-else")
    run = begun(attachment, Words(OLD, "Hi."), latest=2)
    assert [each.call_id for each in items(run)] == [calls[2].pk, calls[1].pk]
    tomorrow = timezone.now() + timedelta(days=1)
    with pytest.raises(NotPossible, match="no call"):
        begun(attachment, Words(OLD, "Hi."), since=tomorrow)


def test_it_stops_when_it_is_canceled_and_goes_on_where_it_was(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "SIDE_BY_SIDE", 1)
    monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "openai:of-the-tests")
    attachment = clinic.attach("You are booked.", OLD)
    for n in range(3):
        clinic.receive(f"c-{n}")
    run = begun(attachment, Words(OLD, "Hi."))

    class Canceling(KnowingJudge):
        def decide(self, case):  # type: ignore[no-untyped-def]
            if len(self.cases) == 1:
                cancel(run)
            return super().decide(case)

    judge = Canceling()
    stopped = worked(run, judge)
    assert (stopped.state, stopped.due_at, len(judge.cases)) == ("canceled", None, 2)
    resume(run)
    done = worked(run, again := KnowingJudge())
    assert (done.state, done.done, len(again.cases)) == ("done", 3, 1)
    remove(done)
    assert not BenchItem.objects.exists()


def test_it_waits_for_a_judge_that_fails_and_says_so(clinic: Clinic) -> None:
    attachment = clinic.attach("You are booked.", OLD)
    clinic.receive()
    run = begun(attachment, Words(OLD, "Hi."))
    waits = worked(run, judge := KnowingJudge(failures=[JudgeFailed("busy", retry=True)]))
    assert (waits.state, waits.problem, waits.done) == ("running", "busy", 0)
    assert waits.due_at > timezone.now()  # type: ignore[operator]
    BenchRun.objects.update(due_at=timezone.now())
    done = worked(run, judge)
    assert (done.state, done.problem, done.done) == ("done", "", 1)


def test_it_fails_with_the_mend_where_asking_again_is_useless(clinic: Clinic) -> None:
    attachment = clinic.attach("You are booked.", OLD)
    clinic.receive()
    run = begun(attachment, Words(OLD, "Hi."))
    failed = worked(run, KnowingJudge(failures=[JudgeFailed("no key", retry=False)]))
    assert (failed.state, failed.problem, failed.due_at) == ("failed", "no key", None)
    assert worked(resume(run), KnowingJudge()).state == "done"


def test_it_writes_no_words_of_a_call_that_was_forgotten_meanwhile(clinic: Clinic) -> None:
    attachment = clinic.attach("You are booked.", OLD)
    call = clinic.receive()

    class Forgetting(KnowingJudge):
        def decide(self, case):  # type: ignore[no-untyped-def]
            Call.objects.filter(pk=call.pk).update(forgotten_at=timezone.now())
            return super().decide(case)

    (item,) = items(worked(begun(attachment, Words(OLD, "You are booked.")), Forgetting()))
    assert (item.outcome, item.body, item.verdict) == ("would_send", "", None)


def test_it_lets_few_backtests_of_a_workspace_run_at_once(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcall.testbench.runs.MOST_AT_ONCE", 1)
    attachment = clinic.attach("You are booked.", OLD)
    clinic.receive()
    begun(attachment, Words(OLD, "Hi."))
    with pytest.raises(NotPossible, match="under way"):
        begun(attachment, Words(OLD, "Hi."))
