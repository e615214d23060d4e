"""Machines come in by keys and signatures, never by cookie; they skip what only browsers need, and every
refusal that they get is one that a program can read."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from postcall.api.problems import CONTENT_TYPE, MAX_BODY, as_problem, problem_for, too_large

MACHINE_PATHS = ("/api/", "/in/", "/twilio/", "/healthz", "/readyz", "/metrics")
PROBES = ("/healthz", "/readyz", "/metrics")


class MachineDoors:
    """Middleware for the machines' doors: no CSRF token is asked of them, a body may come in chunks, and every
    error is `application/problem+json`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(MACHINE_PATHS):
            return self.get_response(request)
        if request.path in PROBES:
            request.META["HTTP_HOST"] = "localhost"  # probes come by whatever address the machine has
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]  # Django's own switch
        if not _read_chunks(request):
            return too_large().response()
        response = self.get_response(request)
        if response.status_code >= 400 and not _is_for_programs(response):
            return as_problem(response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not request.path.startswith(MACHINE_PATHS):
            return None
        return problem_for(exception).response()


def _is_for_programs(response: HttpResponse) -> bool:
    kind = response.headers.get("Content-Type", "")
    return kind.startswith((CONTENT_TYPE, "application/json"))


def _read_chunks(request: HttpRequest) -> bool:
    """Reads a body that came without its length, which Django would take for an empty one; False: too large."""
    if "chunked" not in request.META.get("HTTP_TRANSFER_ENCODING", "").lower() or request.META.get(
        "CONTENT_LENGTH"
    ):
        return True
    body = request.META["wsgi.input"].read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        return False
    request._body = body  # Django's own place for a body that was read
    return True
