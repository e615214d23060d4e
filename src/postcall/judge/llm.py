"""The judge that asks a language model, through pydantic-ai: OpenAI, Anthropic, Google, or what speaks alike.

A call costs one request, however many conditions and values it is asked about. A second one, in the same
conversation, is made only where the first answer cannot be read or quotes what nobody said.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from postcall.judge import guards, quotes, vendors
from postcall.judge.parts import parts_of
from postcall.judge.prompt import (
    SCHEMA,
    CallReport,
    ConditionAnswer,
    Request,
    UnreadableAnswer,
    as_data,
    id_of,
    ids_of,
    judgement_of,
    read_report,
    request_of,
)
from postcall.judge.vendors import Output
from postcall.judge.verdicts import Case, Evidence, JudgeFailed, Judgement, Usage

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

Result = TypeVar("Result")

# Seconds: of one request, and of all that one call may take at most: as long as its worker keeps its lease.
REQUEST_TIMEOUT: Final = 45.0
LONGEST: Final = 840.0
# Of what a call may take beyond its requests: the model's and the vendor's libraries loading.
SLACK: Final = 60.0

# More characters a token than any language has: of the rest of the prompt the model saw nothing.
_TOO_MANY_A_TOKEN: Final = 6
_TOO_SHORT_TO_TELL: Final = 8_000


@dataclass
class _Reading:
    """What was understood of the call so far, part by part."""

    report: CallReport | None = None
    usage: Usage = field(default_factory=Usage)


class LLMJudge:
    """A Judge. One request a call (a few for very long ones); any number of threads may share one instance.

    `output` is how the model is made to answer in our shape (`vendors.Output`). `context` is how many tokens it
    reads at a time; longer calls come in parts. `request_timeout` is in seconds; `deadline` for the whole of a
    call, which grows with its parts where none is given.
    """

    listens = True

    def __init__(
        self,
        model: str,
        *,
        output: Output = "auto",
        context: int | None = None,
        request_timeout: float = REQUEST_TIMEOUT,
        deadline: float | None = None,
    ) -> None:
        self.model = self.name = model
        self._output = output
        self._context = context
        self._request_timeout = request_timeout
        self._deadline = deadline

    def decide(self, case: Case) -> Judgement:
        """Answers every condition and ask of `case`, or raises JudgeFailed."""
        parts = parts_of(case.turns, self._context)
        reading = _Reading()
        _run(self._read(case, parts, reading), self.deadline_of(len(parts)))
        assert reading.report is not None
        return judgement_of(case, reading.report, reading.usage, self.name)

    def deadline_of(self, parts: int) -> float:
        """Seconds that a call of so many parts may take: both requests about each, slow as they may be."""
        return self._deadline or min(SLACK + 2 * parts * self._request_timeout, LONGEST)

    def close(self) -> None:
        """Closes the connections to the vendor; the judge opens new ones if it is asked again."""
        if "_model" in self.__dict__:
            _run(self._close(), SLACK)

    async def _close(self) -> None:
        self.__dict__.pop("_parameters", None)
        # Leaving a model's context is how pydantic-ai closes its client.
        async with self.__dict__.pop("_model"):
            pass

    async def _read(self, case: Case, parts: Sequence[Any], reading: _Reading) -> None:
        for number, part in enumerate(parts, 1):
            request = request_of(case, parts, number, reading.report)
            conversation = _Conversation(self, request)
            report = await conversation.report(case, reading.report, part.first_new)
            reading.report = report
            reading.usage = _sum(reading.usage, conversation.usage)

    @cached_property
    def _model(self) -> Model:
        return vendors.model_of(self.model)

    @cached_property
    def _parameters(self) -> ModelRequestParameters:
        return vendors.parameters_of(self._model, self.model, self._output, SCHEMA)

    @cached_property
    def _settings(self) -> ModelSettings:
        return vendors.settings_of(self.model, self._request_timeout)

    async def ask(self, messages: Sequence[ModelMessage]) -> ModelResponse:
        """The model's next words in a conversation. Raises JudgeFailed, whatever the vendor or the network did."""
        from pydantic_ai.direct import model_request
        from pydantic_ai.exceptions import AgentRunError, UserError

        try:
            return await model_request(
                self._model, messages, model_settings=self._settings, model_request_parameters=self._parameters
            )
        except (UserError, ImportError) as error:
            raise JudgeFailed(f"{self.model}: {vendors.short(str(error))}", retry=False) from error
        except AgentRunError as error:
            raise vendors.failure_of(self.model, error) from error
        except (LookupError, TypeError, ValueError, AttributeError, AssertionError) as error:
            # What the vendors' libraries trip over in an answer that is none, such as one without any choice in it.
            raise JudgeFailed(f"{self.model} gave no answer of the right shape.", retry=True) from error


