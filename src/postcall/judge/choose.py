"""Which judge the environment asks for."""

from __future__ import annotations

from postcall.config import config
from postcall.judge.verdicts import Judge


def judge_from_config() -> Judge:
    """The judge that POSTCALL_JUDGE_MODEL names; the built-in one where it names none.

    Neither model nor vendor library is loaded before one is needed.
    """
    name = config().judge_model
    if name == "offline":
        from postcall.judge.offline import OfflineJudge

        return OfflineJudge()
    from postcall.judge.llm import LLMJudge

    return LLMJudge(name)
