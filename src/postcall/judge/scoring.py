"""From a labelled row and what a judge said about it to what is counted; every answer passes the quote check."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from postcall.judge import quotes
from postcall.judge.measuring import Scored, State
from postcall.judge.parts import parts_of
from postcall.judge.prices import cost
from postcall.judge.prompt import UnreadableAnswer, judgement_of, read_report
from postcall.judge.rows import CONDITION, BadRow, Row, id_of, lines_of
from postcall.judge.verdicts import Evidence, Judgement, Usage, Verdict


class _Quoted(BaseModel):
    turn: int
    quote: str


class _Usage(BaseModel):
    """As we write it, or as vendors do."""

    input_tokens: int = Field(default=0, ge=0, validation_alias=AliasChoices("input_tokens", "prompt_tokens"))
    output_tokens: int = Field(default=0, ge=0, validation_alias=AliasChoices("output_tokens", "completion_tokens"))
    requests: int = Field(default=1, ge=0)


class _Told(BaseModel):
    """What a line of answers tells besides the answer itself."""

    model: str = Field(default="", validation_alias=AliasChoices("judge", "model"))
    usage: _Usage | None = None


class _Line(_Told):
    """A verdict as `postcall judge --batch` writes it; of another judge only `result` is needed."""

    model_config = ConfigDict(extra="ignore")

    result: Literal["met", "not_met", "unclear"]
    confidence: float = Field(default=1.0, ge=0, le=1)
    probability: float | None = Field(default=None, ge=0, le=1)
    likelier: Literal["met", "not_met"] | None = None
    reason: str = ""
    evidence: list[_Quoted] = Field(default_factory=list)

    def verdict(self) -> Verdict:
        return Verdict(
            self.result,
            self.confidence,
            self.reason,
            tuple(Evidence(quoted.turn, quoted.quote) for quoted in self.evidence),
            self.probability,
            self.likelier,
            self.model,
        )


@dataclass(frozen=True)
class Answers:
    """The lines of a file of answers, by the id of their row."""

    lines: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, path: Path) -> Answers:
        """Raises BadRow and OSError. A line holds `answer`, a language model's raw text or its JSON object, or a
        verdict's `result`."""
        lines: dict[str, dict[str, Any]] = {}
        for where, written in lines_of(path):
            if not isinstance(written, dict) or not ("answer" in written or "result" in written):
                raise BadRow(
                    f"{where}: needs `id` and `answer` (what the model wrote), or `result` as a verdict has it"
                )
            key = str(id_of(written, where))
            if key in lines:
                raise BadRow(f"{where}: `id` {key} is answered twice; leave one of the answers out")
            lines[key] = written
        return cls(lines)

    def scored(self, row: Row) -> Scored:
        written = self.lines.get(str(row.id))
        if written is None:
            return unanswered(row, "missing")
        try:
            judgement, told = _read(row, written)
        except (UnreadableAnswer, ValidationError):
            return unanswered(row, "unreadable")
        return scored(row, judgement, priced=told.usage is not None, model=told.model)

    def strangers(self, rows: list[Row]) -> int:
        """How many answers are about none of `rows`."""
        return len(self.lines.keys() - {str(row.id) for row in rows})

    def cut_short(self, rows: list[Row], context: int | None = None) -> int:
        """How many raw answers are about calls that take several requests to a model that reads `context` tokens at
        a time: they answer the first alone."""
        raw = (row for row in rows if "answer" in self.lines.get(str(row.id), {}))
        return sum(len(parts_of(row.case.turns, context)) > 1 for row in raw)


def _read(row: Row, written: dict[str, Any]) -> tuple[Judgement, _Told]:
    if "answer" not in written:
        line = _Line.model_validate(written)
        return Judgement({CONDITION: line.verdict()}, usage=_usage(line)), line
    told = _Told.model_validate(written)
    answer = written["answer"]
    if not isinstance(answer, str | dict):
        raise UnreadableAnswer("neither text nor an object")
    return judgement_of(row.case, read_report(answer), _usage(told), told.model), told


def _usage(told: _Told) -> Usage:
    given = told.usage
    return Usage(given.input_tokens, given.output_tokens, given.requests) if given else Usage()


def scored(
    row: Row, judgement: Judgement, *, model: str, priced: bool = True, seconds: float | None = None
) -> Scored:
    """`row`, which has a label, with what `judgement` comes to once its quotes are held against the call. `model`
    is whose prices count; not `priced`, nobody knows what it used."""
    assert row.label is not None
    said = judgement.verdicts.get(CONDITION)
    if said is None:
        return unanswered(row, "missing", judgement.usage)
    counts = quotes.checked(judgement, row.case.turns, row.case.conditions).verdicts[CONDITION]
    usage = judgement.usage
    return Scored(
        met=row.label,
        verdict=counts,
        misquoted=len(counts.evidence) < len(said.evidence) or (said.result == "met" and not said.evidence),
        seconds=seconds,
        usage=usage,
        cost=cost(model, usage.input_tokens, usage.output_tokens) if priced else None,
        groups=row.groups,
    )


def unanswered(row: Row, state: State, usage: Usage | None = None) -> Scored:
    """`row` where there is no answer to read: unclear, and leaning to nothing."""
    assert row.label is not None
    nothing = Verdict("unclear", 0.0, "There is no answer that can be read.")
    return Scored(met=row.label, verdict=nothing, state=state, usage=usage or Usage(), groups=row.groups)
