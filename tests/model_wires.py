"""How answers look on the wires of OpenAI's responses, Anthropic's messages and Gemini's generateContent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Answer = dict[str, Any] | str
Wire = Callable[[dict[str, Any], Answer], dict[str, Any]]


def wire_of(path: str) -> Wire | None:
    """None: chat completions."""
    path = path.partition("?")[0]
    if path.endswith("/responses"):
        return openai_response
    if path.endswith("/messages"):
        return anthropic_message
    return gemini_content if path.endswith(":generateContent") else None


def _text(answer: Answer) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer)


def openai_response(request: dict[str, Any], answer: Answer) -> dict[str, Any]:
    said = {"type": "output_text", "text": _text(answer), "annotations": []}
    item: dict[str, Any] = {"type": "message", "id": "msg_1", "role": "assistant", "content": [said]}
    if tools := request.get("tools"):
        called = {"name": tools[0]["name"], "arguments": _text(answer)}
        item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", **called}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "model": request["model"],
        "output": [item | {"status": "completed"}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 100,
            "output_tokens": 20,
            "total_tokens": 120,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def anthropic_message(request: dict[str, Any], answer: Answer) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "text", "text": _text(answer)}
    if request.get("tools") and isinstance(answer, dict):
        part = {"type": "tool_use", "id": "toolu_1", "name": request["tools"][0]["name"], "input": answer}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": [part],
        "stop_reason": "tool_use" if part["type"] == "tool_use" else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 100, "output_tokens": 20},
    }


def gemini_content(request: dict[str, Any], answer: Answer) -> dict[str, Any]:
    part: dict[str, Any] = {"text": _text(answer)}
    if (tools := request.get("tools")) and isinstance(answer, dict):
        part = {"functionCall": {"name": tools[0]["functionDeclarations"][0]["name"], "args": answer}}
    return {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120},
        "modelVersion": "stand-in",
        "responseId": "r-1",
    }
