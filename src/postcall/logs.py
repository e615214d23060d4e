"""Structured logs: events with fields, never a message's text or a secret, and of a phone number only its end."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog


def masked(number: str | None) -> str:
    """`+14155550132` as `…0132`: enough to find it again, too little to call it."""
    return f"…{number[-4:]}" if number else ""


_NUMBER = re.compile(r"\+?\b\d{10,15}\b")
# Whoever knows one of these can come in: an address's token, a key, a password; and the characters it is made of.
_SECRETS = (
    re.compile(r"(/in/[\w-]+/|/twilio/(?:status|inbound)/)[\w%.~-]+"),
    re.compile(r"((?:/|%2F)(?:invitations|set-up|reset)(?:/|%2F))[\w%.~/-]+", re.IGNORECASE),
    re.compile(r"(\b(?:bearer|basic)\s+)[\w+/=.~-]{6,}", re.IGNORECASE),
    re.compile(r"(\b(?:pc_|whsec_|sk-))[\w+/=-]{6,}"),
    re.compile(r"(\b\w+://[^\s:/@]*:)[^\s/@]+(?=@)"),
    re.compile(r"((?:password|token|secret|api_key)(?:=[\"']?|[\"']\s*:\s*[\"']))[^\s\"',;&)}]+", re.IGNORECASE),
)
# What errors say of the values they stumbled over, which may be anybody's words: PostgreSQL's row or piece of a
# statement, pydantic's input.
_VALUES = (
    re.compile(r"(DETAIL:).*?(?=\n\n(?:The above|During handling)|\Z)", re.DOTALL),
    re.compile(r"(LINE \d+:)[^\n]*"),
    re.compile(r"(input_value=).*?(?=, input_type=)", re.DOTALL),
)
_NOT_TEXT = {"level", "logger", "timestamp"}


def scrubbed(text: str) -> str:
    """The text with every phone number and secret in it masked, as far as they can be told by their looks."""
    for secret in (*_SECRETS, *_VALUES):
        text = secret.sub(r"\1…", text)
    return _NUMBER.sub(lambda found: masked(found[0]), text)


def _scrub(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last line of defence: every field is scrubbed, tracebacks included."""
    if event.get("level") == "debug":
        return event
    for key, value in event.items():
        if key in _NOT_TEXT or isinstance(value, bool | int | float | None):
            continue
        text = value if isinstance(value, str) else str(value)
        if (clean := scrubbed(text)) != text:
            event[key] = clean
    return event


def configure_logs(form: Literal["console", "json"] | None) -> None:
    """Sends our events and the libraries' through one chain to standard error.

    `form` None: for people on a terminal, else one JSON object a line.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    human = form == "console" or (form is None and sys.stderr.isatty())
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if human
        else [structlog.processors.JSONRenderer()]
    )
    last = [structlog.processors.format_exc_info, _scrub, *last]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # Its lines name addresses, which hold tokens and numbers; what a client did wrong is in its answer.
    logging.getLogger("django.request").setLevel(logging.ERROR)
    for chatty in (
        "httpx",
        "httpx2",
        "httpcore",
        "openai",
        "anthropic",
        "google_genai",
        "twilio.http_client",
        "urllib3",
    ):
        logging.getLogger(chatty).setLevel(logging.WARNING)
