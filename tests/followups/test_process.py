"""From a received call to decided follow-ups: once, in the right order, whatever fails in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pydantic import ValidationError

from postcall.calls.models import Call
from postcall.followups.facts import facts_of_ended
from postcall.followups.handing import Draft
from postcall.followups.models import FollowUp, OptOut
from postcall.followups.optouts import opt_in
from postcall.followups.process import MAX_FAILURES, process, set_aside
from postcall.followups.review import rejudge
from postcall.followups.snapshot import agent_as_it_is
from postcall.followups.trial import try_out
from postcall.judge.verdicts import Evidence, JudgeFailed
from postcall.messages.models import Message
from postcall.sources.ended_call import EndedCall
from postcall.work.leases import LostLease

from .clinic import CUSTOMER, Clinic, KnowingJudge

BOOKED = "After booking"
NO_TEXTS = [{"role": "agent", "text": "Shall I book it?"}, {"role": "customer", "text": "Yes, but don't text me."}]
ASK = {"from": "ask", "description": "the day agreed"}


class NoJudge:
    name = "none"
    listens = False

    def decide(self, case: object) -> None:
        raise AssertionError("nothing here needs a judge")


def only(clinic: Clinic) -> FollowUp:
    return FollowUp.objects.get(workspace=clinic.workspace)


def decided(clinic: Clinic, judge: KnowingJudge | None = None, **call: object) -> FollowUp:
    process(clinic.call(**call), judge or KnowingJudge(), clinic.messaging)
    return only(clinic)


def draft(clinic: Clinic) -> Draft:
    ((_, handed),) = clinic.messaging.drafts
    return handed


def test_it_hands_over_a_text_that_always_goes_out_without_asking_anybody(clinic: Clinic) -> None:
    clinic.attach("Thank you.")
    call = clinic.call()
    (row,) = process(call, NoJudge(), clinic.messaging)  # type: ignore[arg-type]  # it must never be asked
    assert (row.outcome, row.recipient, row.body, row.result) == ("message", CUSTOMER, "Thank you.", "")
    assert draft(clinic).to == CUSTOMER
    assert Call.objects.get().status == "done"
    assert Call.objects.get().due_at is None


def test_it_needs_few_statements_for_a_text_that_always_goes_out(clinic: Clinic) -> None:
    clinic.attach("Thank you.")
    clinic.receive()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        process(clinic.take(), KnowingJudge(), clinic.messaging)
    # With the take; less the savepoint pair that only a test's own transaction needs.
    statements = [q["sql"] for q in queries if "SAVEPOINT" not in q["sql"]]
    assert len(statements) <= 9, "\n".join(statements)


def test_it_sends_when_the_condition_is_met_and_keeps_the_verdict(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    row = decided(clinic)
    assert (row.outcome, row.result, row.confidence) == ("message", "met", 0.9)
    assert row.verdict["evidence"] == [{"turn": 1, "quote": "Northgate Clinic, how can I help?"}]
    assert row.judge == "knowing-1"
    assert (row.judge_requests, row.judge_input_tokens, row.judge_output_tokens) == (1, 900, 80)
    assert row.verdict.keys() == {"reason", "evidence", "probability", "likelier"}


def test_it_asks_one_question_for_all_conditions_and_values_of_a_call(clinic: Clinic) -> None:
    clinic.attach("Booked for <day>.", BOOKED, inputs={"day": ASK})
    clinic.attach("More.", "After asking for more")
    clinic.attach("Never asked.", "After anything", mode="off")
    clinic.attach("By <day>.", inputs={"day": ASK})
    judge = KnowingJudge(answers={"the day agreed": "Thursday"})
    process(clinic.call(), judge, clinic.messaging)
    (case,) = judge.cases
    assert [c.text for c in case.conditions] == [BOOKED, "After asking for more"]
    assert len(case.asks) == 2
    assert case.started_at is not None
    assert str(case.started_at.tzinfo) == "America/Los_Angeles"
    assert sorted(body for _, d in clinic.messaging.drafts if (body := d.body)) == [
        "Booked for Thursday.", "By Thursday.", "More.",
    ]  # fmt: skip


def test_it_counts_the_cost_of_a_call_once(clinic: Clinic) -> None:
    clinic.attach("A.", "One")
    clinic.attach("B.", "Two")
    process(clinic.call(), KnowingJudge(), clinic.messaging)
    assert sorted(row.judge_requests for row in FollowUp.objects.all()) == [0, 1]


@pytest.mark.parametrize(
    ("result", "on_unclear", "outcome", "reason"),
    [
        ("not_met", "hold", "skipped", "condition_not_met"),
        ("unclear", "hold", "held", "condition_unclear"),
        ("unclear", "skip", "skipped", "condition_unclear"),
    ],
)
def test_it_sends_nothing_unless_the_condition_is_met(
    clinic: Clinic, result: str, on_unclear: str, outcome: str, reason: str
) -> None:
    clinic.attach("Booked.", BOOKED, on_unclear=on_unclear)
    row = decided(clinic, KnowingJudge({BOOKED: result}))
    assert (row.outcome, row.reason, clinic.messaging.drafts) == (outcome, reason, [])


def test_it_holds_an_unclear_one_with_its_text_ready(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    assert decided(clinic, KnowingJudge({BOOKED: "unclear"})).body == "Booked."


def test_it_takes_a_verdict_with_invented_words_for_unclear(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    row = decided(clinic, KnowingJudge(quote=Evidence(2, "I hereby confirm everything")))
    assert (row.outcome, row.reason, row.result) == ("held", "condition_unclear", "unclear")


@pytest.mark.parametrize(
    ("mode", "outcome", "reason"),
    [
        ("off", "skipped", "attachment_off"),
        ("shadow", "skipped", "shadow"),
        ("approve", "held", "awaiting_approval"),
    ],
)
def test_it_sends_by_itself_only_when_live(clinic: Clinic, mode: str, outcome: str, reason: str) -> None:
    clinic.attach("Booked.", BOOKED, mode=mode)
    row = decided(clinic)
    assert (row.outcome, row.reason, clinic.messaging.drafts) == (outcome, reason, [])
    assert row.body == ("" if mode == "off" else "Booked.")


def test_it_holds_nothing_in_shadow(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED, mode="shadow")
    row = decided(clinic, KnowingJudge({BOOKED: "unclear"}))
    assert (row.outcome, row.reason) == ("skipped", "condition_unclear")


def test_it_shadows_before_any_account_is_set_up(clinic: Clinic) -> None:
    clinic.messaging.sender = None
    clinic.attach("Booked.", mode="shadow")
    assert decided(clinic).reason == "shadow"


def test_it_holds_what_has_no_account_to_leave_by(clinic: Clinic) -> None:
    clinic.messaging.sender = None
    clinic.attach("Booked.")
    row = decided(clinic)
    assert (row.outcome, row.reason) == ("held", "messaging_not_configured")
    assert (draft(clinic).sender, draft(clinic).body, row.body) == (None, "Booked.", "Booked.")


def test_it_hands_over_what_the_budget_holds(clinic: Clinic) -> None:
    clinic.workspace.max_messages_per_day = clinic.messaging.sent_by_workspace = 3
    clinic.workspace.save()
    clinic.attach("Booked.", send_within_s=600)
    row = decided(clinic)
    assert (row.outcome, row.reason) == ("held", "budget_exceeded")
    assert row.decided_at is not None
    assert draft(clinic).valid_until == row.decided_at + timedelta(seconds=600)


@pytest.mark.parametrize("mode", ["shadow", "approve", "off"])
def test_it_hands_over_nothing_that_the_budget_stops_in_another_mode(clinic: Clinic, mode: str) -> None:
    clinic.workspace.max_messages_per_day = 0
    clinic.workspace.save()
    clinic.attach("Booked.", mode=mode)
    decided(clinic)
    assert clinic.messaging.drafts == []


def test_it_makes_no_follow_up_twice(clinic: Clinic) -> None:
    clinic.attach("Thank you.")
    call = clinic.call()
    process(call, KnowingJudge(), clinic.messaging)
    Call.objects.update(due_at=timezone.now())
    assert process(clinic.take(), KnowingJudge(), clinic.messaging) == []
    assert (FollowUp.objects.count(), Message.objects.count()) == (1, 1)


def test_it_makes_no_follow_up_for_what_was_attached_later(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    judge = KnowingJudge(failures=[JudgeFailed("busy", retry=True)])
    process(clinic.call(), judge, clinic.messaging)
    clinic.attach("Later.")
    Call.objects.update(due_at=timezone.now())
    process(clinic.take(), judge, clinic.messaging)
    assert only(clinic).outcome == "message"


def test_it_decides_by_what_the_attachment_said_at_first(clinic: Clinic) -> None:
    attachment = clinic.attach("Hi <name>.", BOOKED, inputs={"name": {"from": "fixed", "value": "Ann"}})
    judge = KnowingJudge(failures=[JudgeFailed("busy", retry=True)])
    process(clinic.call(), judge, clinic.messaging)
    attachment.inputs, attachment.mode = {"name": {"from": "fixed", "value": "Bob"}}, "off"
    attachment.save()
    clinic.agent.from_number = "+14155550199"
    clinic.agent.save()
    Call.objects.update(due_at=timezone.now())
    process(clinic.take(), judge, clinic.messaging)
    assert draft(clinic).body == "Hi Ann."
    assert clinic.messaging.senders_of[-1].from_number == ""


def test_it_leaves_deleted_actions_and_attachments_alone(clinic: Clinic) -> None:
    gone = clinic.attach("Gone.")
    gone.deleted_at = timezone.now()
    gone.save()
    without = clinic.attach("Without.")
    without.action.deleted_at = timezone.now()
    without.action.save()
    process(clinic.call(), KnowingJudge(), clinic.messaging)
    assert not FollowUp.objects.exists()
    assert Call.objects.get().status == "done"


def test_it_writes_nothing_when_another_worker_has_the_call(clinic: Clinic) -> None:
    clinic.attach("Thank you.")
    call = clinic.call()
    Call.objects.update(generation=call.generation + 1)
    with pytest.raises(LostLease):
        process(call, KnowingJudge(), clinic.messaging)
    assert not FollowUp.objects.exists()


def test_it_writes_no_verdict_when_the_call_was_taken_while_the_judge_read(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)

    class Slow(KnowingJudge):
        def decide(self, case):  # type: ignore[no-untyped-def]  # KnowingJudge's
            Call.objects.update(generation=99)
            return super().decide(case)

    with pytest.raises(LostLease):
        process(clinic.call(), Slow(), clinic.messaging)
    assert (only(clinic).outcome, clinic.messaging.drafts) == ("pending", [])


# A judge that fails.


def test_it_asks_a_failing_judge_again_later(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    judge = KnowingJudge(failures=[JudgeFailed("busy", retry=True)])
    process(clinic.call(), judge, clinic.messaging)
    call = Call.objects.get()
    assert (only(clinic).outcome, call.status, call.judge_failures) == ("pending", "processing", 1)
    assert call.due_at is not None
    assert call.due_at > timezone.now()


def test_it_does_not_make_other_texts_wait_for_a_failing_judge(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    clinic.attach("Thank you.")
    handed = process(clinic.call(), KnowingJudge(failures=[JudgeFailed("busy", retry=True)]), clinic.messaging)
    assert [row.body for row in handed] == ["Thank you."]


def test_it_holds_what_the_judge_failed_on_time_and_again(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    judge = KnowingJudge(failures=[JudgeFailed("no answer from the model", retry=True)] * MAX_FAILURES)
    clinic.receive()
    for _ in range(MAX_FAILURES):
        Call.objects.update(due_at=timezone.now())
        process(clinic.take(), judge, clinic.messaging)
    row = only(clinic)
    assert (row.outcome, row.reason, row.body, row.recipient) == ("held", "judge_failed", "Booked.", CUSTOMER)
    assert "no answer from the model" in row.detail
    assert Call.objects.get().status == "done"


def test_it_does_not_ask_again_where_that_is_useless(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    judge = KnowingJudge(failures=[JudgeFailed("the key is wrong", retry=False)])
    assert decided(clinic, judge).reason == "judge_failed"


def test_it_sets_a_call_aside_that_kills_its_workers(clinic: Clinic) -> None:
    clinic.attach("Thank you.")
    set_aside(clinic.call())
    assert (only(clinic).outcome, only(clinic).reason) == ("held", "set_aside")
    assert Call.objects.get().status == "done"


def test_it_sets_a_call_aside_whose_attachment_cannot_be_read(clinic: Clinic) -> None:
    clinic.attach("Hi <x>.", inputs={"x": {"from": "nowhere"}})
    call = clinic.call()
    with pytest.raises(ValidationError):
        process(call, KnowingJudge(), clinic.messaging)
    set_aside(call)
    assert (only(clinic).reason, Call.objects.get().status) == ("set_aside", "done")


def test_it_sets_a_call_aside_whose_stored_follow_ups_cannot_be_read(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    process(clinic.call(), KnowingJudge(failures=[JudgeFailed("busy", retry=True)]), clinic.messaging)
    FollowUp.objects.update(snapshot={"mode": "?"})
    Call.objects.update(due_at=timezone.now())
    set_aside(clinic.take())
    assert (only(clinic).reason, Call.objects.get().status) == ("set_aside", "done")


def test_it_ends_a_call_that_is_set_aside_even_where_no_follow_up_can_be_made(clinic: Clinic) -> None:
    clinic.attach("Booked.").action.__class__.objects.update(revision=None)
    set_aside(clinic.call())
    assert not FollowUp.objects.exists()
    assert Call.objects.get().status == "done"


# Said against being texted.


def test_it_hears_do_not_text_me_where_nothing_is_judged(clinic: Clinic) -> None:
    clinic.attach("Thank you.")
    row = decided(clinic, transcript=NO_TEXTS)
    assert (row.outcome, row.reason) == ("skipped", "asked_not_to_be_texted")
    out = OptOut.objects.get()
    assert (out.number, out.origin, out.call_id) == (CUSTOMER, "said", row.call_id)
    assert out.quote in NO_TEXTS[1]["text"]


def test_it_holds_where_the_customer_may_not_want_a_text(clinic: Clinic) -> None:
    clinic.attach("Thank you.")
    words = [
        {"role": "agent", "text": "Can I text you the details?"},
        {"role": "customer", "text": "No, thank you."},
    ]
    row = decided(clinic, transcript=words)
    assert (row.outcome, row.reason, row.body) == ("held", "asked_not_to_be_texted", "Thank you.")
    assert not OptOut.objects.exists()


def test_it_keeps_the_opt_out_for_later_calls(clinic: Clinic) -> None:
    clinic.attach("Thank you.")
    decided(clinic, transcript=NO_TEXTS)
    process(clinic.call(external_id="c-2"), KnowingJudge(), clinic.messaging)
    assert FollowUp.objects.get(call__external_id="c-2").reason == "opted_out"


def test_it_still_texts_somebody_else_whose_number_the_operator_set(clinic: Clinic) -> None:
    clinic.attach("A car to tow.", recipient_override="+14155550180")
    assert decided(clinic, transcript=NO_TEXTS).outcome == "message"
    assert draft(clinic).to == "+14155550180"


@pytest.mark.parametrize(
    "attachment", [{"mode": "off"}, {"only_if": [{"from": "collected", "name": "n", "is": "present"}]}]
)
def test_it_keeps_the_opt_out_where_nothing_would_have_been_sent(
    clinic: Clinic, attachment: dict[str, object]
) -> None:
    clinic.attach("Thank you.", **attachment)
    assert decided(clinic, transcript=NO_TEXTS).reason in ("attachment_off", "rule_not_met")
    assert OptOut.objects.get().number == CUSTOMER


def test_it_asks_no_judge_about_a_customer_who_wants_no_texts(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    process(clinic.call(transcript=NO_TEXTS), NoJudge(), clinic.messaging)  # type: ignore[arg-type]  # it must never be asked
    assert (only(clinic).outcome, only(clinic).reason) == ("skipped", "asked_not_to_be_texted")


GERMAN = [*NO_TEXTS[:1], {"role": "customer", "text": "Ja, aber schreiben Sie mir bitte nicht."}]
HEARD = Evidence(2, "schreiben Sie mir bitte nicht")


@pytest.mark.parametrize("result", ["met", "not_met", "unclear"])
def test_it_hears_an_objection_that_only_the_model_understood(clinic: Clinic, result: str) -> None:
    clinic.attach("Booked.", BOOKED)
    row = decided(clinic, KnowingJudge({BOOKED: result}, objection=HEARD), transcript=GERMAN)
    assert (row.outcome, row.reason) == ("skipped", "asked_not_to_be_texted")
    out = OptOut.objects.get()
    assert (out.number, out.origin, out.quote) == (CUSTOMER, "said", HEARD.quote)


# A judge that listens is asked about every call of which something could be sent.


@pytest.mark.parametrize(
    "only_if", [[], [{"from": "system", "name": "direction", "is": "equals", "value": "inbound"}]]
)
def test_it_has_a_listening_judge_hear_a_call_that_needs_no_other(
    clinic: Clinic, only_if: list[dict[str, str]]
) -> None:
    clinic.attach("Thank you.", only_if=only_if)
    judge = KnowingJudge(listens=True, objection=HEARD)
    row = decided(clinic, judge, transcript=GERMAN)
    assert (row.outcome, row.reason) == ("skipped", "asked_not_to_be_texted")
    assert row.detail == f"The customer said “{HEARD.quote}” (turn 2)."
    out = OptOut.objects.get()
    assert (out.origin, out.quote, out.call_id) == ("said", HEARD.quote, row.call_id)
    assert judge.cases[0].conditions == []


def test_it_sends_when_the_listening_judge_hears_nothing(clinic: Clinic) -> None:
    clinic.attach("Thank you.")
    row = decided(clinic, KnowingJudge(listens=True), transcript=GERMAN)
    assert (row.outcome, row.result, row.body) == ("message", "", "Thank you.")
    assert row.verdict is None
    assert (row.judge, row.judge_requests, row.judge_input_tokens, row.judge_output_tokens) == (
        "knowing-1", 1, 900, 80,
    )  # fmt: skip


def test_it_sends_what_always_goes_out_when_the_listening_judge_cannot_be_asked_at_all(clinic: Clinic) -> None:
    clinic.attach("Thank you.")
    clinic.attach("Booked.", BOOKED)
    judge = KnowingJudge(listens=True, failures=[JudgeFailed("no key", retry=False)])
    process(clinic.call(transcript=GERMAN), judge, clinic.messaging)
    assert dict(FollowUp.objects.values_list("body", "reason")) == {"Thank you.": "", "Booked.": "judge_failed"}


def test_it_waits_for_a_listening_judge_that_is_busy(clinic: Clinic) -> None:
    clinic.attach("Thank you.")
    judge = KnowingJudge(listens=True, objection=HEARD, failures=[JudgeFailed("busy", retry=True)])
    process(clinic.call(transcript=GERMAN), judge, clinic.messaging)
    assert only(clinic).outcome == "pending"
    Call.objects.update(due_at=timezone.now())
    process(clinic.take(), judge, clinic.messaging)
    assert only(clinic).reason == "asked_not_to_be_texted"


@pytest.mark.parametrize(
    ("attachment", "call"),
    [
        ({"mode": "off"}, {}),
        ({"only_if": [{"from": "collected", "name": "n", "is": "present"}]}, {}),
        ({"recipient_override": "+14155550180"}, {}),
        ({}, {"transcript": [{"role": "agent", "text": "Hello?"}]}),
        ({}, {"transcript": NO_TEXTS}),
        ({}, {"connected": False}),
    ],
)
def test_it_asks_no_listening_judge_where_nobody_could_be_texted_against_their_will(
    clinic: Clinic, attachment: dict[str, Any], call: dict[str, Any]
) -> None:
    clinic.attach("Thank you.", **attachment)
    judge = KnowingJudge(listens=True)
    process(clinic.call(**call), judge, clinic.messaging)
    assert judge.cases == []


@pytest.mark.parametrize("said", ["Take me off the list.", "No need to text me.", "No me gusta recibir mensajes."])
@pytest.mark.parametrize("condition", ["", BOOKED])
def test_it_holds_what_is_only_suspected_whatever_the_action(clinic: Clinic, said: str, condition: str) -> None:
    clinic.attach("Thank you.", condition)
    row = decided(clinic, transcript=[*NO_TEXTS[:1], {"role": "customer", "text": said}])
    assert (row.outcome, row.reason) == ("held", "asked_not_to_be_texted")
    assert said in row.detail
    assert not OptOut.objects.exists()


@pytest.mark.parametrize("condition", ["", BOOKED])
@pytest.mark.parametrize("mode", ["live", "approve", "shadow"])
def test_an_explicit_no_vetoes_every_action_in_every_mode(clinic: Clinic, condition: str, mode: str) -> None:
    clinic.attach("Thank you.", condition, mode=mode)
    row = decided(
        clinic, transcript=[*NO_TEXTS[:1], {"role": "customer", "text": "No me mande mensajes, por favor."}]
    )
    assert (row.outcome, row.reason) == ("skipped", "asked_not_to_be_texted")
    assert OptOut.objects.get().quote == "No me mande mensajes, por favor."


def test_it_records_no_opt_out_anew_that_somebody_took_back(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    decided(clinic, KnowingJudge(objection=HEARD), transcript=GERMAN)
    opt_in(clinic.workspace.pk, CUSTOMER, OptOut.Origin.OPERATOR.value)
    FollowUp.objects.update(reason="condition_unclear")
    rejudge(Call.objects.get())
    process(clinic.take(), KnowingJudge(objection=HEARD), clinic.messaging)
    assert not OptOut.objects.filter(ended_at=None).exists()


def test_it_takes_no_objection_from_the_agent(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    assert decided(clinic, KnowingJudge(objection=Evidence(1, "how can I help?"))).outcome == "message"


# Enrichment.


def enriched(clinic: Clinic, thin: dict[str, object], rich: dict[str, object]) -> FollowUp:
    clinic.receive(final=False, judge_after=timezone.now().isoformat(), **thin)
    process(clinic.take(), KnowingJudge(), clinic.messaging)
    clinic.receive(final=True, **rich)
    process(clinic.take(), KnowingJudge(), clinic.messaging)
    return only(clinic)


def test_it_reopens_what_a_richer_report_puts_right(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    assert enriched(clinic, {"transcript": []}, {}).outcome == "message"


def test_it_keeps_a_reopened_one_pending_while_the_judge_fails(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    clinic.receive(final=False, judge_after=timezone.now().isoformat(), transcript=[])
    process(clinic.take(), KnowingJudge(), clinic.messaging)
    clinic.receive(final=True)
    judge = KnowingJudge(failures=[JudgeFailed("busy", retry=True)])
    process(clinic.take(), judge, clinic.messaging)
    assert only(clinic).outcome == "pending"
    Call.objects.update(due_at=timezone.now())
    process(clinic.take(), judge, clinic.messaging)
    assert only(clinic).outcome == "message"


def test_it_reopens_nothing_else(clinic: Clinic) -> None:
    clinic.attach("Booked.")
    assert enriched(clinic, {"connected": False}, {"connected": True}).reason == "not_connected"


def test_it_sends_nothing_again_after_a_richer_report(clinic: Clinic) -> None:
    clinic.attach("Booked.")
    enriched(clinic, {}, {"customer_number": "+14155550177"})
    assert Message.objects.count() == 1


def test_it_makes_nothing_of_a_richer_report_for_what_was_attached_since(clinic: Clinic) -> None:
    clinic.receive(final=False, judge_after=timezone.now().isoformat())
    process(clinic.take(), KnowingJudge(), clinic.messaging)
    clinic.attach("Later.")
    clinic.receive(final=True)
    process(clinic.take(), KnowingJudge(), clinic.messaging)
    assert not FollowUp.objects.exists()


def test_it_leaves_what_is_decided_alone_while_it_waits_for_the_judge(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    clinic.attach("Hi <first>.", inputs={"first": {"from": "collected", "name": "first_name"}})
    judge = KnowingJudge(failures=[JudgeFailed("busy", retry=True)])
    process(clinic.call(), judge, clinic.messaging)
    before = FollowUp.objects.get(reason="missing_input")
    Call.objects.update(due_at=timezone.now())
    process(clinic.take(), judge, clinic.messaging)
    assert FollowUp.objects.get(reason="missing_input").decided_at == before.decided_at


# Rules for sending.


def windowed(clinic: Clinic, opens_in: timedelta, **attachment: object) -> None:
    """An action that waits for a window; the number has no time zone of its own, so the agent's counts."""
    opens = datetime.now(UTC) + opens_in
    clinic.workspace.window_start = opens.time().replace(microsecond=0)
    clinic.workspace.window_end = (opens + timedelta(hours=2)).time().replace(microsecond=0)
    clinic.workspace.save()
    clinic.agent.timezone = "UTC"
    clinic.agent.save()
    clinic.attach("Booked.", urgency="window", recipient_override="+15551230001", **attachment)


