"""Reading a call again: what its platform sent is read as it would be today, and nothing is sent twice."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from postcall.agents.models import Agent, ExternalId
from postcall.calls.models import Call, RawPayload
from postcall.calls.receive import assign, receive
from postcall.calls.replay import CannotReplay, replay
from postcall.followups.models import FollowUp, OptOut
from postcall.followups.optouts import opt_in
from postcall.followups.process import process
from postcall.messages.models import Message
from postcall.sources.ended_call import EndedCall
from postcall.work import clock
from postcall.work.leases import LostLease, settle, take

from .clinic import CUSTOMER, WORDS, Clinic, KnowingJudge

BOOKED = "After booking"
SENT: dict[str, Any] = {
    "external_id": "c-1",
    "agent": "front-desk",
    "direction": "inbound",
    "customer_number": CUSTOMER,
    "connected": True,
    "transcript": list(WORDS),
    "variables": {"collected": {"first_name": "Maya"}},
}


def come(clinic: Clinic, **fields: Any) -> Call:
    """A call as its platform sent it, with the bytes of that."""
    body = SENT | fields
    return receive(clinic.workspace, None, "api", EndedCall.model_validate(body), json.dumps(body).encode()).call


def misread(call: Call, **fields: Any) -> None:
    """As an older reader of ours would have left it."""
    Call.objects.filter(pk=call.pk).update(**fields)


def decide(clinic: Clinic) -> None:
    process(clinic.take(), KnowingJudge(), clinic.messaging)


def nobody_is_due() -> bool:
    return take(Call, 5, timedelta(seconds=30)) == []


def test_it_finds_nothing_new_where_everything_was_read(clinic: Clinic) -> None:
    clinic.attach("Booked.")
    call = come(clinic)
    decide(clinic)
    before = Call.objects.values().get()
    again = replay(call)
    assert (again.changed, again.looked_at_again) == ((), False)
    assert Call.objects.values().get() == before
    assert nobody_is_due()


def test_it_judges_on_what_it_reads_now_where_there_were_no_words(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    call = come(clinic)
    misread(call, transcript=[], hints={"summary": "Wrong."})
    decide(clinic)
    assert FollowUp.objects.get().reason == "no_transcript"
    again = replay(call)
    assert (again.changed, again.looked_at_again) == (("transcript", "hints"), True)
    decide(clinic)
    assert FollowUp.objects.get().outcome == "message"
    call.refresh_from_db()
    assert (len(call.transcript), call.hints, call.status) == (len(WORDS), {}, "done")


def test_it_sends_nothing_again(clinic: Clinic) -> None:
    clinic.attach("Booked.")
    call = come(clinic)
    misread(call, variables={}, customer_number="+14155550177", customer_number_raw="+14155550177")
    decide(clinic)
    assert replay(call).changed == ("customer_number", "variables")
    decide(clinic)
    assert [message.to for message in Message.objects.all()] == ["+14155550177"]
    assert nobody_is_due()


def test_it_reopens_nothing_that_was_decided_otherwise(clinic: Clinic) -> None:
    clinic.attach("Booked.")
    call = come(clinic)
    misread(call, connected=False)
    decide(clinic)
    replay(call)
    decide(clinic)
    assert FollowUp.objects.get().reason == "not_connected"


def test_it_makes_nothing_of_what_was_attached_since(clinic: Clinic) -> None:
    call = come(clinic)
    misread(call, transcript=[])
    decide(clinic)
    clinic.attach("Later.")
    replay(call)
    decide(clinic)
    assert not FollowUp.objects.exists()


def test_it_takes_the_call_from_a_worker_that_has_it_as_it_was_read_before(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    call = come(clinic)
    misread(call, transcript=[])
    held = clinic.take()
    assert replay(call).looked_at_again
    with pytest.raises(LostLease):
        settle(held, status="done")
    decide(clinic)
    assert FollowUp.objects.get().outcome == "message"


def test_it_texts_nobody_about_a_call_of_the_day_before_yesterday(clinic: Clinic) -> None:
    clinic.attach("Booked.", BOOKED)
    call = come(clinic)
    misread(call, transcript=[], received_at=clock.now() - timedelta(days=2))
    decide(clinic)
    again = replay(call)
    assert (again.changed, again.looked_at_again) == (("transcript",), False)
    assert nobody_is_due()
    assert FollowUp.objects.get().reason == "no_transcript"


@pytest.mark.parametrize(("days", "status", "texts"), [(0, "received", 1), (2, "done", 0)])
def test_it_finds_the_agent_that_is_known_by_now(clinic: Clinic, days: int, status: str, texts: int) -> None:
    clinic.attach("Booked.")
    call = come(clinic, agent="night-desk")
    misread(call, received_at=clock.now() - timedelta(days=days))
    ExternalId.objects.create(
        workspace=clinic.workspace, agent=clinic.agent, source_kind="api", external_id="night-desk"
    )
    assert replay(call).changed == ("agent",)
    call.refresh_from_db()
    assert (call.agent, call.status) == (clinic.agent, status)
    for due in take(Call, 5, timedelta(seconds=30)):
        process(due, KnowingJudge(), clinic.messaging)
    assert Message.objects.count() == texts


def test_it_keeps_the_agent_that_somebody_said_it_was(clinic: Clinic) -> None:
    other = Agent.objects.create(workspace=clinic.workspace, name="Night desk")
    call = assign(come(clinic, agent="unknown"), other, follow_up=False)
    misread(call, transcript=[])
    again = replay(call)
    assert (again.changed, again.looked_at_again) == (("transcript",), False)
    call.refresh_from_db()
    assert (call.agent, call.status, call.agent_ref) == (other, "done", "unknown")
    assert nobody_is_due()


def test_it_reads_the_richer_report_of_two(clinic: Clinic) -> None:
    call = come(clinic, final=False, transcript=[], variables={})
    come(clinic)
    misread(call, transcript=[], variables={}, customer_number="")
    assert replay(call).changed == ("customer_number", "transcript", "variables")


def test_it_still_waits_for_what_is_to_come(clinic: Clinic) -> None:
    later = clock.now() + timedelta(minutes=5)
    call = come(clinic, final=False, judge_after=later.isoformat())
    misread(call, transcript=[])
    assert replay(call).looked_at_again
    assert nobody_is_due()
    assert Call.objects.get().due_at == later


def test_it_changes_nothing_of_a_call_that_is_forgotten(clinic: Clinic) -> None:
    call = come(clinic)
    misread(call, transcript=[], forgotten_at=clock.now())
    with pytest.raises(CannotReplay) as refused:
        replay(call)
    assert refused.value.code == "forgotten"
    assert Call.objects.get().transcript == []


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (None, "no_payload", "Nothing that the platform sent"),
        (b"{", "unreadable", "not JSON"),
        (b'{"external_id": "c-1", "odd": 1}', "unreadable", "odd: there is no such field"),
    ],
)
def test_it_says_why_it_cannot_and_changes_nothing(
    clinic: Clinic, body: bytes | None, code: str, said: str
) -> None:
    call = come(clinic)
    misread(call, transcript=[])
    RawPayload.objects.all().update(body=body) if body else RawPayload.objects.all().delete()
    with pytest.raises(CannotReplay, match=said) as refused:
        replay(call)
    assert refused.value.code == code
    assert Call.objects.get().transcript == []


def test_it_does_not_know_the_platform_of_a_call_any_more(clinic: Clinic) -> None:
    call = come(clinic)
    misread(call, source_kind="telegraph")
    with pytest.raises(CannotReplay, match="telegraph"):
        replay(call)


def test_it_records_no_opt_out_anew_that_somebody_took_back(clinic: Clinic) -> None:
    clinic.attach("Booked.")
    call = come(clinic, transcript=[*WORDS, {"role": "customer", "text": "But please don't text me."}])
    decide(clinic)
    assert OptOut.objects.filter(ended_at=None).exists()
    opt_in(clinic.workspace.pk, CUSTOMER, OptOut.Origin.OPERATOR.value)
    misread(call, variables={})
    assert replay(call).looked_at_again
    decide(clinic)
    assert not OptOut.objects.filter(ended_at=None).exists()
    assert not Message.objects.exists()


def test_it_goes_on_waiting_for_values_that_are_extracted_afterwards(clinic: Clinic) -> None:
    later = clock.now() + timedelta(minutes=5)
    call = come(clinic)
    misread(call, transcript=[], judge_after=later, due_at=later)
    assert replay(call).looked_at_again
    assert Call.objects.get().due_at == later
    RawPayload.objects.all().update(
        body=json.dumps(SENT | {"variables": {"extracted": {"day": "Tuesday"}}}).encode()
    )
    assert replay(call).changed == ("variables",)
    assert len(take(Call, 5, timedelta(seconds=30))) == 1
