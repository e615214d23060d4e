"""`postcall judge`: clear about what it cannot read, and about a model that has no key."""

import json
from pathlib import Path

import pytest

from .conftest import Run

TURNS = [{"role": "agent", "text": "This is the [bold]voicemail[/nothing] of"}, {"role": "customer", "text": ""}]


@pytest.fixture
def call(tmp_path: Path) -> Path:
    path = tmp_path / "call.json"
    path.write_text(json.dumps({"transcript": TURNS}))
    return path


def test_it_prints_a_condition_with_brackets_as_it_is(run: Run, call: Path) -> None:
    ended = run("judge", str(call), "--condition", "After a [/red] booking [x]")
    assert ended.code == 0
    assert "After a [/red] booking [x]" in ended.out


def test_it_names_a_file_that_is_not_there(run: Run, tmp_path: Path) -> None:
    ended = run("judge", str(tmp_path / "[x] none.json"), "--condition", "c")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"postcall: {tmp_path}/[x] none.json: No such file or directory\n"


def test_it_names_a_folder_that_is_not_there(run: Run, tmp_path: Path) -> None:
    rows = tmp_path / "in.jsonl"
    rows.write_text(json.dumps({"id": 1, "condition": "c", "transcript": TURNS}) + "\n")
    ended = run("judge", "--batch", str(rows), "--out", str(tmp_path / "missing" / "out.jsonl"))
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "missing/out.jsonl: No such file or directory" in ended.err


def test_it_refuses_what_is_nested_too_deeply(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text("[" * 200_000)
    ended = run("judge", str(path), "--condition", "c")
    assert (ended.code, ended.err.count("\n")) == (1, 1)


def test_it_says_which_key_a_model_needs(run: Run, call: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "openai:gpt-5-mini")
    ended = run("judge", str(call), "--condition", "c")
    assert ended.code == 1
    assert ended.err == "postcall: openai:gpt-5-mini needs its key: set OPENAI_API_KEY (or OPENAI_API_KEY_FILE)\n"


def test_it_calls_a_wrong_use_what_it_is(run: Run) -> None:
    assert run("judge").code == 2
