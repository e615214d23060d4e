"""Every command there is leaves an entry in the audit log, or stands here with the reason why it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from postcall.cli.app import app
from postcall.workspaces.models import AuditEntry

from .conftest import Run

EMAIL = "dana@northgate.example"
UNAUDITED = {
    "up": "runs the parts; what the environment settles is told as the system's doing",
    "web": "a part; its doors tell of each change",
    "worker": "a part; a call's own row says what became of it",
    "migrate": "settles what the environment asks for, which is told as the system's doing",
    "check": "only looks",
    "judge": "touches no database",
    "bench judge": "touches no database",
    "ingest": "the call's own row says all of it, as with POST /calls",
    "sample": "goes through the API, by a key, whose entries they are",
    "sandbox": "touches no database",
    "audit": "only looks",
    "key list": "only looks",
    "import synthflow": "needs a Synthflow to read: tests/cli/test_importing.py shows its entries",
    "backtest": "needs an action and calls: tests/cli/test_backtesting.py shows its entries",
    "cases": "needs an action and cases: tests/cli/test_backtesting.py shows the entry of --run",
    "backup": "needs the embedded database: tests/keeping/test_backup.py shows its entry",
}
# How each of the others is brought to change something: what comes before, and the command itself.
CHANGES: dict[str, list[tuple[str, ...]]] = {
    "rekey": [("rekey",)],
    "restore": [("restore", "--taken-at", "2026-11-23T10:00:00"), ("restore", "--resume")],
    "export": [("export", "FILE")],
    "erase": [("erase", "+14155550132", "--yes")],
    "workspace create": [("workspace", "create", "Southgate Clinic")],
    "user create": [("user", "create", EMAIL)],
    "user password": [("user", "create", EMAIL), ("user", "password", EMAIL)],
    "user remove": [("user", "create", EMAIL), ("user", "remove", EMAIL)],
    "key create": [("key", "create")],
    "key revoke": [("key", "create"), ("key", "revoke", "KEY")],
}


def names(command: Any, before: str = "") -> Iterator[str]:
    for name, inner in command.commands.items():
        yield from names(inner, f"{name} ") if hasattr(inner, "commands") else [before + name]


def told() -> list[str]:
    return list(AuditEntry.objects.filter(actor_kind="cli").values_list("verb", flat=True))


@pytest.mark.parametrize("name", sorted(names(get_command(app))))
def test_it_tells_of_every_command(on_database: Run, tmp_path: Path, name: str) -> None:
    if name in UNAUDITED:
        assert name not in CHANGES
        return
    printed = ""
    on_database("migrate")
    for arguments in CHANGES[name]:
        before = len(told())
        given = {"FILE": str(tmp_path / "file"), "KEY": printed}
        ended = on_database(*(given.get(each, each) for each in arguments))
        assert ended.code == 0, ended.err
        assert len(told()) > before, f"{arguments} leaves no entry"
        printed = ended.out.strip()
