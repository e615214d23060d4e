"""`postcall ingest` reads calls as the API does."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.calls.receive import receive
from postcall.followups.optouts import hashed
from postcall.keeping import export
from postcall.messages.accounts import use_own, use_sandbox
from postcall.sources.kinds import KINDS
from postcall.sources.models import Source
from postcall.work import clock
from postcall.workspaces.models import Workspace

from .conftest import Run

CALL: dict[str, Any] = {"external_id": "c-1", "customer_number": "+14155550132", "transcript": []}


@pytest.fixture
def ingest(on_database: Run, tmp_path: Path) -> Run:
    Workspace.objects.get_or_create(name="Default")

    def ingested(content: str, *options: str, file: str = "call.json") -> Any:
        path = tmp_path / file
        path.write_text(content)
        return on_database("ingest", str(path), "--no-wait", *options)

    return ingested


def test_it_stores_a_call_once(ingest: Run) -> None:
    assert ingest(json.dumps(CALL)).code == 0
    assert "duplicate" in ingest(json.dumps(CALL)).out
    assert Call.objects.count() == 1


def test_it_prints_no_table_when_all_were_refused(ingest: Run) -> None:
    ended = ingest(json.dumps(CALL | {"[/x]": 1}))
    assert (ended.code, ended.out) == (1, "")
    assert "[/x]: there is no such field" in ended.err
    assert "nothing was stored" in ended.err


@pytest.mark.parametrize("content", ["{", "[" * 200_000, '{"external_id": NaN}', "[]", ""])
def test_it_refuses_what_is_no_call(ingest: Run, content: str) -> None:
    ended = ingest(content)
    assert (ended.code, "Traceback" in ended.err) == (1, False)


def test_it_keeps_the_source_when_it_is_told_the_agent(ingest: Run) -> None:
    agent = Agent.objects.create(workspace=Workspace.objects.get(name="Default"), name="Front desk", timezone="UTC")
    event = json.dumps({"type": "call.ended", "data": CALL | {"agent": "elsewhere"}})
    assert ingest(event, "--source", "generic", "--agent", "Front desk").code == 0
    call = Call.objects.get()
    assert (call.source_kind, call.agent) == ("generic", agent)


def event(**fields: Any) -> str:
    return json.dumps({"type": "call.ended", "data": CALL | fields})


def a_source(name: str = "Front desk", kind: str = "generic", **fields: Any) -> Source:
    workspace = Workspace.objects.get(name="Default")
    return Source.objects.create(workspace=workspace, kind=kind, name=name, **fields)


def came_in_through(source: Source | None) -> Call:
    """The call as its platform delivered it."""
    ended = KINDS["generic"].parse(event().encode())
    workspace = Workspace.objects.get(name="Default")
    return receive(workspace, source, "generic", ended, event().encode()).call  # type: ignore[arg-type]  # it is one


def test_it_puts_calls_into_the_one_source_of_their_kind(ingest: Run) -> None:
    source = a_source()
    a_source("Gone", deleted_at=clock.now())
    assert ingest(event(), "--source", "generic").code == 0
    assert Call.objects.get().source == source


def test_it_makes_no_second_call_of_one_that_came_through_its_source(ingest: Run) -> None:
    came_in_through(a_source())
    assert "duplicate" in ingest(event(), "--source", "generic").out
    assert Call.objects.count() == 1


def test_it_makes_no_second_call_of_one_whose_source_was_disconnected(ingest: Run) -> None:
    came_in_through(a_source(deleted_at=clock.now()))
    assert "duplicate" in ingest(event(), "--source", "generic").out
    a_source("Connected anew")
    assert "duplicate" in ingest(event(), "--source", "generic").out
    assert "duplicate" in ingest(event(), "--source", "Connected anew").out
    assert Call.objects.count() == 1


def test_it_makes_no_second_call_of_one_that_was_put_in_before_its_source_was_made(ingest: Run) -> None:
    ingest(event(), "--source", "generic")
    a_source()
    assert "duplicate" in ingest(event(), "--source", "generic").out
    assert Call.objects.get().source is None


def test_it_makes_no_second_call_of_one_whose_id_was_erased(ingest: Run) -> None:
    call = came_in_through(a_source(deleted_at=clock.now()))
    named = "call-of-+14155550132"
    Call.objects.update(external_id=hashed(call.workspace_id, named))
    assert "duplicate" in ingest(event(external_id=named), "--source", "generic").out
    assert Call.objects.count() == 1


def test_it_asks_which_of_several_sources_is_meant(ingest: Run) -> None:
    front, back = a_source(), a_source("Back desk")
    refused = ingest(event(), "--source", "generic")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert all(word in refused.err for word in ("Front desk", "Back desk", str(front.pk), str(back.pk)))
    assert not Call.objects.exists()
    assert ingest(event(), "--source", "back desk").code == 0
    assert ingest(event(), "--source", str(front.pk)).code == 0
    assert set(Call.objects.values_list("source", flat=True)) == {front.pk, back.pk}


def test_it_lists_what_there_is_when_there_is_none_of_that_name(ingest: Run) -> None:
    a_source()
    refused = ingest(event(), "--source", "nonsense")
    assert (refused.code, Call.objects.count()) == (2, 0)
    assert all(word in refused.err for word in ("api", "generic", "Front desk"))


def test_it_enriches_a_call_whose_thin_report_was_put_in_before(ingest: Run) -> None:
    source = a_source()
    thin = event(final=False, customer_number=None) + "\n"
    assert ingest(thin, "--source", "generic").code == 0
    assert "enriched" in ingest(event(), "--source", "generic").out
    call = Call.objects.get()
    assert (call.source, call.customer_number, call.final) == (source, "+14155550132", True)


def test_it_gives_no_agent_to_a_call_that_is_known(ingest: Run) -> None:
    call = came_in_through(a_source())
    Agent.objects.create(workspace=call.workspace, name="Front desk", timezone="UTC")
    assert "duplicate" in ingest(event(), "--source", "generic", "--agent", "Front desk").out
    assert Call.objects.get().status == Call.Status.UNASSIGNED


def retell(event: str, **fields: Any) -> dict[str, Any]:
    call = {"call_type": "phone_call", "call_id": "call-1", "agent_id": "agent-1", "direction": "inbound"}
    numbers = {"from_number": "+14155550132", "to_number": "+14155550100"}
    return {"event": event, "call": call | numbers | fields}


THIN = retell("call_ended", transcript="Agent: Hello.\nUser: Hi.\n")
RICH = retell(
    "call_analyzed",
    transcript="Agent: Hello.\nUser: Hi.\n",
    call_analysis={"call_summary": "A greeting.", "custom_analysis_data": {"topic": "none"}},
)


@pytest.mark.parametrize(
    ("events", "counted"),
    [
        ([THIN, RICH], {"accepted": 1, "enriched": 1}),
        ([RICH, THIN], {"accepted": 1, "duplicate": 1}),
        ([retell("call_started"), THIN], {"ignored": 1, "accepted": 1}),
    ],
)
def test_it_makes_one_call_of_the_events_of_one(
    ingest: Run, events: list[dict[str, Any]], counted: dict[str, int]
) -> None:
    lines = "\n".join(json.dumps(each) for each in events)
    ended = ingest(lines, "--source", "retell", "--json", file="calls.jsonl")
    told = json.loads(ended.out)
    assert {name: count for name, count in told["received"].items() if count} == counted
    call = Call.objects.get()
    assert call.final is (RICH in events)
    assert call.hints.get("summary") == ("A greeting." if RICH in events else None)


def insights(conversation: str) -> dict[str, Any]:
    payload = {
        "assistant_id": "assistant-1",
        "call_control_id": f"control-{conversation}",
        "call_session_id": f"session-{conversation}",
        "conversation_id": conversation,
        "insight_group_id": "group-1",
        "results": [{"insight_id": "insight-1", "result": {"day": "Tuesday"}}],
    }
    return {"data": {"event_type": "call.conversation_insights.generated", "id": "e-2", "payload": payload}}


def conversation(name: str) -> dict[str, Any]:
    payload = {
        "assistant_id": "assistant-1",
        "call_control_id": f"control-{name}",
        "call_session_id": f"session-{name}",
        "conversation_id": name,
        "from": "+14155550132",
        "to": "+14155550100",
        "messages": [{"role": "user", "content": "Tuesday please."}],
    }
    return {"data": {"event_type": "call.conversation.ended", "id": "e-1", "payload": payload}}


@pytest.mark.parametrize("later_first", [False, True])
def test_it_adds_what_later_events_tell_to_calls_of_a_source(ingest: Run, later_first: bool) -> None:
    a_source(kind="telnyx")
    events = [conversation("c-1"), insights("c-1")]
    lines = "\n".join(json.dumps(each) for each in (events[::-1] if later_first else events))
    for status in ("accepted", "duplicate"):
        told = json.loads(ingest(lines, "--source", "telnyx", "--json", file="calls.jsonl").out)
        assert {name: count for name, count in told["received"].items() if count} == {status: 2}
    assert "Tuesday" in json.dumps(Call.objects.get().variables["extracted"])


def test_it_ignores_later_events_where_there_is_no_source_to_keep_them(ingest: Run) -> None:
    told = json.loads(ingest(json.dumps(insights("c-1")), "--source", "telnyx", "--json").out)
    assert told["received"] == {"ignored": 1}


def test_it_puts_in_what_an_export_holds_of_the_platform(ingest: Run) -> None:
    gone = Workspace.objects.create(name="Northgate Clinic")
    for kind, body in (("generic", event()), ("retell", json.dumps(RICH))):
        receive(gone, None, kind, KINDS[kind].parse(body.encode()), body.encode())  # type: ignore[arg-type]  # it is one
    lines = "".join(export.lines(gone))
    told = json.loads(ingest(lines, "--source", "retell", "--json", file="export.jsonl").out)
    assert told["received"] == {"of another platform": 1, "accepted": 1}
    ours = Call.objects.get(workspace__name="Default")
    assert (ours.source_kind, ours.external_id) == ("retell", "call-1")
    assert "duplicate" in ingest(lines, "--source", "retell", file="export.jsonl").out


@pytest.mark.parametrize(
    ("options", "sandbox", "days", "status"),
    [
        ([], False, 2, None),
        ([], False, 0, "received"),
        ([], True, 2, "received"),
        (["--follow-up"], False, 2, "received"),
        (["--for-the-log"], False, 2, "done"),
    ],
)
def test_it_texts_about_calls_of_the_day_before_yesterday_only_when_told(
    ingest: Run, options: list[str], sandbox: bool, days: int, status: str | None
) -> None:
    workspace = Workspace.objects.get(name="Default")
    if sandbox:
        use_sandbox(workspace)
    else:
        use_own(workspace, account_sid="AC" + "1" * 32, auth_token="2" * 32, from_number="+14155550100")
    Agent.objects.create(workspace=workspace, name="Front desk", timezone="UTC")
    ended_at = (clock.now() - timedelta(days=days)).isoformat()
    ended = ingest(json.dumps(CALL | {"ended_at": ended_at}), "--agent", "Front desk", *options)
    assert list(Call.objects.values_list("status", flat=True)) == ([status] if status else [])
    assert (ended.code, "--for-the-log" in ended.err) == ((0, False) if status else (1, True))
    assert Call.objects.filter(due_at__isnull=False).count() == (status == "received")
