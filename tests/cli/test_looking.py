"""Commands that only look make nothing, migrate nothing and settle nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection

from postcall.workspaces.models import ApiKey, AuditEntry, Workspace

from .conftest import Run

LOOKS = [
    ("audit",),
    ("key", "list"),
    ("erase", "+14155550132", "--dry-run"),
    ("export", "FILE", "--workspace", "Northgate Clinic"),
]


def in_folder(arguments: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    return tuple(str(folder / "export.jsonl") if each == "FILE" else each for each in arguments)


@pytest.mark.parametrize("arguments", LOOKS, ids=" ".join)
def test_it_settles_nothing(
    on_database: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    Workspace.objects.create(name="Northgate Clinic")
    monkeypatch.setenv("POSTCALL_API_KEY", "pc_a_key_to_be_settled_0123")
    ended = on_database(*in_folder(arguments, tmp_path))
    assert ended.code == 0, ended.err
    assert not ApiKey.objects.exists()
    assert not Workspace.objects.filter(name="Default").exists()
    assert not AuditEntry.objects.exclude(verb="export").exists()


@pytest.mark.parametrize("arguments", LOOKS, ids=" ".join)
def test_it_asks_for_the_migrations_that_are_missing(
    on_database: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'keeping'")
    ended = on_database(*in_folder(arguments, tmp_path))
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "run `postcall migrate`" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", LOOKS, ids=" ".join)
def test_it_makes_no_database(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("POSTCALL_DATA_DIR", str(tmp_path / "data"))
    ended = run(*in_folder(arguments, tmp_path))
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "`postcall up` or `postcall migrate` makes one" in ended.err
    assert list(tmp_path.iterdir()) == []
