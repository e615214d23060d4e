"""A stand-in for Synthflow's API, over loopback HTTP: pages, details, and the ways in which it fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "sf-key-of-the-tests-0123456789"


@dataclass
class Failing:
    """An answer in place of the true one: a status with headers, a body, or a hang-up."""

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"detail":"no"}'
    hangs_up: bool = False


@dataclass
class StandIn:
    """`page` is the most rows that it gives at once, whatever is asked for. `failing` answers are given first, each
    once. `asked` are the targets that came."""

    agents: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    page: int = 100
    total: bool = True
    failing: list[Failing] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda target: None

    def __enter__(self) -> StandIn:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v2"

    def answer(self, target: str) -> tuple[int, Any]:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path.removeprefix("/v2/").split("/"):
            case ["assistants"]:
                return 200, self._listed("assistants", self.agents, query)
            case ["actions"]:
                plain = [{k: v for k, v in each.items() if k not in _DETAILS} for each in self.actions]
                return 200, self._listed("actions", plain, query)
            case ["actions", action_id]:
                found = [each for each in self.actions if each["action_id"] == action_id]
                if not found:
                    return 404, {"detail": "Action not found"}
                return 200, {"status": "ok", "response": {"actions": found}}
        return 404, {"detail": "Not Found"}

    def _listed(self, what: str, rows: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        limit, offset = min(int(query.get("limit", 20)), self.page), int(query.get("offset", 0))
        response: dict[str, Any] = {what: rows[offset : offset + limit]}
        if self.total:
            response["pagination"] = {"total_records": len(rows), "limit": limit, "offset": offset}
        return {"status": "ok", "response": response}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stand_in.asked.append(self.path)
                stand_in.before(self.path)
                if stand_in.failing:
                    self._fail(stand_in.failing.pop(0))
                elif self.headers["Authorization"] != f"Bearer {KEY}":
                    self._send(401, b'{"detail":"Unauthorized"}')
                else:
                    status, body = stand_in.answer(self.path)
                    self._send(status, json.dumps(body).encode())

            def _fail(self, how: Failing) -> None:
                if how.hangs_up:
                    self.close_connection = True
                    self.connection.close()
                else:
                    self._send(how.status, how.body, how.headers)

            def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


_DETAILS = ("assistants", "input_variables")


def agent(model_id: str, name: str = "Front desk", **more: Any) -> dict[str, Any]:
    return {"type": "inbound", "name": name, "model_id": model_id, "actions": [], "input_variables": []} | more


def sms(
    action_id: str,
    content: str = "Hi <customer_name>!",
    instructions: str = "After scheduling an appointment",
    uses: list[dict[str, Any]] | None = None,
    values: list[dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """As GET /actions/{id}?include_assistants=true shows one."""
    uses = uses or []
    return {
        "action_id": action_id,
        "action_type": "SEND_SMS",
        "name": "send_sms",
        "description": instructions,
        "parameters_hard_coded": {"sms_message_text": content},
        "assistants": [each["model_id"] for each in uses],
        "input_variables": {"values": values or [], "assistants": uses},
    } | more


def use(model_id: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"model_id": model_id, "attachment_type": "after", "input_variables_mapping": list(entries)}


def entry(name: str, source: str, value: Any = None, **llm: Any) -> dict[str, Any]:
    return {"variable_name": name, "source": source, "hardcoded_value": value, "llm_config": llm or None}


def extractor(action_id: str) -> dict[str, Any]:
    return {"action_id": action_id, "action_type": "INFORMATION_EXTRACTOR", "name": "extract", "description": "x"}
