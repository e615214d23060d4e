"""What vendors and networks do to a judge, over real HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import case, decide, report
from llm_stand_in import Fault, ModelServer

from postcall.judge.llm import LLMJudge
from postcall.judge.verdicts import JudgeFailed, Turn


def failure(model: ModelServer, *script: Any, **options: Any) -> JudgeFailed:
    with pytest.raises(JudgeFailed) as failed:
        decide(model, case(), *script, **options)
    return failed.value


@pytest.mark.parametrize(
    ("status", "retry", "mend"),
    [
        (429, True, ""),
        (500, True, ""),
        (503, True, ""),
        (529, True, ""),
        (401, False, "OPENAI_API_KEY"),
        (403, False, "OPENAI_API_KEY"),
        (404, False, "POSTCALL_JUDGE_MODEL"),
        (400, False, "POSTCALL_JUDGE_OUTPUT"),
    ],
)
def test_it_says_what_failed_and_whether_asking_again_may_help(
    model: ModelServer, status: int, retry: bool, mend: str
) -> None:
    failed = failure(model, Fault(status))
    assert str(failed).startswith(f"openai:stand-in (HTTP {status}): stand-in says {status}.")
    assert mend in str(failed)
    assert failed.retry is retry
    assert len(model.requests) == 1


def test_it_says_how_long_the_vendor_asks_to_wait(model: ModelServer) -> None:
    assert failure(model, Fault(429, retry_after="37")).after_s == 37
    assert failure(model, Fault(503)).after_s is None


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "I am sorry, I cannot help with that.",
        '{"conditions": [',
        {"verdict": "met"},
        report({"id": "C1", "result": "yes"}),
        '{"conditions": "none"}',
        "[" * 5_000,
    ],
)
def test_it_asks_once_more_when_an_answer_cannot_be_read(model: ModelServer, bad: Any) -> None:
    assert decide(model, case(), bad, report()).verdicts["f-1"].result == "met"
    again = model.prompts[1].removeprefix(model.prompts[0])
    assert again.strip().startswith("Your last answer could not be read")


@pytest.mark.parametrize("output", ["tool", "json"])
def test_it_fails_when_the_shape_stays_wrong(model: ModelServer, output: Any) -> None:
    failed = failure(model, {"verdict": "met"}, output=output)
    assert str(failed) == "openai:stand-in gave no answer of the right shape: conditions: Field required"
    assert failed.retry
    assert len(model.requests) == 2


@pytest.mark.parametrize(
    "raw",
    [
        "<html>gateway</html>",
        "{}",
        '{"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": []}',
        '{"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0}]}',
        "null",
        "",
    ],
)
def test_it_fails_on_what_is_no_answer_at_all(model: ModelServer, raw: str) -> None:
    failed = failure(model, Fault(200, raw=raw))
    assert failed.retry
    assert len(str(failed)) < 450


def test_it_says_that_an_answer_was_cut_off(model: ModelServer) -> None:
    model.finish_reason = "length"
    assert "cut off" in str(failure(model, '{"conditions": [{"id": "C1", "evid'))


def test_it_says_that_a_vendor_refused(model: ModelServer) -> None:
    model.finish_reason = "content_filter"
    assert "refused" in str(failure(model, ""))


def test_it_believes_nothing_of_two_answers_that_differ(model: ModelServer) -> None:
    met, other = report()["conditions"][0], report()["conditions"][0] | {"result": "not_met"}
    assert decide(model, case(), {"conditions": [met, met]}).verdicts["f-1"].result == "met"
    assert decide(model, case(), {"conditions": [met, other]}).verdicts["f-1"].result == "unclear"


def test_it_does_not_wait_for_ever(model: ModelServer) -> None:
    assert failure(model, Fault(hang_s=30), request_timeout=0.3).retry


def test_it_keeps_its_deadline_whatever_the_vendors_library_does(model: ModelServer) -> None:
    failed = failure(model, Fault(hang_s=30), request_timeout=20.0, deadline=0.3)
    assert failed.retry
    assert "longer than" in str(failed)


def test_it_takes_a_server_that_is_away_for_a_passing_failure(
    model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    failed = failure(model)
    assert failed.retry
    assert str(failed).startswith("openai:stand-in: ")


def test_it_fails_for_good_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(JudgeFailed, match="OPENAI_API_KEY") as failed:
        LLMJudge("openai:stand-in").decide(case())
    assert not failed.value.retry


@pytest.mark.parametrize("name", ["nobody:knows", "mistral:not-installed"])
def test_it_fails_for_good_with_a_vendor_that_is_not_here(name: str) -> None:
    with pytest.raises(JudgeFailed, match=name) as failed:
        LLMJudge(name).decide(case())
    assert not failed.value.retry


def test_it_says_how_to_mend_a_call_that_is_too_long_for_the_model(model: ModelServer) -> None:
    said = {"error": {"message": "This model's maximum context length is 4096 tokens."}}
    failed = failure(model, Fault(400, raw=json.dumps(said)))
    assert "POSTCALL_JUDGE_CONTEXT" in str(failed)
    assert not failed.retry


def test_it_notices_a_server_that_read_only_the_beginning(model: ModelServer) -> None:
    model.tokens = 900
    long = case(turns=(*case().turns, Turn("agent", "Please hold. " * 600)))
    with pytest.raises(JudgeFailed, match="POSTCALL_JUDGE_CONTEXT") as failed:
        decide(model, long)
    assert not failed.value.retry
