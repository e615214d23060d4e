"""What is known about one call, whatever it came as: a stored row or the body of a trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from postcall.calls.models import Call
from postcall.judge.verdicts import Role, Turn
from postcall.numbers import e164
from postcall.sources.ended_call import DO_NOT_TEXT, EndedCall


@dataclass(frozen=True)
class CallFacts:
    """`customer_number` is E.164 or empty; what the platform wrote stands in `customer_number_raw`.

    `when` is what relative days are counted from: the call's start, else its end, else its arrival.
    `variables` has the four namespaces of `EndedCall`. `objected`: the platform says that the customer may not want
    a text.
    """

    call_id: str
    customer_number: str
    customer_number_raw: str
    agent_number: str
    direction: str
    started_at: datetime | None
    ended_at: datetime | None
    when: datetime
    end_reason: str
    connected: bool | None
    turns: Sequence[Turn]
    variables: dict[str, Any]
    ending: str = ""
    redacted: Sequence[str] = ()
    objected: bool = False

    @property
    def has_words(self) -> bool:
        return any(turn.text.strip() for turn in self.turns)


def _turns(transcript: Sequence[dict[str, Any]]) -> tuple[Turn, ...]:
    return tuple(Turn(_role(turn["role"]), turn["text"]) for turn in transcript)


def _role(role: str) -> Role:
    return role  # type: ignore[return-value]  # checked by EndedCall when the call came in


def facts_of(call: Call) -> CallFacts:
    """The facts of a stored call."""
    return CallFacts(
        call_id=call.external_id,
        customer_number=call.customer_number,
        customer_number_raw=call.customer_number_raw,
        agent_number=call.agent_number,
        direction=call.direction,
        started_at=call.started_at,
        ended_at=call.ended_at,
        when=call.started_at or call.ended_at or call.received_at,
        end_reason=call.end_reason,
        ending=call.ending,
        redacted=call.redacted,
        objected=call.hints.get(DO_NOT_TEXT) is True,
        connected=call.connected,
        turns=_turns(call.transcript),
        variables=call.variables,
    )


def facts_of_ended(ended: EndedCall, *, region: str | None, now: datetime) -> CallFacts:
    """The facts of a call that is only tried out; `region` reads numbers written without a country code."""
    return CallFacts(
        call_id=ended.external_id,
        customer_number=e164(ended.customer_number or "", region) or "",
        customer_number_raw=ended.customer_number or "",
        agent_number=e164(ended.agent_number or "", region) or ended.agent_number or "",
        direction=ended.direction or "",
        started_at=ended.started_at,
        ended_at=ended.ended_at,
        when=ended.started_at or ended.ended_at or now,
        end_reason=ended.end_reason or "",
        ending=ended.ending or "",
        redacted=ended.redacted,
        objected=ended.hints.get(DO_NOT_TEXT) is True,
        connected=ended.connected,
        turns=tuple(Turn(turn.role, turn.text) for turn in ended.transcript),
        variables=ended.variables.model_dump(),
    )


def facts_of_words(turns: Sequence[Turn], when: datetime) -> CallFacts:
    """The facts of a call of which nothing is known but what was said."""
    return CallFacts(
        call_id="",
        customer_number="",
        customer_number_raw="",
        agent_number="",
        direction="",
        started_at=None,
        ended_at=None,
        when=when,
        end_reason="",
        connected=True,
        turns=turns,
        variables={},
    )
