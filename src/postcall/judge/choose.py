"""Which judge the environment asks for."""

from __future__ import annotations

from functools import cache

from postcall.config import config
from postcall.judge.verdicts import Judge


def judge_from_config() -> Judge:
    """The judge that POSTCALL_JUDGE_MODEL names; the built-in one where it names none. The same one every time:
    models and connections are dear to open, and any number of threads may share a judge.

    Neither model nor vendor library is loaded before one is needed.
    """
    return _judge(config().judge_model)


@cache
def _judge(model: str) -> Judge:
    if model == "offline":
        from postcall.judge.offline import OfflineJudge

        return OfflineJudge()
    from postcall.judge.llm import LLMJudge

    return LLMJudge(model)
