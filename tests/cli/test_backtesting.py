"""`postcall backtest` and `postcall cases`, against the tests' own database; here no worker lives."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from followups.clinic import Clinic
from llm_stand_in import ModelServer

from postcall.judge import choose
from postcall.judge.llm import LLMJudge
from postcall.messages.models import Message
from postcall.testbench.cases import note
from postcall.testbench.models import BenchRun
from postcall.work.models import Worker
from postcall.workspaces.audit import SYSTEM
from postcall.workspaces.models import AuditEntry

from .conftest import Run

WHERE = ("--workspace", "Northgate Clinic")
BOOKED = "After scheduling an appointment"


@pytest.fixture
def clinic(db: None) -> Clinic:
    return Clinic()


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A language model that is paid for, as far as anybody knows."""
    with ModelServer() as server:
        server.script.append(answers)
        monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "openai:gpt-5-mini")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "of-the-tests")
        choose._asking.cache_clear()
        yield server
        judge = choose.judge_from_config()
        assert isinstance(judge, LLMJudge)
        judge.close()
        choose._asking.cache_clear()


def answers(request: dict[str, Any]) -> dict[str, Any]:
    return answered(request, "met")


def answered(request: dict[str, Any], result: str) -> dict[str, Any]:  # as the stand-in asks
    """`result` for the one condition that there is, with a quote that stands in the clinic's calls."""
    evidence = [{"turn": 3, "quote": "Thursday at two it is."}] if result == "met" else []
    said = {"id": "C1", "evidence": evidence, "reason": "It says so.", "result": result, "confidence": 0.95}
    return {"conditions": [said | {"probability": 0.97 if evidence else 0.03}]}


def told() -> list[str]:
    return list(AuditEntry.objects.filter(actor_kind="cli").order_by("pk").values_list("verb", flat=True))


def test_it_says_what_would_be_sent_and_sends_nothing(on_database: Run, clinic: Clinic) -> None:
    clinic.attach("You are booked.")
    for n in range(3):
        clinic.receive(f"c-{n}")
    ended = on_database("backtest", "you are booked.", "--latest", "2", *WHERE)
    assert ended.code == 0, ended.err
    assert "2 calls, judged by the built-in judge." in ended.err
    assert "this command does the work itself" in ended.err
    assert "Texts: 2 segments, about USD 0.02. Nothing was sent." in ended.out
    assert "turn" not in ended.out
    assert not Message.objects.exists()
    assert told() == ["begin"]


def test_it_shows_each_call_that_comes_to_something_else(on_database: Run, clinic: Clinic) -> None:
    clinic.attach("You are booked.")
    clinic.receive("voicemail", ending="voicemail")
    clinic.receive("plain")
    words = ("--message", "You are booked, <name>.", "--condition", "After the customer asked for [x] a refund")
    ended = on_database("backtest", "You are booked.", *words, *WHERE)
    assert "plain of" in ended.out
    assert "would send →" in ended.out
    assert "voicemail of" not in ended.out
    shown = json.loads(on_database("backtest", "You are booked.", *words, *WHERE, "--json").out)
    assert (shown["state"], shown["summary"]["changed"], shown["summary"]["no_longer"]) == ("done", 1, 1)
    assert [each["changed"] for each in shown["results"]] == [True, False]


def test_it_asks_before_a_judge_is_paid(on_database: Run, clinic: Clinic, model: ModelServer) -> None:
    clinic.attach("You are booked.", BOOKED)
    clinic.receive()
    refused = on_database("backtest", "You are booked.", *WHERE)
    assert (refused.code, refused.err.count("\n"), model.requests) == (1, 1, [])
    assert "1 calls, judged by openai:gpt-5-mini: about" in refused.err
    assert "say --yes" in refused.err
    assert not BenchRun.objects.exists()
    ended = on_database("backtest", "You are booked.", *WHERE, "--yes")
    assert ended.code == 0, ended.err
    assert len(model.requests) == 1
    assert "Judging (openai:gpt-5-mini): 1 requests" in ended.out
    assert "turn 3: “Thursday at two it is.”" in ended.out


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Who runs several tests at a time has their processes ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c")
def test_it_stops_cleanly_and_says_how_to_go_on(on_database: Run, clinic: Clinic, model: ModelServer) -> None:
    clinic.attach("You are booked.", BOOKED)
    clinic.receive()

    def interrupting(request: dict[str, Any]) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGINT)
        return answers(request)

    model.script[:] = [interrupting, answers]
    stopped = on_database("backtest", "You are booked.", *WHERE, "--yes")
    run = BenchRun.objects.get()
    assert (stopped.code, run.state, run.lease_until) == (130, "canceled", None)
    how = f'postcall backtest --resume {run.pk} --workspace "Northgate Clinic"'
    assert f"Go on with `{how}`" in stopped.err
    ended = on_database("backtest", "--resume", str(run.pk), *WHERE, "--yes")
    assert ended.code == 0, ended.err
    run.refresh_from_db()
    assert (run.state, run.done) == ("done", 1)
    assert told() == ["begin", "cancel", "go_on"]


def test_it_follows_the_worker_that_lives(
    on_database: Run, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.attach("You are booked.")
    clinic.receive()
    now = datetime.now(UTC) + timedelta(hours=1)
    Worker.objects.create(host="here", pid=1, seen_at=now, started_at=now)

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("postcall.cli.backtesting.time.sleep", interrupted)
    ended = on_database("backtest", "You are booked.", *WHERE)
    assert (ended.code, BenchRun.objects.get().done) == (130, 0)
    assert "does the work itself" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("Nope",), 1, "there are: You are booked."),
        (("You are booked.", "--agent", "nobody"), 1, "there is no “nobody”"),
        (("You are booked.", "--since", "2031-01-01"), 1, "There is no call to try it on"),
        (("You are booked.", "--since", "2031-01-02", "--until", "2031-01-01"), 2, "--since"),
        (("You are booked.", "--condition", " "), 2, "--condition"),
        (("--resume", "00000000-0000-7000-8000-000000000000"), 1, "there is no backtest"),
        ((), 2, "ACTION"),
    ],
)
def test_it_says_what_it_cannot_do(
    on_database: Run, clinic: Clinic, arguments: tuple[str, ...], code: int, said: str
) -> None:
    clinic.attach("You are booked.")
    ended = on_database("backtest", *arguments, *WHERE)
    assert ended.code == code
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_it_fails_where_a_case_fails(on_database: Run, clinic: Clinic, model: ModelServer) -> None:
    action = clinic.attach("You are booked.", BOOKED).action
    note(action, SYSTEM, "met", call=clinic.receive("c-1"))
    note(action, SYSTEM, "not_met", call=clinic.receive("c-2"))
    seen = on_database("cases", "You are booked.", *WHERE)
    assert seen.code == 0, seen.err
    assert seen.out.count("not judged yet") == 3
    ended = on_database("cases", "You are booked.", *WHERE, "--run", "--yes", "--json")
    assert ended.code == 1
    assert "1 of 2 cases fail" in ended.err
    shown = json.loads(ended.out)
    assert [each["mark"] for each in shown["items"]] == ["fail", "pass"]
    assert (shown["score"]["precision"], shown["score"]["recall"]) == (0.5, 1.0)
    assert told() == ["run_cases"]
    model.script[:] = [lambda request: answered(request, "not_met")]
    again = on_database("cases", "You are booked.", *WHERE, "--run", "--yes", "--condition", "After a refund")
    assert again.code == 1
    assert "Precision –, recall 0%" in again.out
