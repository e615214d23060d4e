"""A model server for every test that asks one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from asking import report
from llm_stand_in import ModelServer


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    with ModelServer([report()]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-the-tests")
        yield server
