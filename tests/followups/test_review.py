"""What operators do about held follow-ups, and what they cannot do."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from postcall.calls.models import Call
from postcall.followups.models import FollowUp, OptOut
from postcall.followups.optouts import opt_out
from postcall.followups.process import process
from postcall.followups.review import (
    NotPossible,
    approve,
    expire_held,
    expires_at,
    give_feedback,
    reject,
    rejudge,
)
from postcall.judge.verdicts import JudgeFailed
from postcall.messages.models import Message
from postcall.workspaces.audit import Actor

from .clinic import CUSTOMER, Clinic, KnowingJudge

BOOKED = "After booking"
DANA = Actor("user", "u-1", "dana@northgate.example")
KIM = Actor("user", "u-2", "kim@northgate.example")


def held(clinic: Clinic, message: str = "Booked.", **attachment: object) -> FollowUp:
    clinic.attach(message, BOOKED, **({"mode": "approve"} | attachment))
    process(clinic.call(), KnowingJudge(), clinic.messaging)
    return FollowUp.objects.get(outcome="held")


def refused(row: FollowUp, clinic: Clinic, body: str | None = None) -> str:
    with pytest.raises(NotPossible) as problem:
        approve(row, clinic.messaging, DANA, body)
    assert not clinic.messaging.drafts
    assert str(problem.value)[-1] == "."
    return problem.value.code


def test_it_sends_what_was_approved(clinic: Clinic) -> None:
    row = approve(held(clinic), clinic.messaging, DANA)
    assert (row.outcome, row.reason, Message.objects.get().body) == ("message", "", "Booked.")


def test_it_sends_the_text_that_the_operator_wrote(clinic: Clinic) -> None:
    approve(held(clinic), clinic.messaging, DANA, "See you on Thursday.")
    assert FollowUp.objects.get().body == Message.objects.get().body == "See you on Thursday."


@pytest.mark.parametrize(
    ("body", "code"),
    [("", "no_text"), (" \u200b ", "no_text"), ("y" * 1601, "too_long"), ("😀" * 801, "too_long"),
     ("Hi <name>", "placeholder"), ("Hi {{ name }}", "placeholder")],
)  # fmt: skip
def test_it_refuses_a_text_that_nobody_should_get(clinic: Clinic, body: str, code: str) -> None:
    assert refused(held(clinic), clinic, body) == code


def test_it_runs_the_sending_rules_again(clinic: Clinic) -> None:
    row = held(clinic)
    opt_out(clinic.workspace.pk, CUSTOMER, OptOut.Origin.STOP.value)
    assert refused(row, clinic) == "opted_out"


def test_it_needs_an_account_to_approve(clinic: Clinic) -> None:
    row = held(clinic)
    clinic.messaging.sender = None
    assert refused(row, clinic) == "messaging_not_configured"


def test_it_approves_nothing_twice(clinic: Clinic) -> None:
    row = held(clinic)
    approve(row, clinic.messaging, DANA)
    with pytest.raises(NotPossible):
        approve(row, clinic.messaging, DANA)
    with pytest.raises(NotPossible):
        reject(row, DANA)
    assert Message.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_sends_one_text_when_two_approve_at_the_same_instant() -> None:
    clinic = Clinic()
    row = held(clinic)
    together = threading.Barrier(4)
    results: list[str] = []

    def one() -> None:
        together.wait()
        try:
            results.append(approve(row, clinic.messaging, DANA).outcome)
        except NotPossible as problem:
            results.append(problem.code)
        connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["already_reviewed", "already_reviewed", "already_reviewed", "message"]
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("first", "did"),
    [
        (lambda row, clinic: approve(row, clinic.messaging, DANA), "approved it"),
        (lambda row, clinic: approve(row, clinic.messaging, DANA, "See you."), "approved it in other words"),
        (lambda row, _: reject(row, DANA), "rejected it"),
    ],
)
@pytest.mark.parametrize("second", ["approve", "reject"])
def test_it_tells_the_second_who_was_first(
    clinic: Clinic, first: Callable[[FollowUp, Clinic], FollowUp], did: str, second: str
) -> None:
    row = held(clinic)
    first(row, clinic)
    FollowUp.objects.update(reviewed_at=timezone.now() - timedelta(seconds=125))
    with pytest.raises(NotPossible) as problem:
        approve(row, clinic.messaging, KIM) if second == "approve" else reject(row, KIM)
    assert problem.value.code == "already_reviewed"
    assert str(problem.value) == (
        f"dana@northgate.example {did} 2 minutes ago, so there is nothing left to decide."
    )
    row.refresh_from_db()
    assert (row.reviewer, row.reviewer_kind) == ("dana@northgate.example", "user")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_two_who_decide_at_the_same_instant_the_second_hears_of_the_first(seed: int) -> None:
    clinic = Clinic()
    row = held(clinic)
    together = threading.Barrier(2)
    heard: list[str] = []

    def decide(verb: Callable[[], FollowUp]) -> None:
        together.wait()
        try:
            verb()
        except NotPossible as problem:
            heard.append(str(problem))
        connections.close_all()

    deciding = [lambda: approve(row, clinic.messaging, DANA), lambda: reject(row, KIM)]
    random.Random(seed).shuffle(deciding)
    threads = [threading.Thread(target=decide, args=[verb]) for verb in deciding]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    row.refresh_from_db()
    assert len(heard) == 1
    assert heard[0].startswith(f"{row.reviewer} {'approved' if row.review == 'approved' else 'rejected'} it ")
    assert Message.objects.count() == (row.review == "approved")


def test_it_says_that_nobody_decided_in_time(clinic: Clinic) -> None:
    row = held(clinic, send_within_s=600)
    FollowUp.objects.update(decided_at=timezone.now() - timedelta(seconds=601))
    expire_held()
    assert refused(row, clinic) == "expired"


def test_it_knows_when_a_held_text_lapses(clinic: Clinic) -> None:
    row = held(clinic, send_within_s=600)
    assert row.decided_at is not None
    assert expires_at(row) == row.decided_at + timedelta(seconds=600)
    assert expires_at(approve(row, clinic.messaging, DANA)) is None
    row.outcome, row.reason = FollowUp.Outcome.HELD, "judge_failed"
    assert expires_at(row) is None


def test_a_judgement_anew_forgets_what_was_decided_before(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    process(clinic.call(), KnowingJudge(failures=[JudgeFailed("no key", retry=False)]), clinic.messaging)
    FollowUp.objects.update(review="rejected", reviewed_at=timezone.now(), reviewer="Dana", reviewer_kind="user")
    rejudge(Call.objects.get())
    assert FollowUp.objects.get().review == ""


def test_it_approves_nothing_that_went_stale(clinic: Clinic) -> None:
    row = held(clinic, send_within_s=600)
    FollowUp.objects.update(decided_at=timezone.now() - timedelta(seconds=601))
    assert refused(row, clinic) == "expired"


def test_it_counts_the_time_to_send_from_the_decision(clinic: Clinic) -> None:
    row = held(clinic, send_within_s=600)
    decided_at = timezone.now() - timedelta(seconds=500)
    FollowUp.objects.update(decided_at=decided_at)
    approve(row, clinic.messaging, DANA)
    ((_, draft),) = clinic.messaging.drafts
    assert draft.valid_until == decided_at + timedelta(seconds=600)


def test_it_counts_the_time_to_send_from_the_approval_where_the_judge_had_failed(clinic: Clinic) -> None:
    row = held(clinic, send_within_s=600)
    FollowUp.objects.update(reason="judge_failed", decided_at=timezone.now() - timedelta(days=1))
    approve(row, clinic.messaging, DANA)
    ((_, draft),) = clinic.messaging.drafts
    assert draft.valid_until > timezone.now() + timedelta(seconds=500)


def test_it_says_that_an_operator_asked_for_the_text(clinic: Clinic) -> None:
    approve(held(clinic), clinic.messaging, DANA)
    ((_, draft),) = clinic.messaging.drafts
    assert draft.by == "operator"


def test_it_approves_and_judges_nothing_that_is_forgotten(clinic: Clinic) -> None:
    row = held(clinic)
    FollowUp.objects.update(body="", reason="condition_unclear")
    Call.objects.update(forgotten_at=timezone.now())
    assert refused(row, clinic, "See you on Thursday.") == "forgotten"
    with pytest.raises(NotPossible, match="forgotten"):
        rejudge(Call.objects.get())
    assert FollowUp.objects.get().outcome == "held"


def test_it_expires_what_nobody_decided_about(clinic: Clinic) -> None:
    row = held(clinic, send_within_s=600)
    assert expire_held() == 0
    FollowUp.objects.update(decided_at=timezone.now() - timedelta(seconds=601))
    assert expire_held() == 1
    row.refresh_from_db()
    assert (row.outcome, row.reason) == ("skipped", "expired")


def test_it_rejects(clinic: Clinic) -> None:
    row = reject(held(clinic), DANA)
    assert (row.outcome, row.reason, Message.objects.count()) == ("skipped", "rejected", 0)


def test_it_notes_whether_the_verdict_was_right(clinic: Clinic) -> None:
    row = held(clinic)
    assert give_feedback(row, right=False).feedback_right is False
    assert give_feedback(row, right=True).feedback_right is True


def test_it_takes_no_feedback_where_nothing_was_judged(clinic: Clinic) -> None:
    clinic.attach("Thank you.", mode="approve")
    process(clinic.call(), KnowingJudge(), clinic.messaging)
    with pytest.raises(NotPossible, match="no verdict"):
        give_feedback(FollowUp.objects.get(), right=True)


def test_it_judges_again_what_the_judge_failed_on(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    process(clinic.call(), KnowingJudge(failures=[JudgeFailed("no key", retry=False)]), clinic.messaging)
    assert rejudge(Call.objects.get()) == 1
    process(clinic.take(), KnowingJudge(), clinic.messaging)
    assert Message.objects.get().body == "Booked."


def test_it_judges_nothing_again_that_was_sent_or_rejected(clinic: Clinic) -> None:
    clinic.attach("Sent.", BOOKED)
    reject(held(clinic), DANA)
    with pytest.raises(NotPossible, match="left"):
        rejudge(Call.objects.get())


def test_it_does_not_judge_again_what_is_being_judged(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    clinic.receive()
    with pytest.raises(NotPossible, match="just now"):
        rejudge(Call.objects.get())


@pytest.mark.django_db(transaction=True)
def test_it_does_not_judge_again_what_is_approved_meanwhile() -> None:
    clinic = Clinic()
    row = held(clinic)
    FollowUp.objects.update(reason="condition_unclear")
    heard: list[str] = []

    def judge_again() -> None:
        try:
            rejudge(row.call)
        except NotPossible as problem:
            heard.append(problem.code)
        connections.close_all()

    second = threading.Thread(target=judge_again)
    with transaction.atomic():
        approve(row, clinic.messaging, DANA)
        second.start()
        wait_for_a_lock()
    second.join()
    row.refresh_from_db()
    assert (heard, row.outcome) == (["nothing_to_judge"], "message")


def wait_for_a_lock() -> None:
    """Until somebody waits for what this transaction has changed."""
    until = time.monotonic() + 60
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone()[0]:
                return
            assert time.monotonic() < until
            time.sleep(0.005)


def test_it_finds_what_is_held_without_reading_every_follow_up(clinic: Clinic) -> None:
    asked: list[tuple[str, object]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "follow_up" in sql:
            asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        expire_held()
    with connection.cursor() as cursor:
        # What the planner prefers on a table this small says nothing: it is left no other index.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "SELECT indexrelid::regclass::text, conname FROM pg_index LEFT JOIN pg_constraint"
            " ON conindid = indexrelid AND conrelid = indrelid WHERE indrelid = 'follow_up'::regclass"
        )
        for index, constraint in cursor.fetchall():
            if constraint is not None:
                cursor.execute(f"ALTER TABLE follow_up DROP CONSTRAINT {constraint} CASCADE")
            elif index != "follow_up_held":
                cursor.execute(f"DROP INDEX {index}")
        cursor.execute(f"EXPLAIN {asked[0][0]}", asked[0][1])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "follow_up_held" in plan