class _Conversation:
    """One request and, where its answer does not do, one more."""

    def __init__(self, judge: LLMJudge, request: Request) -> None:
        self.judge = judge
        self.request = request
        self.usage = Usage()

    async def report(self, case: Case, so_far: CallReport | None, first_new: int) -> CallReport:
        """What the model reports on this part and all before it. Its second answer counts as it is."""
        response = await self._ask([self._question()])
        try:
            report = _joined(so_far, _report_in(response), first_new=first_new)
        except UnreadableAnswer as wrong:
            again = f"{self.request.user}\n\nYour last answer could not be read: {as_data(str(wrong))}"
            return _joined(so_far, self._last(await self._ask([self._question(again)])), first_new=first_new)
        if not (complaints := _complaints(case, report)):
            return report
        try:
            second = await self._ask([self._question(), response, self._complaint(response, complaints)])
            return _joined(so_far, _report_in(second), first_new=first_new)
        except UnreadableAnswer:
            return report
        except JudgeFailed as failure:
            if failure.retry:
                raise
            return report

    async def _ask(self, messages: list[ModelMessage]) -> ModelResponse:
        response = await self.judge.ask(messages)
        used = response.usage
        self.usage = _sum(self.usage, Usage(used.input_tokens, used.output_tokens, 1))
        self._must_have_read_all(used.input_tokens)
        return response

    def _must_have_read_all(self, tokens: int) -> None:
        characters = len(self.request.system) + len(self.request.user)
        if characters >= _TOO_SHORT_TO_TELL and 0 < tokens * _TOO_MANY_A_TOKEN < characters:
            raise JudgeFailed(
                f"{self.judge.model} read {tokens} tokens of a request of {characters} characters: its server cut "
                "the call short. Give it a longer context (Ollama: OLLAMA_CONTEXT_LENGTH), or say how many tokens "
                "it has in POSTCALL_JUDGE_CONTEXT.",
                retry=False,
            )

    def _last(self, response: ModelResponse) -> CallReport:
        try:
            return _report_in(response)
        except UnreadableAnswer as wrong:
            raise JudgeFailed(
                f"{self.judge.model} gave no answer of the right shape: {vendors.short(str(wrong))}", retry=True
            ) from wrong

    def _question(self, text: str = "") -> ModelMessage:
        from pydantic_ai.messages import ModelRequest, UserPromptPart

        return ModelRequest(parts=[UserPromptPart(text or self.request.user)], instructions=self.request.system)

    def _complaint(self, response: ModelResponse, complaints: Sequence[Mapping[str, object]]) -> ModelMessage:
        from pydantic_ai.messages import ModelRequest, ToolCallPart, ToolReturnPart, UserPromptPart

        text = "\n".join([_AGAIN, *map(as_data, complaints)])
        calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
        if not calls:
            return ModelRequest(parts=[UserPromptPart(text)], instructions=self.request.system)
        said = [ToolReturnPart(call.tool_name, text, call.tool_call_id) for call in calls]
        return ModelRequest(parts=said, instructions=self.request.system)


_AGAIN: Final = (
    "Your report does not stand as it is. Check each point below against the call and give the whole report "
    "again: copy quotes exactly as they stand in one turn; where no words of the call bear a result out, change it."
)


def _report_in(response: ModelResponse) -> CallReport:
    """Raises UnreadableAnswer."""
    from pydantic_ai.messages import ToolCallPart

    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    answers = [call.args or "" for call in calls] or [response.text or ""]
    try:
        reports = [read_report(answer) for answer in answers]
    except UnreadableAnswer as wrong:
        raise UnreadableAnswer(_cut_short(response) or str(wrong)) from wrong
    if any(report != reports[0] for report in reports):
        raise UnreadableAnswer("more than one report")
    return reports[0]


def _cut_short(response: ModelResponse) -> str:
    if response.finish_reason == "length":
        return "it was cut off at the model's limit; be brief"
    if response.finish_reason == "content_filter":
        return f"the vendor's filter refused it {(response.provider_details or {}).get('refusal', '')}".strip()
    return ""


def _complaints(case: Case, report: CallReport) -> list[Mapping[str, object]]:
    """What in `report` the transcript does not bear out, or was asked for and is missing."""
    answered = {id_of(said.id) for said in report.conditions} | {id_of(said.id) for said in report.values}
    asked = list(ids_of(case))
    found: list[Mapping[str, object]] = [
        {"id": each, "problem": "was asked for and is not answered"} for each in asked if each not in answered
    ]
    wordings = {f"C{number}": condition.text for number, condition in enumerate(case.conditions, 1)}
    orders = guards.instructing(case.turns) if any(said.result == "met" for said in report.conditions) else []
    for answer in report.conditions:
        if (wording := wordings.get(id_of(answer.id))) is not None:
            found += _complaints_about(case, answer, wording, orders)
    objection = report.objection
    if objection and not quotes.found(Evidence(objection.turn, objection.quote), case.turns):
        found.append({"objection": objection.quote, "problem": "stands in no turn"})
    return found


def _complaints_about(
    case: Case, answer: ConditionAnswer, wording: str, orders: Sequence[Evidence]
) -> list[Mapping[str, object]]:
    stands = [(said, quotes.found(Evidence(said.turn, said.quote), case.turns)) for said in answer.evidence]
    nowhere: list[Mapping[str, object]] = [
        {"id": answer.id, "turn": said.turn, "quote": said.quote, "problem": "this quote stands in no turn"}
        for said, standing in stands
        if not standing
    ]
    carrying = [standing for _, standing in stands if standing]
    doubt = quotes.doubt_about(answer.result, carrying, case.turns, wording, orders)
    return nowhere or ([{"id": answer.id, "problem": doubt}] if doubt else [])


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


def _sum(so_far: Usage, usage: Usage) -> Usage:
    return Usage(
        so_far.input_tokens + usage.input_tokens,
        so_far.output_tokens + usage.output_tokens,
        so_far.requests + usage.requests,
    )


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
