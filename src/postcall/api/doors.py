"""Machines come in by keys and signatures, never by cookie; they skip what only browsers need."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

MACHINE_PATHS = ("/api/", "/in/", "/twilio/", "/healthz", "/readyz", "/metrics")


class MachineDoors:
    """Middleware: marks requests to the machines' doors so that no CSRF token is asked of them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(MACHINE_PATHS):
            request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]  # Django's own switch
        return self.get_response(request)
