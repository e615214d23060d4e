"""Postcall asks only addresses that its environment names; nobody who uses it can name another."""

from __future__ import annotations

import ast
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

import postcall
from postcall.api.serving import api as the_api
from postcall.config import Config
from postcall.messages import twilio_client
from postcall.messages.models import Account
from postcall.messages.twilio_client import Unread

SOURCE = Path(postcall.__file__).parent
_LIKE_AN_ADDRESS = (
    "url",
    "uri",
    "host",
    "hostname",
    "endpoint",
    "callback",
    "webhook",
    "domain",
    "address",
    "link",
)


def is_like_an_address(name: str) -> bool:
    words = name.lower().replace("-", "_").split("_")
    return any(
        word.removesuffix("es") in _LIKE_AN_ADDRESS or word.removesuffix("s") in _LIKE_AN_ADDRESS for word in words
    )


def fields_taken() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field that a request to the API may hold: (dotted path, its schema)."""
    document = the_api.get_openapi_schema(path_prefix="")
    shapes = document["components"]["schemas"]

    def walk(path: str, schema: dict[str, Any], seen: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
        if reference := schema.get("$ref"):
            name = reference.rsplit("/", 1)[1]
            if name not in seen:
                yield from walk(path, shapes[name], (*seen, name))
            return
        for field, inner in schema.get("properties", {}).items():
            yield f"{path}.{field}", inner
            yield from walk(f"{path}.{field}", inner, seen)
        for key in ("items", "additionalProperties"):
            if isinstance(inner := schema.get(key), dict):
                yield from walk(path, inner, seen)
        for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
            yield from walk(path, each, seen)

    for methods in document["paths"].values():
        for operation in methods.values():
            name = operation["operationId"]
            for parameter in operation.get("parameters", ()):
                yield f"{name}.{parameter['name']}", parameter.get("schema", {})
            body = operation.get("requestBody", {}).get("content", {})
            for content in body.values():
                yield from walk(name, content["schema"], ())


def test_it_takes_no_address_by_the_api() -> None:
    """One that comes to take one has to resolve it once, refuse private networks, follow no redirect, and be
    told here with the test that shows it."""
    taken = list(fields_taken())
    assert ("create_action.message") in [path for path, _ in taken]
    assert ("create_agent.sender.from_number") in [path for path, _ in taken]
    found = [
        path
        for path, schema in taken
        if is_like_an_address(path.rsplit(".", 1)[1]) or schema.get("format") in ("uri", "url", "hostname")
    ]
    # Of webhooks: checked and asked by postcall.outbound alone (tests/outbound, tests/webhooks/test_delivering).
    assert {path for path in found if format_of(taken, path) != "uuid"} == {
        "create_webhook.url",
        "update_webhook.url",
    }


def format_of(taken: list[tuple[str, dict[str, Any]]], path: str) -> Any:
    """The format of a field; an id of ours in a path is no address."""
    return dict(taken)[path].get("format")


@pytest.mark.parametrize("name", ["url", "callback_url", "webhook", "endpoints", "host", "api-url"])
def test_it_would_see_one(name: str) -> None:
    assert is_like_an_address(name)


def test_it_takes_no_address_by_a_form() -> None:
    read: set[str] = set()
    for path in (SOURCE / "dashboard").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and is_like_an_address(node.value):
                read.add(node.value)
    asked = {each for each in read if f'name="{each}"' in forms() or f'field form "{each}"' in forms()}
    # Of alerts, and of webhooks: checked and asked by postcall.outbound (tests/outbound)
    assert asked == {"webhook", "url"}
    assert 'name="reason"' in forms()


def forms() -> str:
    return "\n".join(path.read_text() for path in (SOURCE / "dashboard" / "templates").rglob("*.html"))


def test_it_stores_no_address_but_the_environments() -> None:
    """A new column for one is told here, with where its content comes from."""
    columns = {
        f"{model.__name__}.{field.name}"
        for model in apps.get_models()
        if model.__module__.startswith("postcall.")
        for field in model._meta.concrete_fields
        if is_like_an_address(field.name)
    }
    assert columns == {
        "Account.api_url",  # TWILIO_API_URL, or the sandbox
        "AlertChannel.address",  # an owner entered it; asked by postcall.outbound alone, or mailed to
        "SignInTry.address",  # where somebody signed in from; never asked
        "WebhookDelivery.endpoint",  # which of our rows
        "WebhookEndpoint.url",  # an owner entered it; asked by postcall.outbound alone
        "Worker.host",  # our own machine's name; never asked
    }


def test_its_environment_names_every_address() -> None:
    named = {name for name in Config.model_fields if is_like_an_address(name)}
    assert named == {
        "database_url",
        "host",
        "public_url",
        "twilio_api_url",
        "sandbox_url",
        "smtp_url",
        "allowed_hosts",
    }


def test_it_opens_connections_in_few_places() -> None:
    """A module that starts to ask others has to be looked at for whom it asks."""
    openers = {"requests", "httpx", "urllib", "urllib3", "http", "socket", "aiohttp", "twilio", "pydantic_ai"}
    openers |= {"httpx2", "httpcore", "httpcore2"}
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if {name.split(".")[0] for name in names} & openers and not set(names) <= HARMLESS:
                found.add(path.relative_to(SOURCE).parts[0] + "/" + path.stem)
    assert found - {each for each in found if each.startswith("sandbox/")} == ASKING


HARMLESS = {"urllib.parse", "http", "twilio.request_validator"}
ASKING = {
    "cli/addresses",  # this machine's own addresses
    "cli/calls",  # the web process, for `postcall sample`
    "database/sockets",  # the embedded database's own
    "judge/llm",  # the model that the environment names
    "judge/vendors",  # and how it is made
    "messages/twilio_client",  # TWILIO_API_URL
    "outbound/addresses",  # what somebody entered: looked up and checked (tests/outbound)
    "outbound/posting",  # and asked there, nowhere else
    "synthflow/client",  # the command line names it, for `postcall import`
    "worker/loop",  # this machine's name
}


class Elsewhere(BaseHTTPRequestHandler):
    """Says that the next page is somewhere else, or sends one there."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012  # one server at a time
    answer: dict[str, Any] = {}  # noqa: RUF012
    location = ""

    def do_GET(self) -> None:
        self.asked.append((self.server.server_name, self.path))
        body = json.dumps({} if "steal" in self.path else self.answer).encode()
        self.send_response(307 if self.location else 200)
        if self.location:
            self.send_header("Location", self.location)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def servers(db: None) -> Iterator[tuple[str, str]]:
    """Twilio's stand-in, and an address that nobody may be led to; both write down who asks."""
    Elsewhere.asked, Elsewhere.answer, Elsewhere.location = [], {}, ""
    running = [HTTPServer(("127.0.0.1", 0), Elsewhere) for _ in range(2)]
    for server in running:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    twilio_client.forget_clients()
    yield tuple(f"http://127.0.0.1:{server.server_port}" for server in running)  # type: ignore[misc]  # two of them
    for server in running:
        server.shutdown()
        server.server_close()
    twilio_client.forget_clients()


def account(url: str) -> Account:
    return Account(account_sid="AC" + "9" * 32, auth_token="token", api_url=url, from_number="+15005550006")


def test_it_stays_with_twilio_wherever_the_next_page_is_said_to_be(servers: tuple[str, str]) -> None:
    twilio, elsewhere = servers
    Elsewhere.answer = {"messages": [], "meta": {"key": "messages", "next_page_url": f"{elsewhere}/steal"}}
    assert isinstance(twilio_client.list_to(account(twilio), "+14155550132"), Unread)
    assert [path for _, path in Elsewhere.asked if "steal" in path] == []
    assert len(Elsewhere.asked) == 1


def test_it_follows_no_redirect(servers: tuple[str, str]) -> None:
    twilio, elsewhere = servers
    Elsewhere.location = f"{elsewhere}/steal"
    assert isinstance(twilio_client.list_to(account(twilio), "+14155550132"), Unread)
    assert [path for _, path in Elsewhere.asked if "steal" in path] == []
