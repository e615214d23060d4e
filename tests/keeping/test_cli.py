"""`postcall export`, `erase`, `backup` and `restore` as a shell runs them."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import transaction

from postcall.calls.models import Call
from postcall.cli import main
from postcall.config import config
from postcall.followups.models import OptOut
from postcall.keeping.models import Erasure, Redaction, Restoration
from postcall.messages.models import Attempt, Message
from postcall.sandbox.running import Sandbox
from postcall.work import clock
from postcall.workspaces.models import AuditEntry, Workspace

from .clinic import ANN, OURS, Clinic


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Without a database at DATABASE_URL."""
    monkeypatch.setenv("COLUMNS", "300")

    def ended(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["postcall", *arguments])
        config.cache_clear()
        with pytest.raises(SystemExit) as exited:
            main()
        captured = capsys.readouterr()
        return Ended(exited.value.code if isinstance(exited.value.code, int) else 0, captured.out, captured.err)

    yield ended
    config.cache_clear()


@pytest.fixture
def run(bare: Run, db: None, database_url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("DATABASE_URL", database_url)
    return bare


@pytest.fixture
def clinic(run: Run, sandbox: Sandbox) -> Clinic:
    return Clinic("Northgate Clinic", sandbox)


def test_it_exports_into_a_file_of_its_owner(run: Run, clinic: Clinic, tmp_path: Path) -> None:
    clinic.texted()
    file = tmp_path / "clinic.jsonl"
    ended = run("export", str(file), "--workspace", "Northgate Clinic", "--json")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert ended.code == 0
    assert json.loads(ended.out)["lines"] == len(lines)
    assert lines[-1]["kind"] == "end"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert AuditEntry.objects.get(verb="export").workspace == clinic.workspace


def test_it_replaces_no_file_unasked(run: Run, clinic: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "clinic.jsonl"
    file.write_text("precious")
    ended = run("export", str(file), "--workspace", "Northgate Clinic")
    assert (ended.code, file.read_text()) == (1, "precious")
    assert "--force" in ended.err
    assert run("export", str(file), "--workspace", "Northgate Clinic", "--force").code == 0


def test_it_names_the_workspaces_there_are(run: Run, clinic: Clinic, tmp_path: Path) -> None:
    ended = run("export", str(tmp_path / "f"), "--workspace", "Nowhere")
    assert ended.code == 1
    assert "Northgate Clinic" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_it_erases(run: Run, clinic: Clinic, sandbox: Sandbox) -> None:
    message = clinic.texted()
    ended = run("erase", "+1 (415) 555-0132", "--yes", "--json")
    told = json.loads(ended.out)
    assert ended.code == 0
    assert (told["calls"], told["messages"], told["forgotten_by_twilio"], told["complete"]) == (1, 1, 1, True)
    assert Call.objects.get().customer_number == ""
    assert sandbox.message(message.sid).deleted
    assert ANN not in str(list(AuditEntry.objects.values()))
    assert AuditEntry.objects.filter(verb="erase").exists()


def test_it_says_in_how_many_workspaces_the_number_is_opted_out(run: Run, clinic: Clinic, sandbox: Sandbox) -> None:
    Clinic("Southgate Clinic", sandbox)
    said = run("erase", "+14155550177", "--yes").out
    assert f"by its hash in {Workspace.objects.count()} workspaces." in said
    homes = OptOut.objects.filter(origin="erased").values_list("workspace__name", flat=True)
    assert {"Northgate Clinic", "Southgate Clinic"} <= set(homes)
    told = json.loads(run("erase", ANN, "--workspace", "Southgate Clinic", "--yes", "--json").out)
    assert told["opted_out_in"] == 1


def test_it_knows_no_word_for_all_workspaces(run: Run, clinic: Clinic, sandbox: Sandbox) -> None:
    everybody = Clinic("all", sandbox)
    for tenant in (clinic, everybody):
        tenant.call()
    assert run("erase", ANN, "--workspace", "all", "--yes").code == 0
    assert Call.objects.get(workspace=everybody.workspace).customer_number == ""
    assert Call.objects.get(workspace=clinic.workspace).customer_number == ANN


def test_it_shows_in_a_check_what_an_erasure_waits_for(run: Run, clinic: Clinic, sandbox: Sandbox) -> None:
    clinic.call()
    clinic.process()
    sandbox.fail_next("cut_after")
    clinic.send()
    run("erase", ANN, "--yes")
    findings = {finding["subject"]: finding for finding in json.loads(run("check", "--json").out)}
    assert f"1 wait for message {Message.objects.get().pk}" in findings["Erasures"]["text"]


def test_it_only_looks_on_a_dry_run(run: Run, clinic: Clinic) -> None:
    clinic.texted()
    told = json.loads(run("erase", ANN, "--dry-run", "--json").out)
    assert (told["calls"], told["messages"], told["at_twilio"]) == (1, 1, 1)
    assert Call.objects.get().customer_number == ANN
    assert not Erasure.objects.exists()


def test_it_asks_before_it_erases(run: Run, clinic: Clinic) -> None:
    clinic.texted()
    ended = run("erase", ANN)
    assert ended.code == 1
    assert "--yes" in ended.err
    assert Call.objects.get().customer_number == ANN


@pytest.mark.parametrize("number", ["nobody", "5550132", ""])
def test_it_wants_a_number(run: Run, number: str) -> None:
    assert run("erase", number, "--yes").code == 2


def test_it_refuses_its_own_number(run: Run, clinic: Clinic) -> None:
    ended = run("erase", OURS, "--yes")
    assert ended.code == 1
    assert "sent from" in ended.err


def test_it_says_what_twilio_has_not_forgotten(
    run: Run, clinic: Clinic, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.texted()
    monkeypatch.setenv("POSTCALL_SANDBOX_URL", "http://127.0.0.1:9")
    ended = run("erase", ANN, "--yes")
    assert ended.code == 0
    assert "Twilio has not forgotten" in ended.err
    assert Redaction.objects.filter(done_at=None).count() == 2


def test_it_says_where_the_operator_wrote_the_number(run: Run, clinic: Clinic) -> None:
    type(clinic.revision).objects.update(message="Call (415) 555-0132")
    ended = run("erase", ANN, "--yes")
    assert "action_revision.message" in ended.err
    clinic.revision.refresh_from_db()
    assert clinic.revision.message == "Call (415) 555-0132"


def test_it_says_what_is_on_its_way(run: Run, clinic: Clinic, sandbox: Sandbox) -> None:
    clinic.call()
    clinic.process()
    sandbox.fail_next("cut_after")
    clinic.send()
    told = json.loads(run("erase", ANN, "--yes", "--json").out)
    assert (told["on_their_way"], told["complete"]) == (1, False)
    assert Attempt.objects.get().to == ANN


def test_it_says_what_to_do_with_a_database_of_ones_own(run: Run, tmp_path: Path) -> None:
    for arguments in (("backup", str(tmp_path / "b")), ("restore", str(tmp_path / "b"), "--yes")):
        ended = run(*arguments)
        assert ended.code == 1
        assert "POSTCALL_SECRET_KEY" in ended.err
        assert "pg_" in ended.err


def test_it_backs_up_no_folder_without_a_database(
    bare: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTCALL_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    ended = bare("backup", str(tmp_path / "b"))
    assert ended.code == 1
    assert "holds no database" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_it_restores_no_file_that_is_not_there(bare: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTCALL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    for content in (None, b"", b"no backup"):
        if content is not None:
            (tmp_path / "b").write_bytes(content)
        ended = bare("restore", str(tmp_path / "b"), "--yes")
        assert (ended.code, ended.err.splitlines()[-1][:9]) == (1, "postcall:")
        assert ("there is no such file" if content is None else "is no backup of Postcall") in ended.err
    assert not (tmp_path / "data").exists()


def test_it_shows_its_usage_without_doubled_brackets(bare: Run) -> None:
    assert "restore [OPTIONS] [FILE]" in bare("restore", "--help").out


def test_it_wants_a_backup_or_a_word(run: Run) -> None:
    assert run("restore").code == 2
    assert run("restore", "b", "--taken-at", "2026-11-23T10:00:00").code == 2


def test_it_shows_in_a_check_that_sending_waits(run: Run, clinic: Clinic) -> None:
    with transaction.atomic():
        Restoration.objects.create(taken_at=clock.now(), restored_at=clock.now())
    findings = {finding["subject"]: finding for finding in json.loads(run("check", "--json").out)}
    assert findings["Restored"]["level"] == "error"
    assert "restore --resume" in findings["Restored"]["mend"]


def test_it_shows_in_a_check_what_twilio_has_not_forgotten(
    run: Run, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.texted()
    monkeypatch.setenv("POSTCALL_SANDBOX_URL", "http://127.0.0.1:9")
    run("erase", ANN, "--yes")
    findings = {finding["subject"]: finding for finding in json.loads(run("check", "--json").out)}
    assert findings["Erasures"]["level"] == "warning"
    assert Message.objects.get().body == ""
