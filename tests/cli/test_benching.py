"""`postcall bench judge`: what it counts of answers good, bad and lacking, and of judges that it asks itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llm_stand_in import Fault, ModelServer, text_of

from postcall.judge import parts

from .conftest import Run

TURNS = [
    {"role": "agent", "text": "Northgate Clinic, how can I help?"},
    {"role": "caller", "text": "A cleaning tomorrow at three, please."},
    {"role": "agent", "text": "You are booked."},
]


def row(name: str, label: int, **fields: Any) -> dict[str, Any]:
    return {"id": name, "condition": f"Condition {name}", "label": label, "transcript": TURNS} | fields


def report(result: str = "met", quote: str | None = "You are booked.", probability: float = 0.9) -> dict[str, Any]:
    confidence = probability if result == "met" else 1 - probability
    verdict = {"id": "C1", "result": result, "confidence": confidence, "probability": probability, "reason": "So."}
    return {"conditions": [verdict | {"evidence": [{"turn": 3, "quote": quote}] if quote else []}]}


def write(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return str(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pairs.jsonl"


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def told(run: Run, *arguments: str) -> dict[str, Any]:
    ended = run("bench", "judge", *arguments, "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert isinstance(found, dict)
    return found


# Answers that somebody else's model gave.


@pytest.mark.parametrize(
    "answer", [report(), json.dumps(report()), f"Here it is:\n```json\n{json.dumps(report())}\n```\nDone."]
)
def test_it_reads_an_answer_as_the_judge_does(run: Run, file: Path, answers: Path, answer: Any) -> None:
    write(answers, {"id": "a", "answer": answer})
    figures = told(run, write(file, row("a", 1)), "--answers", str(answers))["figures"]
    assert (figures["sent"], figures["right_of_sent"], figures["unreadable"]) == (1, 1.0, 0)


def test_it_holds_the_quotes_of_answers_against_the_call(run: Run, file: Path, answers: Path) -> None:
    write(
        answers,
        {"id": "made up", "answer": report(quote="I hereby book you.")},
        {"id": "none", "answer": report(quote=None)},
        {"id": "verdict", "result": "met", "evidence": [{"turn": 1, "quote": "You are booked!"}]},
        {"id": "fine", "result": "met", "evidence": [{"turn": 3, "quote": "You are booked."}]},
    )
    rows = [row(name, 1) for name in ("made up", "none", "verdict", "fine")]
    figures = told(run, write(file, *rows), "--answers", str(answers))["figures"]
    assert (figures["sent"], figures["unclear"], figures["misquoted"]) == (1, 0.75, 3)
    assert figures["accuracy"] == 1.0


def test_it_counts_every_answer_that_it_lacks_or_cannot_read(run: Run, file: Path, answers: Path) -> None:
    unreadable = ["I think it was met.", "", None, 7, {"verdict": "met"}, json.dumps(report())[:-5]]
    names = [f"u{number}" for number in range(len(unreadable))]
    write(
        answers,
        *({"id": name, "answer": answer} for name, answer in zip(names, unreadable, strict=True)),
        {"id": "other", "result": "perhaps"},
        {"id": "elsewhere", "answer": {"conditions": [report()["conditions"][0] | {"id": "C9"}]}},
        {"id": "good", "answer": report("not_met", None, 0.1)},
    )
    rows = [row(name, 0) for name in [*names, "other", "elsewhere", "silent", "good"]]
    figures = told(run, write(file, *rows), "--answers", str(answers))["figures"]
    assert (figures["pairs"], figures["unreadable"], figures["missing"]) == (10, 7, 2)
    # Not one of them is right by having said nothing.
    assert (figures["unclear"], figures["accuracy"]) == (0.9, 0.1)


def test_it_finds_rows_without_ids_by_their_line(run: Run, file: Path, answers: Path) -> None:
    file.write_text("\n".join(["", json.dumps(row("x", 1) | {"id": None}), json.dumps(row("b", 0))]))
    prompts = run("judge", "--batch", str(file), "--prompts-only").out.splitlines()
    ids = [json.loads(prompt)["id"] for prompt in prompts]
    assert ids == [2, "b"]
    write(answers, {"id": "2", "answer": report()}, {"id": "b", "answer": report("not_met", None, 0.1)})
    assert told(run, str(file), "--answers", str(answers))["figures"]["accuracy"] == 1.0


def test_it_says_which_answers_are_about_no_row(run: Run, file: Path, answers: Path) -> None:
    write(answers, {"id": "a", "answer": report()}, {"id": "zz", "answer": report()})
    ended = run("bench", "judge", write(file, row("a", 1)), "--answers", str(answers))
    assert "1 of 2 answers have an `id` that no row has" in ended.err


def test_it_says_which_answers_saw_a_part_of_their_call(
    run: Run, file: Path, answers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_CHARACTERS", 2_000)
    write(answers, {"id": "a", "answer": report()}, {"id": "b", "answer": report()})
    rows = write(file, row("a", 1, transcript=TURNS * 40), row("b", 1))
    assert (
        "1 answers are about calls of several requests"
        in run("bench", "judge", rows, "--answers", str(answers)).err
    )


def test_it_prices_answers_that_tell_their_tokens(run: Run, file: Path, answers: Path) -> None:
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0}
    write(answers, {"id": "a", "answer": report(), "model": "openai:gpt-4.1", "usage": usage})
    one = write(file, row("a", 1))
    figures = told(run, one, "--answers", str(answers))["figures"]
    assert (figures["input_tokens"], figures["requests"], float(figures["cost_usd"])) == (1_000_000, 1, 2.0)
    write(answers, {"id": "a", "answer": report()})
    assert told(run, one, "--answers", str(answers))["figures"]["cost_usd"] is None


# Judges that it asks itself.


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """Says of every condition that it was met, but not of those with an "n"."""

    def answer(request: dict[str, Any]) -> Any:
        return report("not_met", None, 0.2) if "Condition n" in text_of(request, "user") else report()

    with ModelServer([answer]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-the-tests")
        yield server


ROWS = [
    row("p1", 1, kind="done"),
    row("p2", 0, kind="asked"),
    row("n1", 0, kind="asked", hard=True),
    row("n2", 0, kind="done"),
]


def test_it_asks_a_judge_and_counts(run: Run, model: ModelServer, file: Path) -> None:
    found = told(run, write(file, *ROWS), "--model", "openai:stand-in", "--parallel", "2")
    figures = found["figures"]
    assert (figures["pairs"], figures["accuracy"], figures["precision"], figures["recall"]) == (4, 0.75, 0.5, 1.0)
    assert (figures["requests"], figures["input_tokens"], figures["cost_usd"]) == (4, 400, None)
    assert figures["ms_p50"] > 0
    assert found["judge"].startswith("openai:stand-in (prompt ")
    assert {name: one["pairs"] for name, one in found["slices"]["kind"].items()} == {"asked": 2, "done": 2}
    assert len(found["reliability"]) == 10


def test_it_counts_a_batchs_verdicts_as_its_own(run: Run, model: ModelServer, file: Path, answers: Path) -> None:
    asked = told(run, write(file, *ROWS), "--model", "openai:stand-in")["figures"]
    run("judge", "--batch", str(file), "--out", str(answers), "--model", "openai:stand-in")
    scored = told(run, str(file), "--answers", str(answers))["figures"]
    apart = {"ms_p50": None, "ms_p95": None}
    assert scored == asked | apart


def test_it_counts_what_failed_as_unclear_and_says_so(run: Run, model: ModelServer, file: Path) -> None:
    model.script = [lambda request: Fault(400) if "Condition p2" in text_of(request, "user") else report()]
    ended = run("bench", "judge", write(file, *ROWS), "--model", "openai:stand-in", "--json")
    figures = json.loads(ended.out)["figures"]
    assert (ended.code, figures["failed"], figures["unclear"]) == (1, 1, 0.25)
    assert "no answer id p2: " in ended.err
    assert "1 of 4 got no answer and count as unclear" in ended.err


@pytest.mark.parametrize(("judge", "sent"), [("always", 4), ("keywords", 0)])
def test_it_measures_judges_that_understand_nothing(run: Run, file: Path, judge: str, sent: int) -> None:
    figures = told(run, write(file, *ROWS), "--model", judge)["figures"]
    assert (figures["pairs"], figures["sent"], figures["requests"]) == (4, sent, 0)


def test_it_prints_tables_for_people(run: Run, file: Path) -> None:
    ended = run("bench", "judge", write(file, *ROWS), "--model", "always", "--by", "hard,kind", "--calibration")
    assert ended.code == 0
    for shown in ("always on pairs.jsonl", "4, of which 1 were met", "hard true", "kind asked", "0.9 to 1.0"):
        assert shown in ended.out


def test_it_looks_at_the_first_rows_alone(run: Run, file: Path) -> None:
    assert told(run, write(file, *ROWS), "--model", "always", "--limit", "3")["figures"]["pairs"] == 3


@pytest.mark.parametrize(
    ("lines", "arguments", "code", "mend"),
    [
        ([], (), 1, "holds no rows"),
        ([row("a", 1) | {"label": None}], (), 1, "line 1: `label` is needed"),
        ([row("a", 1)], ("--by", "colour"), 2, "no row has a field “colour”"),
        ([row("a", 1)], ("--model", "gpt"), 2, "openai:gpt-5-mini"),
        ([row("a", 1)], ("--answers", "ANSWERS", "--model", "offline"), 2, "--answers asks no judge"),
        ([row("a", 1)], ("--answers", "ANSWERS"), 1, "line 1: needs `id` and `answer`"),
    ],
)
def test_it_says_what_is_wrong(
    run: Run, file: Path, answers: Path, lines: list[Any], arguments: tuple[str, ...], code: int, mend: str
) -> None:
    write(answers, {"id": "a", "text": "met"})
    given = [str(answers) if each == "ANSWERS" else each for each in arguments]
    ended = run("bench", "judge", write(file, *lines), *given)
    assert (ended.code, ended.out) == (code, "")
    assert mend in " ".join(ended.err.split())


def test_it_takes_no_second_answer(run: Run, file: Path, answers: Path) -> None:
    write(answers, {"id": "a", "answer": report()}, {"id": "a", "answer": report("not_met", None)})
    ended = run("bench", "judge", write(file, row("a", 1)), "--answers", str(answers))
    assert (ended.code, "line 2: `id` a is answered twice" in ended.err) == (1, True)


def test_it_says_which_key_a_model_needs(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    ended = run("bench", "judge", write(file, *ROWS), "--model", "cascade:openai:gpt-5-mini")
    assert (ended.code, "set OPENAI_API_KEY" in ended.err) == (1, True)
