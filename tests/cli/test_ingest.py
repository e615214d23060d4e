"""`postcall ingest` reads calls as the API does."""

import json
from pathlib import Path
from typing import Any

import pytest

from postcall.agents.models import Agent
from postcall.calls.models import Call
from postcall.workspaces.models import Workspace

from .conftest import Run

CALL: dict[str, Any] = {"external_id": "c-1", "customer_number": "+14155550132", "transcript": []}


@pytest.fixture
def ingest(on_database: Run, tmp_path: Path) -> Run:
    Workspace.objects.get_or_create(name="Default")

    def ingested(content: str, *options: str) -> Any:
        path = tmp_path / "call.json"
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
