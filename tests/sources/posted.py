"""Running the snippets of docs/: what one posts is received over real HTTP."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

from postcall.sources.kind import Delivery

DOCS = Path(__file__).parents[2] / "docs"


def snippet(page: str, holding: str) -> str:
    """The one block of Python on a page of docs/ that holds these words."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    (found,) = [block for block in blocks if holding in block]
    return str(found)


def posted(code: str, url_name: str, path: str, **names: Any) -> Delivery:
    """Runs `code`, with the names that its reader is to fill in, and returns what it posted to `path`; `url_name`
    is what it calls that address."""

    class _Door(BaseHTTPRequestHandler):
        got: ClassVar[list[Delivery]] = []

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.got.append(Delivery(headers, body, f"{base}{self.path}"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), _Door) as server:
        server.timeout = 10
        base = f"http://127.0.0.1:{server.server_port}"
        answering = threading.Thread(target=server.handle_request, daemon=True)
        answering.start()
        exec(code, {**names, url_name: base + path})  # our own documentation
        answering.join()
    (delivery,) = _Door.got
    return delivery
