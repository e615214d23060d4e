"""The same call told of again: by another source, by another name, in another thin report, or too late."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any, Final

import pytest
from django.db import connections

from postcall.agents.models import Agent, ExternalId
from postcall.calls.lateness import is_recent
from postcall.calls.models import Call, RawPayload
from postcall.calls.receive import Receipt, receive
from postcall.calls.replay import replay
from postcall.calls.unknown import adopt, unknown_agents
from postcall.sources.ended_call import EndedCall
from postcall.sources.models import Source
from postcall.work import clock
from postcall.work.leases import LostLease, settle, take
from postcall.workspaces.models import Workspace

ANN: Final = "+14155550132"


def a_source(kind: str = "retell", name: str = "Northgate Clinic") -> Source:
    workspace = Workspace.objects.create(name=name)
    agent = Agent.objects.create(workspace=workspace, name="Front desk")
    ExternalId.objects.create(workspace=workspace, agent=agent, source_kind=kind, external_id="front")
    return Source.objects.create(workspace=workspace, kind=kind, name="Agent's webhook")


@pytest.fixture
def source(db: None) -> Source:
    return a_source()


def another(source: Source, **fields: Any) -> Source:
    given = {"workspace": source.workspace, "kind": source.kind, "name": "Account's webhook"}
    return Source.objects.create(**(given | fields))


def deliver(source: Source | None, workspace: Workspace | None = None, kind: str = "", **fields: Any) -> Receipt:
    home = workspace or (source.workspace if source else None)
    assert home
    ended = EndedCall.model_validate({"external_id": "c-1", "agent": "front", "customer_number": ANN} | fields)
    return receive(home, source, kind or (source.kind if source else ""), ended, b"{}")


def test_two_sources_of_a_platform_that_bring_one_call_make_one(source: Source) -> None:
    deliver(source)
    assert deliver(another(source)).status == "duplicate"
    assert deliver(another(source, deleted_at=clock.now())).status == "duplicate"
    assert deliver(None, source.workspace, "retell").status == "duplicate"
    assert (Call.objects.count(), RawPayload.objects.count()) == (1, 1)


def test_a_call_that_was_put_in_before_its_source_was_made_is_known(source: Source) -> None:
    deliver(None, source.workspace, "retell")
    assert deliver(source).status == "duplicate"


def test_the_richer_report_may_come_through_another_source(source: Source) -> None:
    deliver(source, final=False, customer_number=None)
    source.deleted_at = clock.now()
    source.save()
    assert deliver(another(source)).status == "enriched"
    call = Call.objects.get()
    assert (call.customer_number, call.final) == (ANN, True)


def test_calls_of_other_workspaces_and_platforms_and_of_own_ids_are_other_calls(source: Source) -> None:
    deliver(source)
    deliver(a_source(name="Southgate Clinic"))
    deliver(another(source, kind="bland"))
    one = another(source, kind="generic")
    deliver(one)
    deliver(another(one))
    assert Call.objects.count() == 5


@pytest.mark.parametrize("first", [0, 1])
def test_reports_of_which_one_names_the_other_by_its_id_are_of_one_call(source: Source, first: int) -> None:
    reports: list[dict[str, Any]] = [
        {"external_id": "room-1", "also_known_as": ["job-1"], "final": False},
        {"external_id": "job-1"},
    ]
    deliver(source, **reports[first])
    deliver(source, **reports[1 - first])
    assert Call.objects.count() == 1


def test_calls_of_one_session_are_several(source: Source) -> None:
    deliver(source, external_id="c-1", also_known_as=["session-1"])
    assert deliver(source, external_id="c-2", also_known_as=["session-1"]).status == "accepted"


@pytest.mark.django_db(transaction=True)
def test_two_sources_that_bring_one_call_at_the_same_instant_make_one() -> None:
    source = a_source()
    sources = [source, another(source), another(source), another(source)]
    together = threading.Barrier(len(sources))

    def one(through: Source, call: str) -> None:
        try:
            together.wait()
            deliver(through, external_id=call)
        finally:
            connections.close_all()

    for number in range(5):
        threads = [threading.Thread(target=one, args=[each, f"c-{number}"]) for each in sources]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Call.objects.count() == number + 1


# Two thin reports.

STATUS: Final[dict[str, Any]] = {
    "final": False,
    "end_reason": "completed",
    "ending": "voicemail",
    "hints": {"by": "machine"},
}
SESSION: Final[dict[str, Any]] = {
    "final": False,
    "customer_number": None,
    "agent": None,
    "end_reason": "ended",
    "variables": {"collected": {"day": "Tuesday"}},
    "hints": {"session": "ended"},
}


@pytest.mark.parametrize("first", [0, 1])
def test_two_thin_reports_say_together_what_each_of_them_says(source: Source, first: int) -> None:
    both = [STATUS, SESSION]
    due = deliver(source, **both[first]).call.due_at
    assert deliver(source, **both[1 - first]).status == "enriched"
    assert deliver(source, **both[1 - first]).status == "duplicate"
    call = Call.objects.get()
    assert (call.customer_number, call.ending, call.final) == (ANN, "voicemail", False)
    assert call.end_reason == both[first]["end_reason"]
    assert (call.hints, call.variables["collected"]) == ({"by": "machine", "session": "ended"}, {"day": "Tuesday"})
    assert call.agent is not None
    assert call.due_at == call.judge_after
    assert due is None or call.due_at == due


def test_a_second_thin_report_takes_the_call_from_a_worker_that_holds_the_first(source: Source) -> None:
    deliver(source, **SESSION | {"agent": "front", "judge_after": clock.now().isoformat()})
    (held,) = take(Call, 1, timedelta(seconds=30))
    deliver(source, **STATUS)
    with pytest.raises(LostLease):
        settle(held, status="done")
    assert len(take(Call, 1, timedelta(seconds=30))) == 1


def test_a_second_thin_report_changes_nothing_of_a_call_that_is_decided(source: Source) -> None:
    deliver(source, **SESSION)
    Call.objects.update(status="done", due_at=None, processed_at=clock.now())
    before = Call.objects.values().get()
    assert deliver(source, **STATUS).status == "duplicate"
    assert Call.objects.values().get() == before


# Too late.


@pytest.mark.parametrize("gone", [{"received_at": 2}, {"ended_at": 2}, {"started_at": 2}])
def test_a_richer_report_of_a_call_of_the_day_before_yesterday_is_for_the_log(
    source: Source, gone: dict[str, int]
) -> None:
    deliver(source, final=False, customer_number=None)
    times = {name: clock.now() - timedelta(days=days) for name, days in gone.items()}
    Call.objects.update(status="done", due_at=None, generation=1, processed_at=clock.now(), **times)
    assert deliver(source).status == "enriched"
    call = Call.objects.get()
    assert (call.customer_number, call.final, call.status, call.due_at) == (ANN, True, "done", None)


def test_a_report_brings_nothing_of_a_forgotten_call_back(source: Source) -> None:
    deliver(source, final=False)
    Call.objects.update(forgotten_at=clock.now(), transcript=[], status="done", due_at=None, generation=1)
    said = [{"role": "customer", "text": "Tuesday."}]
    assert deliver(source, transcript=said).status == "duplicate"
    assert (Call.objects.get().transcript, RawPayload.objects.count()) == ([], 1)


@pytest.mark.parametrize(
    ("ended", "started", "told"),
    [(0, 0, True), (2, 2, False), (None, 2, False), (None, None, True), (0, 2, True)],
)
def test_it_goes_everywhere_by_when_a_call_ended(
    source: Source, ended: int | None, started: int | None, told: bool
) -> None:
    now = clock.now()
    times = [None if days is None else now - timedelta(days=days) for days in (ended, started)]
    call = deliver(source, agent="night").call
    Call.objects.update(ended_at=times[0], started_at=times[1])
    call.refresh_from_db()
    assert is_recent(call, now) is told
    assert [unknown.recent for unknown in unknown_agents(source.workspace)] == [int(told)]
    adopt(source.workspace.agents.get(), "retell", "night", follow_up=True)
    assert Call.objects.get().status == ("received" if told else "done")


# Read again.


def test_reading_again_says_what_the_reports_said_together(db: None) -> None:
    workspace = Workspace.objects.create(name="Northgate Clinic")
    thin = {"external_id": "c-1", "customer_number": ANN, "direction": "inbound", "final": False}
    other = {"external_id": "c-1", "agent_number": "+14155550100", "final": False, "ending": "hung_up"}
    rich = {"external_id": "c-1", "transcript": [{"role": "customer", "text": "Tuesday."}]}
    for body in (thin, other, rich):
        ended = EndedCall.model_validate(body)
        receive(workspace, None, "api", ended, ended.model_dump_json(exclude_unset=True).encode())
    call = Call.objects.get()
    assert (call.customer_number, call.agent_number, call.ending) == (ANN, "+14155550100", "hung_up")
    assert replay(call).changed == ()