def test_it_waits_for_the_window_and_counts_validity_from_its_opening(clinic: Clinic) -> None:
    windowed(clinic, timedelta(hours=2))
    decided(clinic)
    handed = draft(clinic)
    assert timedelta(hours=1, minutes=58) < handed.not_before - timezone.now() <= timedelta(hours=2)
    assert handed.valid_until - handed.not_before == timedelta(seconds=clinic.workspace.valid_for_s)


def test_it_expires_what_the_window_would_make_stale(clinic: Clinic) -> None:
    windowed(clinic, timedelta(hours=6), send_within_s=600)
    assert decided(clinic).reason == "expired"


def test_it_bounds_validity_by_the_action(clinic: Clinic) -> None:
    clinic.attach("Booked.", send_within_s=600)
    decided(clinic)
    assert draft(clinic).valid_until - draft(clinic).not_before == timedelta(seconds=600)


def test_it_counts_its_own_texts_against_the_cap(clinic: Clinic) -> None:
    clinic.workspace.max_per_number_per_day = 1
    clinic.workspace.save()
    clinic.attach("One.")
    clinic.attach("Two.")
    process(clinic.call(), KnowingJudge(), clinic.messaging)
    assert sorted(FollowUp.objects.values_list("outcome", "reason")) == [
        ("message", ""),
        ("skipped", "frequency_cap"),
    ]


