"""Which judge the environment asks for."""

from __future__ import annotations

from functools import cache

from postcall.config import CASCADE, config
from postcall.judge.cascade import CascadeJudge
from postcall.judge.vendors import Output
from postcall.judge.verdicts import Judge


def judge_from_config() -> Judge:
    """The judge that POSTCALL_JUDGE_MODEL names; the built-in one where it names none. The same one every time:
    models and connections are dear to open, and any number of threads may share a judge.

    Neither model nor vendor library is loaded before one is needed.
    """
    return judge_named(config().judge_model)


def judge_named(model: str) -> Judge:
    """The judge of that name, which has to be one that POSTCALL_JUDGE_MODEL may have (`config.judge_model`)."""
    if model == "offline":
        return _offline()
    said = config()
    return _asking(model, said.judge_output, said.judge_context, said.judge_timeout)


@cache
def _offline() -> Judge:
    from postcall.judge.offline import OfflineJudge

    return OfflineJudge()


@cache
def _asking(model: str, output: Output, context: int | None, timeout: float) -> Judge:
    from postcall.judge.llm import LLMJudge

    judge = LLMJudge(model.removeprefix(CASCADE), output=output, context=context, request_timeout=timeout)
    return CascadeJudge(_offline(), judge) if model.startswith(CASCADE) else judge
