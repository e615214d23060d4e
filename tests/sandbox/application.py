"""An application that takes webhooks, and the names that the tests of the stand-in share."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

ACCOUNT = "AC" + "1" * 32
TOKEN = "the-auth-token"
SERVICE = "MG" + "2" * 32
OURS = "+15005550006"
ANN = "+15551230001"


@dataclass
class Received:
    path: str
    form: dict[str, str]
    headers: dict[str, str]


class Application:
    """Takes webhooks and remembers them; `answers` are the next statuses, then 204."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[int] = []
        self._change = threading.Condition()
        application = self

        class Endpoint(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = dict(parse_qsl(body, keep_blank_values=True))
                status = application.take(Received(self.path, form, dict(self.headers)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, received: Received) -> int:
        with self._change:
            self.received.append(received)
            self._change.notify_all()
            return self.answers.pop(0) if self.answers else 204

    def wait_for(self, count: int) -> list[Received]:
        with self._change:
            assert self._change.wait_for(lambda: len(self.received) >= count, 30)
        return self.received

    @property
    def statuses(self) -> list[str]:
        return [received.form["MessageStatus"] for received in self.received]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
