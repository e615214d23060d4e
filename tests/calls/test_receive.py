"""A call delivered is a call stored: once, due, whatever is delivered twice."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from postcall.agents.models import Agent, ExternalId
from postcall.calls.models import Call, RawPayload
from postcall.calls.receive import AlreadyAssigned, assign, receive
from postcall.sources.ended_call import EndedCall
from postcall.work.leases import LostLease, settle, take
from postcall.workspaces.models import Workspace

LEASE = timedelta(seconds=30)


@pytest.fixture
def workspace(db: None) -> Workspace:
    return Workspace.objects.create(name="Northgate Clinic")


@pytest.fixture
def agent(workspace: Workspace) -> Agent:
    agent = Agent.objects.create(workspace=workspace, name="Front desk", locale="en-US")
    ExternalId.objects.create(workspace=workspace, agent=agent, source_kind="vapi", external_id="asst-1")
    return agent


def ended(**fields: Any) -> EndedCall:
    return EndedCall.model_validate({"external_id": "c-1", "agent": "asst-1"} | fields)


def deliver(workspace: Workspace, **fields: Any) -> Any:
    return receive(workspace, None, "api", ended(**fields), b"{}")


def test_it_stores_a_call_and_makes_it_due(workspace: Workspace, agent: Agent) -> None:
    receipt = deliver(workspace, customer_number="(415) 555-0132", transcript=[{"role": "agent", "text": "Hello"}])
    call = Call.objects.get(pk=receipt.call.pk)
    assert receipt.status == "accepted"
    assert (call.agent, call.customer_number, call.status) == (agent, "+14155550132", "received")
    assert [taken.pk for taken in take(Call, 5, LEASE)] == [call.pk]
    assert bytes(RawPayload.objects.get(call=call).body) == b"{}"


def test_it_takes_the_same_call_once(workspace: Workspace, agent: Agent) -> None:
    first = deliver(workspace)
    again = deliver(workspace, customer_number="+14155550199")
    assert again.status == "duplicate"
    assert again.call.pk == first.call.pk
    assert Call.objects.get().customer_number == ""


@pytest.mark.django_db(transaction=True)
def test_it_takes_the_same_call_once_when_both_arrive_at_the_same_instant() -> None:
    workspace = Workspace.objects.create(name="Northgate Clinic")
    results: list[str] = []
    together = threading.Barrier(4)

    def one() -> None:
        together.wait()
        results.append(deliver(workspace).status)
        connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["accepted", "duplicate", "duplicate", "duplicate"]
    assert Call.objects.count() == 1


def test_it_waits_for_the_richer_event_of_a_call_that_is_not_final(workspace: Workspace, agent: Agent) -> None:
    deliver(workspace, final=False, judge_after=(timezone.now() + timedelta(minutes=5)).isoformat())
    assert take(Call, 5, LEASE) == []
    richer = deliver(workspace, customer_number="+14155550132")
    assert richer.status == "enriched"
    assert [call.customer_number for call in take(Call, 5, LEASE)] == ["+14155550132"]
    assert deliver(workspace).status == "duplicate"


def test_it_takes_the_call_from_a_worker_that_holds_the_thin_report(workspace: Workspace, agent: Agent) -> None:
    deliver(workspace, final=False, judge_after=(timezone.now() - timedelta(minutes=5)).isoformat())
    (held,) = take(Call, 5, LEASE)
    deliver(workspace, customer_number="+14155550132")
    with pytest.raises(LostLease):
        settle(held, status="done")
    assert len(take(Call, 5, LEASE)) == 1


def test_it_keeps_a_call_of_an_unknown_agent_until_it_is_assigned(workspace: Workspace, agent: Agent) -> None:
    call = deliver(workspace, agent="asst-2").call
    assert (call.status, call.agent_ref) == ("unassigned", "asst-2")
    assert take(Call, 5, LEASE) == []
    assign(call, agent, follow_up=True)
    assert [taken.pk for taken in take(Call, 5, LEASE)] == [call.pk]
    with pytest.raises(AlreadyAssigned):
        assign(call, agent, follow_up=True)


def test_it_assigns_for_the_log_only_when_asked(workspace: Workspace, agent: Agent) -> None:
    call = assign(deliver(workspace, agent="asst-2").call, agent, follow_up=False)
    assert call.status == "done"
    assert take(Call, 5, LEASE) == []


def test_it_keeps_a_call_for_the_log_only_when_its_final_report_comes(workspace: Workspace, agent: Agent) -> None:
    thin = deliver(workspace, agent="asst-2", final=False, judge_after=timezone.now().isoformat()).call
    assert assign(thin, agent, follow_up=False).processed_at is not None
    richer = deliver(workspace, agent="asst-2", customer_number="+14155550132")
    assert (richer.status, richer.call.status) == ("enriched", "done")
    assert Call.objects.get().customer_number == "+14155550132"
    assert take(Call, 5, LEASE) == []


def test_it_finds_an_agent_by_our_own_id(workspace: Workspace, agent: Agent) -> None:
    assert deliver(workspace, agent=str(agent.pk)).call.agent == agent


def test_it_finds_no_agent_of_another_workspace(workspace: Workspace, agent: Agent) -> None:
    other = Workspace.objects.create(name="Harbour Garage")
    assert deliver(other, agent="asst-1").call.agent is None
    assert deliver(other, external_id="c-2", agent=str(agent.pk)).call.agent is None


def test_it_stores_what_postgresql_cannot_hold_as_replacement_characters(
    workspace: Workspace, agent: Agent
) -> None:
    call = deliver(
        workspace,
        transcript=[{"role": "customer", "text": "a\x00b\ud800c"}],
        variables={"collected": {"name\x00": "x\ud800"}},
    ).call
    call.refresh_from_db()
    assert call.transcript[0]["text"] == "a�b�c"
    assert call.variables["collected"] == {"name�": "x�"}


def test_it_lets_a_lease_run_out(workspace: Workspace, agent: Agent) -> None:
    deliver(workspace)
    (first,) = take(Call, 5, timedelta(seconds=-1))
    (second,) = take(Call, 5, LEASE)
    assert (second.generation, second.starts) == (2, 2)
    with pytest.raises(LostLease):
        settle(first, status="done")
    settle(second, status="done")
    assert take(Call, 5, LEASE) == []


@pytest.mark.django_db(transaction=True)
def test_it_tells_the_workers_at_once_when_a_call_is_due(database_url: str) -> None:
    import psycopg

    workspace = Workspace.objects.create(name="Northgate Clinic")
    agent = Agent.objects.create(workspace=workspace, name="Front desk")
    parameters = {"dbname": "test_postcall", "autocommit": True}
    with psycopg.connect(database_url, **parameters) as listening:  # type: ignore[arg-type]  # plain keywords
        listening.execute("LISTEN postcall_work")
        deliver(workspace, agent=str(agent.pk))
        (heard,) = listening.notifies(timeout=30, stop_after=1)
    assert heard.payload == "calls"
