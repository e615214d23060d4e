"""Reading a conversation in the form in which agents hand it to chat models: messages with roles, calls of tools
and what the tools answered. OpenAI's form in both its generations, Anthropic's blocks, LiveKit's chat items.

Like `loose`, nothing here raises.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from postcall.shapes import storable_json
from postcall.sources import loose
from postcall.sources.ended_call import MAX_TURN_CHARS, Role, Turn

_ROLES: Final[dict[str, Role]] = {
    "assistant": "agent",
    "agent": "agent",
    "bot": "agent",
    "ai": "agent",
    "model": "agent",
    "user": "customer",
    "customer": "customer",
    "caller": "customer",
    "human": "customer",
}
# What the model was told: no part of the call.
_INSTRUCTIONS: Final = frozenset({"system", "developer"})
_TOOLS: Final = frozenset({"tool", "function"})
# Pipecat writes these in place of a result, as long as there is none and when there will be none.
_RUNNING: Final = "IN_PROGRESS"
_CANCELLED: Final = "CANCELLED"


@dataclass(frozen=True)
class Conversation:
    """The turns that were said, and by tool what it answered last."""

    turns: list[Turn]
    results: dict[str, Any]


def conversation(
    items: Iterable[Any], start: datetime | None = None, *, spoken: Callable[[str], str] = str
) -> Conversation:
    """What was said and done. Instructions are left out; an item in an unknown role is a turn of the system's.

    `start` is that of the call, for items that carry their time; `spoken` makes what an agent's message says out
    of what was written for its voice.
    """
    reading = _Reading(start, spoken)
    for item in items:
        reading.take(item)
    return Conversation(loose.turns(reading.turns), storable_json(reading.results))


def result_of(answer: Any) -> dict[str, Any]:
    """What a tool answered, by name: an object as it is, anything else under `result`."""
    answer = _written_out(answer)
    return answer if isinstance(answer, dict) else {"result": answer}


def _written_out(answer: Any) -> Any:
    """What a string of JSON holds, or one of Python: LiveKit writes what a tool returned by `str`, which makes of a
    dict no JSON. Anything else as it is."""
    answer = loose.unwrapped(answer)
    if not isinstance(answer, str) or not answer.startswith(("{", "[")) or len(answer) > MAX_TURN_CHARS:
        return answer
    try:
        return json.loads(json.dumps(ast.literal_eval(answer), allow_nan=False))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return answer


@dataclass
class _Reading:
    start: datetime | None
    spoken: Callable[[str], str]
    turns: list[Turn | None] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    def take(self, item: Any) -> None:
        item = loose.mapping(item)
        match item.get("type"):
            case "function_call":
                self._call(item, item, self._at(item))
            case "function_call_output":
                failed = bool(_either(item, "is_error", "isError"))
                self._answer(_call_id(item), item.get("output"), item, failed=failed)
            case "agent_handoff":
                self._handoff(item)
            case _ if isinstance(item.get("role"), str):
                self._message(item, item["role"].strip().lower())

    def _message(self, item: dict[str, Any], role: str) -> None:
        content = item.get("content")
        if self._later_answer(item, content):
            return
        if role in _TOOLS:
            self._answer(_call_id(item), _words(content) or content, item)
        elif role not in _INSTRUCTIONS:
            self._said(item, _ROLES.get(role, "system"), content)

    def _said(self, item: dict[str, Any], role: Role, content: Any) -> None:
        words, at = _words(content), self._at(item)
        self.turns.append(loose.turn(role, self.spoken(words) if role == "agent" else words, at))
        for call in loose.listing(item.get("tool_calls")):
            call = loose.mapping(call)
            self._call(call, loose.mapping(call.get("function")) or call, at)
        if function := loose.mapping(item.get("function_call")):
            self._call({}, function, at)
        for part in loose.listing(content):
            self._block(loose.mapping(part), item, at)

    def _block(self, part: dict[str, Any], item: dict[str, Any], at: float | None) -> None:
        if part.get("type") == "tool_use":
            self._call(part, {"name": part.get("name"), "arguments": part.get("input")}, at)
        if part.get("type") == "tool_result":
            content = part.get("content")
            failed = bool(part.get("is_error"))
            self._answer(loose.text(part.get("tool_use_id")), _words(content) or content, item, failed=failed)

    def _call(self, call: dict[str, Any], function: dict[str, Any], at: float | None) -> None:
        name = loose.text(function.get("name"), loose.MAX_ID)
        if name and (known_as := _call_id(call)):
            self._names[known_as] = name
        self.turns.append(loose.called(name, function.get("arguments") or {}, at))

    def _answer(self, call_id: str | None, answer: Any, item: dict[str, Any], *, failed: bool = False) -> None:
        if answer in (None, "", [], _RUNNING):
            return
        name = self._names.get(call_id or "") or loose.text(item.get("name"), loose.MAX_ID)
        self.turns.append(loose.answered(name, _written_out(answer), self._at(item)))
        # What a tool answered when it worked stays, whatever went wrong later.
        if name and not failed and not (isinstance(answer, str) and answer.startswith(_CANCELLED)):
            self.results[name] = result_of(answer)

    def _later_answer(self, item: dict[str, Any], content: Any) -> bool:
        """Whether this is a notice of Pipecat's about a tool that works while the agent talks on; the last of
        them has the answer."""
        notice = loose.mapping(content) if isinstance(content, str) else {}
        if notice.get("type") != "async_tool":
            return False
        if notice.get("status") == "finished":
            self._answer(_call_id(notice), notice.get("result"), item)
        return True

    def _handoff(self, item: dict[str, Any]) -> None:
        before = loose.text(_either(item, "old_agent_id", "oldAgentId"))
        after = loose.text(_either(item, "new_agent_id", "newAgentId"))
        if before and after:
            self.turns.append(loose.turn("system", f"{before} handed over to {after}", self._at(item)))

    def _at(self, item: dict[str, Any]) -> float | None:
        if (at := loose.number(item.get("at"))) is not None:
            return at
        return loose.since(self.start, _either(item, "created_at", "createdAt", "timestamp"))


def _words(content: Any) -> str:
    """The text of a message, without its pictures and sounds; of a sound its transcript."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part if isinstance(part, str) else _text_of(loose.mapping(part)) for part in content)
    return " ".join(part.strip() for part in parts if part and part.strip())


def _text_of(part: dict[str, Any]) -> str | None:
    if part.get("type") in ("tool_use", "tool_result"):
        return None
    return loose.text(part.get("text")) or loose.text(part.get("transcript"))


def _call_id(item: dict[str, Any]) -> str | None:
    return loose.text(_either(item, "tool_call_id", "call_id", "callId", "id"))


def _either(item: dict[str, Any], *names: str) -> Any:
    return next((item[name] for name in names if item.get(name) is not None), None)
