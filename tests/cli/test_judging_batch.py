"""`postcall judge --batch`: many calls put to a model over real HTTP, cut off, refused, gone on with."""

import gzip
import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llm_stand_in import Fault, ModelServer, Play, text_of

from postcall.judge import parts

from .conftest import Run

TURNS = [
    {"role": "agent", "text": "Northgate Clinic, how can I help?"},
    {"role": "caller", "text": "A cleaning tomorrow at three, please."},
    {"role": "agent", "text": "You are booked."},
]


def said(quote: str = "You are booked.", result: str = "met") -> dict[str, Any]:
    evidence = [{"turn": 3, "quote": quote}]
    verdict = {"id": "C1", "result": result, "confidence": 0.95, "probability": 0.97, "reason": "It says so."}
    return {"conditions": [verdict | {"evidence": evidence}]}


def row(number: int, condition: str = "After scheduling an appointment", **fields: Any) -> dict[str, Any]:
    return {"id": f"r{number}", "condition": condition, "transcript": TURNS} | fields


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A model server, and waits that take a thousandth of their time."""
    with ModelServer([said()]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-the-tests")
        monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "openai:stand-in")
        monkeypatch.setenv("POSTCALL_TEST_PACE", "0.001")
        monkeypatch.setenv("TWILIO_API_URL", "http://127.0.0.1:1")
        yield server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "in.jsonl"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return str(path)


def lines(path: Path) -> dict[Any, dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({each["id"] for each in found}) == len(found)
    return {each["id"]: each for each in found}


def test_it_writes_a_verdict_a_line(run: Run, model: ModelServer, file: Path, target: Path) -> None:
    ended = run("judge", "--batch", write(file, *map(row, range(9))), "--out", str(target), "--parallel", "4")
    assert (ended.code, "9 judged into" in ended.err) == (0, True)
    found = lines(target)
    assert sorted(found) == [f"r{number}" for number in range(9)]
    assert found["r0"]["result"] == "met"
    assert (found["r0"]["confidence"], found["r0"]["probability"]) == (0.95, 0.97)
    assert found["r0"]["evidence"] == [{"turn": 3, "quote": "You are booked."}]
    assert found["r0"]["judge"] == "openai:stand-in"
    assert found["r0"]["usage"] == {"input_tokens": 100, "output_tokens": 20, "requests": 1}


def test_it_holds_quotes_against_the_call(run: Run, model: ModelServer, file: Path, target: Path) -> None:
    model.script = [said("I hereby book you.")]
    assert run("judge", "--batch", write(file, row(1)), "--out", str(target)).code == 0
    assert (lines(target)["r1"]["result"], lines(target)["r1"]["likelier"]) == ("unclear", "met")


def test_it_holds_quotes_against_one_call_too(run: Run, model: ModelServer, file: Path) -> None:
    model.script = [said("I hereby book you.")]
    file.write_text(json.dumps(TURNS))
    ended = run("judge", str(file), "--condition", "After booking", "--json")
    assert json.loads(ended.out)[0]["result"] == "unclear"


def test_it_goes_on_where_it_was_cut_off(run: Run, model: ModelServer, file: Path, target: Path) -> None:
    write(file, *(row(number, f"Condition {number}") for number in range(3)))
    assert run("judge", "--batch", str(file), "--out", str(target)).code == 0
    whole = target.read_text()
    target.write_text(whole[:-30])
    model.requests.clear()
    ended = run("judge", "--batch", str(file), "--out", str(target))
    assert (ended.code, len(model.requests)) == (0, 1)
    assert "2 of 3 stand in" in ended.err
    assert sorted(lines(target)) == ["r0", "r1", "r2"]


@pytest.mark.parametrize("notes", ["my notes, not a verdict", '{"a": 1}\n', '{"id": 1}\n', "[]\n"])
def test_it_writes_into_no_other_file(run: Run, file: Path, target: Path, notes: str) -> None:
    target.write_text(notes)
    ended = run("judge", "--batch", write(file, row(1)), "--out", str(target))
    assert (ended.code, target.read_text()) == (1, notes)
    assert "give another --out" in ended.err


def test_it_waits_for_a_model_that_is_busy(run: Run, model: ModelServer, file: Path, target: Path) -> None:
    model.script = [Fault(429), Fault(503), said()]
    ended = run("judge", "--batch", write(file, row(1)), "--out", str(target))
    assert (ended.code, len(model.requests)) == (0, 3)
    assert "waiting, then asking again" in ended.err
    assert lines(target)["r1"]["result"] == "met"


def _refuses(word: str, status: int = 400) -> Play:
    return lambda request: Fault(status) if word in text_of(request, "user") else said()


@pytest.mark.parametrize("status", [400, 503])
def test_it_tries_again_next_time_what_failed(
    run: Run, model: ModelServer, file: Path, target: Path, status: int
) -> None:
    model.script = [_refuses("Condition 1", status)]
    write(file, *(row(number, f"Condition {number}") for number in range(3)))
    ended = run("judge", "--batch", str(file), "--out", str(target))
    assert (ended.code, sorted(lines(target))) == (1, ["r0", "r2"])
    assert "not judged id r1: " in ended.err
    assert "1 of 3 were not judged; the same command tries them again" in ended.err
    model.script = [said()]
    assert run("judge", "--batch", str(file), "--out", str(target)).code == 0
    assert sorted(lines(target)) == ["r0", "r1", "r2"]


def test_it_gives_up_where_no_call_is_answered(run: Run, model: ModelServer, file: Path, target: Path) -> None:
    model.script = [Fault(401)]
    write(file, *map(row, range(30)))
    ended = run("judge", "--batch", str(file), "--out", str(target), "--parallel", "1")
    assert (ended.code, len(model.requests)) == (1, 10)
    assert "no call is answered any more" in ended.err
    assert target.read_text() == ""


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Also where the tests run in the background, whose shell has them ignore interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_it_ends_cleanly_when_interrupted(run: Run, model: ModelServer, file: Path, target: Path) -> None:
    def interrupting(request: dict[str, Any]) -> dict[str, Any]:
        if len(model.requests) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return said()

    model.script = [interrupting]
    write(file, *map(row, range(20)))
    ended = run("judge", "--batch", str(file), "--out", str(target), "--parallel", "2")
    assert ended.code == 130
    assert "the same command goes on there" in ended.err
    assert 0 < len(lines(target)) < 20
    assert run("judge", "--batch", str(file), "--out", str(target)).code == 0
    assert len(lines(target)) == 20


# What goes in.


def test_it_reads_packed_rows_and_gives_ids_to_those_without(
    run: Run, model: ModelServer, tmp_path: Path, target: Path
) -> None:
    rows = [row(1) | {"id": None}, row(2, label=1, kind="done"), row(3) | {"id": 7}]
    packed = tmp_path / "in.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    assert run("judge", "--batch", str(packed), "--out", str(target)).code == 0
    assert set(lines(target)) == {1, "r2", 7}


def test_it_reads_rows_from_standard_input(
    run: Run, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(row(1)).encode())))
    ended = run("judge", "--batch", "-", "--prompts-only")
    assert json.loads(ended.out)["id"] == "r1"


@pytest.mark.parametrize(
    ("bad", "mend"),
    [
        ("{", "line 2: not JSON"),
        ("[]", "line 2: an object with `condition` and `transcript`"),
        (json.dumps(row(2) | {"condition": " "}), "line 2: `condition` is needed"),
        (json.dumps(row(2) | {"transcript": {}}), "line 2: `transcript` must be a list"),
        (json.dumps(row(2) | {"transcript": [{"role": "boss", "text": ""}]}), "line 2: turn 1 needs `role`"),
        (json.dumps(row(2) | {"label": 2}), "line 2: `label` has to be"),
        (json.dumps(row(2) | {"id": [1]}), "line 2: `id` has to be"),
        (json.dumps(row(1)), "line 2: `id` r1 stands at"),
    ],
)
def test_it_names_the_line_that_is_wrong(run: Run, file: Path, target: Path, bad: str, mend: str) -> None:
    file.write_text(json.dumps(row(1)) + "\n" + bad + "\n")
    ended = run("judge", "--batch", str(file), "--out", str(target))
    assert (ended.code, target.exists()) == (1, False)
    assert f"{file} {mend}" in ended.err


def test_it_writes_half_characters_as_json_does(run: Run, model: ModelServer, file: Path, target: Path) -> None:
    assert run("judge", "--batch", write(file, row(1) | {"id": "\ud83d"}), "--out", str(target)).code == 0
    assert set(lines(target)) == {"\ud83d"}


# --prompts-only.


def test_it_writes_the_prompts_that_would_be_sent(
    run: Run, model: ModelServer, file: Path, target: Path, tmp_path: Path
) -> None:
    write(file, row(1), row(2, "When the caller is angry"))
    run("judge", "--batch", str(file), "--out", str(tmp_path / "verdicts.jsonl"), "--parallel", "1")
    asked = list(model.requests)
    ended = run("judge", "--batch", str(file), "--out", str(target), "--prompts-only")
    assert (ended.code, len(model.requests)) == (0, len(asked))
    prompts = list(lines(target).values())
    assert [each["user"] for each in prompts] == [text_of(request, "user") for request in asked]
    # A server of one's own is told the schema in words besides.
    told = [text_of(request, "system") for request in asked]
    assert all(sent.startswith(each["system"]) for each, sent in zip(prompts, told, strict=True))
    assert all(
        each["prompt_version"] and each["schema_version"] and each["schema"]["properties"] for each in prompts
    )


def test_it_writes_prompts_without_a_key(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "openai:gpt-5-mini")
    ended = run("judge", "--batch", write(file, row(1)), "--prompts-only")
    assert (ended.code, json.loads(ended.out)["id"]) == (0, "r1")


def test_it_says_of_which_calls_only_the_first_part_is_written(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_CHARACTERS", 2_000)
    ended = run("judge", "--batch", write(file, row(1, transcript=TURNS * 40), row(2)), "--prompts-only")
    long, short = map(json.loads, ended.out.splitlines())
    assert long["part"] == 1
    assert long["parts"] > 1
    assert "parts" not in short
    assert "1 of 2 calls take several requests" in ended.err


def test_it_writes_no_prompts_over_verdicts(run: Run, file: Path, target: Path) -> None:
    target.write_text('{"id": 1, "result": "met"}\n')
    ended = run("judge", "--batch", write(file, row(1)), "--out", str(target), "--prompts-only")
    assert (ended.code, target.read_text()) == (1, '{"id": 1, "result": "met"}\n')
