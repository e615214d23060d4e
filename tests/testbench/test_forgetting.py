"""What the bench keeps of people's words goes when theirs go; what came of it stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from followups.clinic import CUSTOMER, Clinic, KnowingJudge

from postcall.judge.verdicts import Evidence, Turn
from postcall.keeping import erase, export
from postcall.keeping.retention import forget
from postcall.testbench import working
from postcall.testbench.cases import note
from postcall.testbench.forgetting import RUNS_KEPT, forget_runs
from postcall.testbench.models import ActionCase, BenchItem, BenchRun
from postcall.testbench.runs import Words, begin_backtest
from postcall.testbench.selecting import Selection
from postcall.work.leases import take
from postcall.workspaces.audit import SYSTEM


@pytest.fixture
def tried(clinic: Clinic) -> BenchItem:
    """An item whose words were compared to others, of a call that is a case too."""
    attachment = clinic.attach("You are booked.", "After booking")
    call = clinic.receive()
    type(call).objects.update(status="done", due_at=None)
    note(attachment.action, SYSTEM, "met", call=call)
    begin_backtest(attachment.action, Words("After a cleaning", "Hi."), Selection(), SYSTEM)
    (run,) = take(BenchRun, 1, timedelta(seconds=60))
    working.work(run, KnowingJudge(quote=Evidence(3, "Thursday at two it is.")))
    return BenchItem.objects.get()


def words_of(item: BenchItem) -> list[object]:
    return [item.body, item.before_body, item.detail, item.verdict, item.before_verdict]


def test_it_forgets_with_the_call(clinic: Clinic, tried: BenchItem) -> None:
    assert all(words_of(tried)[:2])
    assert tried.verdict["evidence"][0]["quote"] == "Thursday at two it is."  # type: ignore[index]
    assert forget(timezone.now() + timedelta(days=91)) == 1
    tried.refresh_from_db()
    assert words_of(tried) == ["", "", "", None, None]
    assert (tried.outcome, tried.before_outcome, tried.result) == ("would_send", "would_send", "met")
    assert not ActionCase.objects.exists()


def test_it_forgets_with_the_person(clinic: Clinic, tried: BenchItem) -> None:
    pasted = [Turn("customer", "Call me at 415-555-0132, please."), Turn("agent", "I will.")]
    note(tried.run.action, SYSTEM, "met", turns=pasted)
    kept = note(tried.run.action, SYSTEM, "met", turns=[Turn("customer", "Call me at 415-555-0199.")])
    erase.work(erase.begin(CUSTOMER, clinic.workspace, SYSTEM))
    tried.refresh_from_db()
    assert words_of(tried) == ["", "", "", None, None]
    assert list(ActionCase.objects.all()) == [kept]


def test_it_forgets_a_number_that_only_the_words_before_told_of(clinic: Clinic, tried: BenchItem) -> None:
    other = clinic.receive("c-2", customer_number="+14155550199")
    told = {"reason": f"{CUSTOMER} was named.", "evidence": []}
    BenchItem.objects.update(call=other, body="", before_body="", verdict=None, before_verdict=told)
    erase.work(erase.begin(CUSTOMER, clinic.workspace, SYSTEM))
    tried.refresh_from_db()
    assert tried.before_verdict is None


def test_it_deletes_old_runs_and_keeps_their_cases(tried: BenchItem) -> None:
    now = timezone.now()
    forget_runs(now + RUNS_KEPT - timedelta(hours=1))
    assert BenchRun.objects.exists()
    forget_runs(now + RUNS_KEPT + timedelta(hours=1))
    assert not BenchRun.objects.exists()
    assert ActionCase.objects.exists()


def test_it_is_taken_along_by_an_export(clinic: Clinic, tried: BenchItem) -> None:
    lines = "".join(export.lines(clinic.workspace))
    for kind, row in (("case", ActionCase.objects.get()), ("bench_run", tried.run), ("bench_item", tried)):
        assert f'"kind": "{kind}"' in lines or f'"kind":"{kind}"' in lines
        assert str(row.pk) in lines
