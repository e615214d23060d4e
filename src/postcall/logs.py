"""Structured logs: events with fields, never a message's text, and of a phone number only its end."""

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
_NOT_TEXT = {"level", "logger", "timestamp"}


def _mask_numbers(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last line of defence: what looks like a phone number is masked in every field, tracebacks included."""
    if event.get("level") == "debug":
        return event
    for key, value in event.items():
        if isinstance(value, str) and key not in _NOT_TEXT:
            event[key] = _NUMBER.sub(lambda found: masked(found[0]), value)
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
    last = [structlog.processors.format_exc_info, _mask_numbers, *last]
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
