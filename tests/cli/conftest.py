"""The command, run in this process as a shell would run it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from postcall.cli import main
from postcall.config import config


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Without a database: commands that need one find none."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    config.cache_clear()

    def ended(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["postcall", *arguments])
        config.cache_clear()
        with pytest.raises(SystemExit) as exited:
            main()
        captured = capsys.readouterr()
        code = exited.value.code
        return Ended(code if isinstance(code, int) else 0, captured.out, captured.err)

    yield ended
    config.cache_clear()


@pytest.fixture
def on_database(run: Run, db: None, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """On the tests' own database, in the test's own transaction."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    return run
