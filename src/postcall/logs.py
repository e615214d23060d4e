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


def _mask_numbers(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last line of defence: a full phone number in any text field at info level and above is masked."""
    if event.get("level") == "debug":
        return event
    for key, value in event.items():
        if key in ("to", "number", "from_number", "customer_number", "agent_number") and isinstance(value, str):
            event[key] = masked(value)
        elif key in ("event", "error", "exception", "detail") and isinstance(value, str):
            event[key] = re.sub(r"\+\d{7,15}\b", lambda found: masked(found[0]), value)
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
        else [structlog.processors.format_exc_info, _mask_numbers, structlog.processors.JSONRenderer()]
    )
    if human:
        shared.append(_mask_numbers)
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
    for chatty in (
        "httpx",
        "httpcore",
        "openai",
        "anthropic",
        "google_genai",
        "twilio.http_client",
        "urllib3",
    ):
        logging.getLogger(chatty).setLevel(logging.WARNING)