def test_it_names_what_is_missing(clinic: Clinic) -> None:
    clinic.attach("Hi <first>.", inputs={"first": {"from": "collected", "name": "first_name"}})
    row = decided(clinic)
    assert (row.outcome, row.reason) == ("skipped", "missing_input")
    assert row.detail == "<first> has no value in this call."


def test_it_holds_what_a_stranger_dictated(clinic: Clinic) -> None:
    clinic.attach("Hi <first>.", inputs={"first": {"from": "collected", "name": "first_name"}})
    row = decided(clinic, variables={"collected": {"first_name": "win.example/claim"}})
    assert (row.outcome, row.reason, row.body) == ("held", "unsafe_value", "Hi win.example/claim.")


def test_it_holds_a_text_that_is_too_long(clinic: Clinic) -> None:
    clinic.attach("<notes>", inputs={"notes": {"from": "pre_call", "name": "notes"}})
    row = decided(clinic, variables={"pre_call": {"notes": "y" * 1601}})
    assert (row.outcome, row.reason) == ("held", "message_too_long")


def test_it_keeps_where_each_value_came_from(clinic: Clinic) -> None:
    clinic.attach(
        "Hi <first>, see you <day>.", BOOKED,
        inputs={"first": {"from": "collected", "name": "n", "fallback": "there"}, "day": ASK},
    )  # fmt: skip
    row = decided(clinic, KnowingJudge(answers={"the day agreed": "Thursday"}))
    assert row.inputs == {
        "first": {"value": "there", "from": "fallback", "turn": None},
        "day": {"value": "Thursday", "from": "ask", "turn": 2},
    }


