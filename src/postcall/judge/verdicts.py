"""What a judge is asked and what it answers. Every judge speaks these types and nothing else.

A judge decides, for one call, whether each condition was met during it, and may read values out of the
transcript (`ask` bindings). It never sees or names a recipient, and it sends nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

Result = Literal["met", "not_met", "unclear"]
Role = Literal["agent", "customer", "system", "tool"]


@dataclass(frozen=True)
class Turn:
    """One turn of a transcript; its number is its position, counted from 1."""

    role: Role
    text: str


@dataclass(frozen=True)
class Condition:
    """One question about the call. `id` is the asker's and comes back with the verdict."""

    id: str
    text: str


@dataclass(frozen=True)
class Ask:
    """A value to read out of the transcript: an `ask` binding.

    `format` is what it will be shown as (date, time, datetime, number, money), so that the judge answers
    dates in ISO 8601 and numbers as digits; None: as it was said. `condition_id` names the condition whose
    message needs it.
    """

    id: str
    condition_id: str
    description: str
    example: str = ""
    format: str | None = None


@dataclass(frozen=True)
class Case:
    """One call put to a judge.

    `started_at` is aware, in the agent's time zone: what "tomorrow at 3" is counted from.
    """

    turns: Sequence[Turn]
    conditions: Sequence[Condition]
    asks: Sequence[Ask] = ()
    started_at: datetime | None = None
    variables: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """A quote that stands verbatim in a turn (white space aside). `turn` counts from 1."""

    turn: int
    quote: str


@dataclass(frozen=True)
class Verdict:
    """Whether one condition was met.

    `confidence` in 0..1 is that of `result`; `probability` in 0..1 is that the condition was met, where the
    judge knows one. `likelier` is what an `unclear` judge would say if it had to. `judge` is the name of who
    decided it, `prompt` the version of what a language model was told, and of the shape of its answer ("2.2").
    """

    result: Result
    confidence: float
    reason: str
    evidence: tuple[Evidence, ...] = ()
    probability: float | None = None
    likelier: Literal["met", "not_met"] | None = None
    judge: str = ""
    prompt: str = ""

    def evidence_json(self) -> list[dict[str, Any]]:
        """The quotes as they are stored and told."""
        return [{"turn": quoted.turn, "quote": quoted.quote} for quoted in self.evidence]


@dataclass(frozen=True)
class Answer:
    """What a judge read for one `ask`: the value, or None when the call does not say, and where it stands."""

    value: str | None
    turn: int | None = None


@dataclass(frozen=True)
class Usage:
    """What one judgement cost, in tokens and requests."""

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0


@dataclass(frozen=True)
class Judgement:
    """All verdicts about one call, by condition id, and all answers, by ask id.

    `objection` is where the customer said not to be texted, from a judge that listens for it.
    """

    verdicts: dict[str, Verdict]
    answers: dict[str, Answer] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    objection: Evidence | None = None


class JudgeFailed(Exception):
    """The judge could not answer. `retry` says whether a later try may succeed; the text is for the operator.
    `decided` are the verdicts that stand all the same; `after_s` is how many seconds the vendor asked to wait."""

    def __init__(
        self, message: str, *, retry: bool, decided: Judgement | None = None, after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.retry = retry
        self.after_s = after_s
        self.decided = decided or Judgement({})


class Judge(Protocol):
    """Decides the conditions of one call. `name` is stored with every verdict ("offline-1", "openai:…").

    `listens`: it hears an objection to texts in any words and language, so that it is worth asking about a call of
    which nothing else has to be decided.
    """

    name: str
    listens: bool

    def decide(self, case: Case) -> Judgement:
        """Answers every condition and ask of `case`, or raises JudgeFailed."""
        ...
