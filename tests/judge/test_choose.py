"""Which judge the environment asks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postcall.config import config
from postcall.judge.choose import judge_from_config


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
