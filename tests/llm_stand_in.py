"""A model server for tests: it speaks OpenAI's chat completions over loopback HTTP, tool calls included, and plays
what a test wrote for it. Asked at their addresses it speaks OpenAI's responses, Anthropic's messages and Gemini's
generateContent as well (`model_wires.py`)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from model_wires import wire_of


@dataclass(frozen=True)
class Fault:
    """An answer that is none: a status with an error body, text in place of JSON, or a long silence."""

    status: int = 200
    raw: str | None = None
    hang_s: float = 0
    retry_after: str | None = None


Play = dict[str, Any] | str | Fault | Callable[[dict[str, Any]], "dict[str, Any] | str | Fault"]


@dataclass
class ModelServer:
    """Plays `script` answer by answer, then its last one for ever; `requests` are the bodies it was sent.

    A dict is the answer, as the arguments of a tool where one was offered and as text where none was; a string is
    the same as raw text, well-formed or not. `finish_reason` and `tokens` (of what was put in) are told where they
    are set.
    """

    script: list[Play] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    finish_reason: str = ""
    tokens: int = 0

    def __enter__(self) -> ModelServer:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def prompts(self) -> list[str]:
        """What the user message of each request said."""
        return [text_of(request, "user") for request in self.requests]

    def answer(self, request: dict[str, Any], path: str = "") -> tuple[int, dict[str, str], bytes]:
        self.requests.append(request)
        self.paths.append(path)
        play = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if callable(play):
            play = play(request)
        if isinstance(play, Fault):
            return self._fault(play)
        if wire := wire_of(path):
            return 200, {}, json.dumps(wire(request, play)).encode()
        arguments = play if isinstance(play, str) else json.dumps(play)
        answer = _completion(request, arguments, self.tokens or _tokens_of(request))
        if self.finish_reason:
            answer["choices"][0]["finish_reason"] = self.finish_reason
        return 200, {}, json.dumps(answer).encode()

    def _fault(self, fault: Fault) -> tuple[int, dict[str, str], bytes]:
        if fault.hang_s:
            self._stopping.wait(fault.hang_s)
        headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        error = {"error": {"message": f"stand-in says {fault.status}", "type": "stand_in", "code": None}}
        return fault.status, headers, (json.dumps(error) if fault.raw is None else fault.raw).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, answer = server.answer(json.loads(body), self.path)
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    self.close_connection = True  # who asked has gone

            def log_message(self, *_: object) -> None:
                """Silent."""

        return Handler


def text_of(request: dict[str, Any], role: str) -> str:
    """The text of a request's messages of one role."""
    texts = []
    for message in request["messages"]:
        if message["role"] != role:
            continue
        content = message.get("content") or ""
        texts += [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    return "\n".join(texts)


def schema_of(request: dict[str, Any]) -> dict[str, Any]:
    """The schema in which the answer was asked for, as a tool's or as the response's; empty: in words alone."""
    if tools := request.get("tools"):
        return dict(tools[0]["function"]["parameters"])
    return dict(request.get("response_format", {}).get("json_schema", {}).get("schema", {}))


def _tokens_of(request: dict[str, Any]) -> int:
    """A hundred for what is short, so that sums are easily read; what is long costs what it would."""
    characters = sum(len(text_of(request, role)) for role in ("system", "user"))
    return 100 if characters < 8_000 else characters // 4


def _completion(request: dict[str, Any], arguments: str, tokens: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": arguments}
    if tools := request.get("tools"):
        call = {"name": tools[0]["function"]["name"], "arguments": arguments}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
        }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if tools else "stop"}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 20, "total_tokens": tokens + 20},
    }
