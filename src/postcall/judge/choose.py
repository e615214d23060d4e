"""Which judge the environment asks for."""

from __future__ import annotations

from functools import cache

from postcall.config import CASCADE, config
from postcall.judge.cascade import CascadeJudge
from postcall.judge.verdicts import Judge


def judge_from_config() -> Judge:
    """The judge that POSTCALL_JUDGE_MODEL names; the built-in one where it names none. The same one every time:
    models and connections are dear to open, and any number of threads may share a judge.

    Neither model nor vendor library is loaded before one is needed.
    """
    return judge_named(config().judge_model)


@cache
def judge_named(model: str) -> Judge:
    """The judge of that name, which has to be one that POSTCALL_JUDGE_MODEL may have (`config.judge_model`)."""
    if model == "offline":
        from postcall.judge.offline import OfflineJudge

        return OfflineJudge()
    from postcall.judge.llm import LLMJudge

    if model.startswith(CASCADE):
        return CascadeJudge(judge_named("offline"), LLMJudge(model.removeprefix(CASCADE)))
    return LLMJudge(model)
