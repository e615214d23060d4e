"""The judge that asks a language model, through pydantic-ai: OpenAI, Anthropic, Google, or what speaks alike."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from postcall.judge.parts import parts_of
from postcall.judge.prompt import INSTRUCTIONS, CallReport, ConditionAnswer, judgement_of, request_of
from postcall.judge.verdicts import Case, JudgeFailed, Judgement, Usage

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.usage import RunUsage

Result = TypeVar("Result")

# Seconds: of one request, and of all that one call may take, which its worker keeps renewing the lease for.
REQUEST_TIMEOUT: Final = 45.0
DEADLINE: Final = 150.0
# Vendor statuses after which asking again, with the same key and model, is useless.
_USELESS: Final = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422})


@dataclass
class _Reading:
    """What was understood of the call so far, part by part."""

    report: CallReport | None = None
    usage: Usage = field(default_factory=Usage)


class LLMJudge:
    """A Judge. One request a call (a few for very long ones); any number of threads may share one instance."""

    listens = True

    def __init__(self, model: str, *, request_timeout: float = REQUEST_TIMEOUT, deadline: float = DEADLINE) -> None:
        self.model = model
        self.name = model
        self._request_timeout = request_timeout
        self._deadline = deadline

    def decide(self, case: Case) -> Judgement:
        """Answers every condition and ask of `case`, or raises JudgeFailed."""
        reading = _run(self._read(case), self._deadline)
        assert reading.report is not None
        return judgement_of(case, reading.report, reading.usage, self.name)

    def close(self) -> None:
        """Closes the connections to the vendor; the judge opens new ones if it is asked again."""
        if "_agent" in self.__dict__:
            _run(self._close(), self._deadline)

    async def _close(self) -> None:
        # Leaving an agent's context is how pydantic-ai closes its model's client.
        async with self.__dict__.pop("_agent"):
            pass

    async def _read(self, case: Case) -> _Reading:
        parts = parts_of(case.turns)
        reading = _Reading()
        for number, part in enumerate(parts, 1):
            report, usage = await self._request(request_of(case, parts, number, reading.report).user)
            reading.report = _joined(reading.report, report, first_new=part.first_new)
            reading.usage = _sum(reading.usage, usage)
        return reading

    async def _request(self, text: str) -> tuple[CallReport, RunUsage]:
        from pydantic_ai.exceptions import AgentRunError, ModelAPIError, UnexpectedModelBehavior, UserError

        try:
            result = await self._agent.run(text)
        except ModelAPIError as error:
            raise _failure(error) from error
        except UnexpectedModelBehavior as error:
            message = f"{self.model} gave no answer of the right shape: {_short(error.message)}"
            raise JudgeFailed(message, retry=True) from error
        except UserError as error:
            raise JudgeFailed(_short(str(error)), retry=False) from error
        except AgentRunError as error:
            raise JudgeFailed(_short(str(error)), retry=True) from error
        return result.output, result.usage

    @cached_property
    def _agent(self) -> Agent[None, CallReport]:
        # Here and not above: pydantic-ai and a vendor's library take a second and tens of MB, and most processes
        # never judge.
        from pydantic_ai import Agent
        from pydantic_ai.models import infer_model
        from pydantic_ai.settings import ModelSettings

        settings = ModelSettings(
            timeout=self._request_timeout, request_timeout=self._request_timeout, max_retries=0
        )
        return Agent(
            infer_model(_wire_name(self.model)),
            output_type=CallReport,
            instructions=INSTRUCTIONS,
            model_settings=settings,
            retries=1,
            name="postcall-judge",
        )


def _wire_name(model: str) -> str:
    """`openai:` with another base address: such servers speak chat completions, not OpenAI's newer interface."""
    if model.startswith("openai:") and os.environ.get("OPENAI_BASE_URL"):
        return model.replace("openai:", "openai-chat:", 1)
    return model


# Long calls.


def _joined(earlier: CallReport | None, later: CallReport, *, first_new: int) -> CallReport:
    """Both reports as one. The later has read the earlier, so it wins; but it may not drop what it read: a verdict
    that it overturns without quoting a new turn is `unclear`, an answer that it lacks is kept."""
    if earlier is None:
        return later
    before = {answer.id: answer for answer in earlier.conditions}
    conditions = [_kept(before.pop(answer.id, None), answer, first_new) for answer in later.conditions]
    found = {answer.id: answer for answer in earlier.values if answer.value is not None}
    found |= {answer.id: answer for answer in later.values if answer.value is not None or answer.id not in found}
    return CallReport(
        conditions=[*conditions, *before.values()],
        values=list(found.values()),
        objection=earlier.objection or later.objection,
    )


def _kept(before: ConditionAnswer | None, after: ConditionAnswer, first_new: int) -> ConditionAnswer:
    if before is None or before.result != "met" or after.result == "met":
        return after
    if any(quoted.turn >= first_new for quoted in after.evidence):
        return after
    reason = f"An earlier part of the call says otherwise ({before.reason}), and nothing later takes it back."
    return before.model_copy(update={"result": "unclear", "reason": reason, "confidence": 0.5})


def _sum(so_far: Usage, usage: RunUsage) -> Usage:
    return Usage(
        so_far.input_tokens + usage.input_tokens,
        so_far.output_tokens + usage.output_tokens,
        so_far.requests + usage.requests,
    )


def _failure(error: Any) -> JudgeFailed:
    status = getattr(error, "status_code", None)
    said = f" (HTTP {status})" if status else ""
    # A quota that is used up comes as 429 too, and like a rate limit may be mended while the call waits.
    return JudgeFailed(f"{error.model_name}{said}: {_short(str(error))}", retry=status not in _USELESS)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return f"{text[:300]}…" if len(text) > 300 else text


# Running.


class _Loop:
    """One event loop in one thread for all requests of the process: the vendors' clients keep their connections
    with the loop that opened them, so each worker thread's own loop would close them under the others."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="postcall-judge", daemon=True).start()


_lock = threading.Lock()
_loop: _Loop | None = None


def _run(work: Coroutine[Any, Any, Result], deadline: float) -> Result:
    global _loop
    with _lock:
        _loop = _loop or _Loop()
    future = asyncio.run_coroutine_threadsafe(work, _loop.loop)
    try:
        return future.result(deadline)
    except FutureTimeoutError:
        future.cancel()
        raise JudgeFailed(f"The judge took longer than {deadline:.0f} seconds.", retry=True) from None