def test_it_decides_about_a_call_of_three_thousand_turns(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    words = [{"role": ("agent", "customer")[n % 2], "text": f"And then number {n}."} for n in range(3000)]
    assert decided(clinic, transcript=words).outcome == "message"


def test_it_reads_the_body_of_a_trial_as_a_call(clinic: Clinic) -> None:
    words = [{"role": "agent", "text": "You are booked."}, {"role": "customer", "text": "Thanks."}]
    ended = EndedCall.model_validate({"external_id": "t", "customer_number": "(415) 555-0132", "transcript": words})
    facts = facts_of_ended(ended, region="US", now=timezone.now())
    trial = try_out(
        facts, agent_as_it_is(clinic.agent), KnowingJudge(), condition=BOOKED, message="Call <me>.", inputs={}
    )
    assert trial.verdict is not None
    assert (trial.verdict.result, trial.stopped, trial.composed.missing) == (
        "met",
        None,
        {"me": "is bound to nothing"},
    )
    assert not FollowUp.objects.exists()


@pytest.mark.parametrize("said", [True, "yes"])
def test_it_holds_where_the_platform_says_that_no_text_may_be_wanted(clinic: Clinic, said: object) -> None:
    clinic.attach("Thank you.")
    process(clinic.call(hints={"do_not_text": said}), NoJudge(), clinic.messaging)  # type: ignore[arg-type]  # as above
    assert (only(clinic).outcome == "held") is (said is True)
    assert not OptOut.objects.exists()
