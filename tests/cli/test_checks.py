"""`postcall check` finds what is wrong and never falls over it."""

import json

import pytest
from django.db import connection

from postcall.messages.accounts import use_sandbox
from postcall.workspaces.models import Workspace

from .conftest import Run


def found(run: Run, subject: str) -> dict[str, str]:
    rows = json.loads(run("check", "--json").out)
    return next(row for row in rows if row["subject"] == subject)


def test_it_asks_for_the_migrations_that_are_missing(on_database: Run) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations")
        cursor.execute("ALTER TABLE sending_account RENAME TO not_there")
    ended = on_database("check")
    assert ended.code == 1
    assert ended.err == "postcall: to be mended: Database\n"
    assert "run `postcall migrate`" in ended.out


def test_it_says_that_the_database_is_too_old(on_database: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcall.cli.checks.OLDEST_POSTGRES", 990_000)
    ended = on_database("check")
    assert (ended.code, "is too old" in ended.out) == (1, True)


def test_it_warns_of_a_sandbox_that_nobody_started(on_database: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    use_sandbox(Workspace.objects.create(name="[/red] Clinic"))
    assert found(on_database, "Sandbox")["level"] == "warning"
    monkeypatch.setenv("POSTCALL_SANDBOX_URL", "http://127.0.0.1:1")
    assert "none answers" in found(on_database, "Sandbox")["text"]
    assert "Texts of [/red] Clinic" in on_database("check").out


def test_it_says_that_a_cascades_model_needs_its_key(on_database: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "cascade:anthropic:claude-sonnet-4-5")
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    judge = found(on_database, "Judge")
    assert (judge["level"], "set ANTHROPIC_API_KEY" in judge["mend"]) == ("error", True)
