"""Which judge the environment asks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from asking import case
from llm_stand_in import ModelServer

from postcall.config import config
from postcall.judge.choose import judge_from_config
from postcall.judge.llm import LLMJudge
from postcall.judge.verdicts import Turn


@pytest.fixture(autouse=True)
def _config_as_the_environment_has_it() -> Iterator[None]:
    config.cache_clear()
    yield
    config.cache_clear()


def test_it_is_one_judge_for_the_whole_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "offline")
    assert judge_from_config() is judge_from_config()


def test_it_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "openai:one")
    config.cache_clear()
    one = judge_from_config()
    monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "openai:two")
    config.cache_clear()
    assert (one.name, judge_from_config().name) == ("openai:one", "openai:two")


def test_it_asks_as_the_environment_says(monkeypatch: pytest.MonkeyPatch, model: ModelServer) -> None:
    for name, value in (("MODEL", "openai:asked"), ("OUTPUT", "tool"), ("CONTEXT", "6000"), ("TIMEOUT", "200")):
        monkeypatch.setenv(f"POSTCALL_JUDGE_{name}", value)
    judge = judge_from_config()
    assert isinstance(judge, LLMJudge)
    judge.decide(case(turns=(*case().turns, Turn("agent", "Please hold. " * 500))))
    judge.close()
    assert len(model.requests) > 1
    assert all(request["tool_choice"] == "required" for request in model.requests)
    assert judge.deadline_of(1) > 400
