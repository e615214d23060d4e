"""The API, put together."""

from __future__ import annotations

from postcall.api import (
    actions,
    agents,
    attachments,
    audit,
    calls,
    endpoints,
    follow_ups,
    messages,
    optouts,
    reports,
    sources,
    testbench,
    trial,
    workspace_settings,
)
from postcall.api.routes import api

__all__ = ["api"]

for part in (
    actions,
    agents,
    attachments,
    calls,
    follow_ups,
    messages,
    optouts,
    sources,
    endpoints,
    workspace_settings,
    reports,
    audit,
    trial,
    testbench,
):
    api.add_router("", part.routes)
