"""What every answer to a browser carries, and the zone in which its reader reads times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from postcall.api.doors import MACHINE_PATHS

ZONE_COOKIE: Final = "postcall_zone"
_FRAMED_BY_NOBODY: Final = "base-uri 'none'; frame-ancestors 'none'"
_FILES_OF_OURS: Final = "default-src 'none'; script-src 'self'; img-src 'self' data:; connect-src 'self'"
CONTENT_SECURITY_POLICY: Final = f"{_FILES_OF_OURS}; style-src 'self'; form-action 'self'; {_FRAMED_BY_NOBODY}"
# The page that documents the API lays itself out by styles that its script writes.
DOCS_POLICY: Final = f"{_FILES_OF_OURS}; style-src 'self' 'unsafe-inline'; form-action 'none'; {_FRAMED_BY_NOBODY}"
NO_PAGE_POLICY: Final = f"default-src 'none'; form-action 'none'; {_FRAMED_BY_NOBODY}"
DOCS_PATH: Final = "/api/v1/docs"

Answer = Callable[[HttpRequest], HttpResponse]


class ContentSecurity:
    """Middleware: no script or style that is not a file of ours, and nothing kept in a browser's or proxy's cache
    but those files."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", _policy_of(request.path))
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def _policy_of(path: str) -> str:
    if path == DOCS_PATH:
        return DOCS_POLICY
    return NO_PAGE_POLICY if path.startswith(MACHINE_PATHS) else CONTENT_SECURITY_POLICY


class ReadersZone:
    """Middleware: exact times stand in the zone that the reader's browser told in a cookie, else in UTC."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(zone_named(request.COOKIES.get(ZONE_COOKIE, ""))):
            return self.get_response(request)


def zone_named(name: str) -> ZoneInfo:
    """The zone, or UTC for whatever is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return ZoneInfo("UTC")
