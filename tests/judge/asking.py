"""A small call, reports on it as a model writes them, and a judge that is asked over HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from llm_stand_in import ModelServer, text_of

from postcall.judge import quotes
from postcall.judge.llm import LLMJudge
from postcall.judge.verdicts import Case, Condition, Judgement, Turn

BOOKED = Condition("f-1", "After scheduling an appointment")
MORE = Condition("f-2", "When the customer requests more information")
TURNS = (
    Turn("agent", "Northgate Clinic, how can I help?"),
    Turn("customer", "I'd like a cleaning tomorrow at three."),
    Turn("agent", "Tomorrow at three. You are booked."),
)
START = datetime(2026, 3, 4, 10, 0, tzinfo=ZoneInfo("America/Los_Angeles"))


def case(*conditions: Condition, **fields: Any) -> Case:
    return replace(Case(TURNS, conditions or (BOOKED,), started_at=START), **fields)


def verdict(number: int = 1, result: str = "met", turn: int = 3, quote: str = "You are booked.") -> dict[str, Any]:
    evidence = [{"turn": turn, "quote": quote}] if quote else []
    said = {"id": f"C{number}", "evidence": evidence, "reason": "It says so.", "result": result}
    return said | {"confidence": 0.95, "probability": 0.97}


def report(*verdicts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"conditions": list(verdicts or (verdict(),))} | fields


def decide(model: ModelServer, asked: Case, *script: Any, **options: Any) -> Judgement:
    """What the judge says after `model` played `script`, its quotes checked."""
    if script:
        model.script = list(script)
    judge = LLMJudge(options.pop("name", "openai:stand-in"), **options)
    try:
        return quotes.checked(judge.decide(asked), asked.turns, asked.conditions)
    finally:
        judge.close()


def told(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The call's lines as the model was given them."""
    block = text_of(request, "user").split("<call>\n")[1].split("\n</call>")[0]
    return [json.loads(line) for line in block.split("\n")]
