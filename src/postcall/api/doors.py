"""Machines come in by keys and signatures, never by cookie; they skip what only browsers need, and every
refusal that they get is one that a program can read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import structlog
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

from postcall.api.problems import CONTENT_TYPE, MAX_BODY, Problem, as_problem, problem_for, too_large
from postcall.sources.skimming import MAX_SKIMMED, is_skimmed

log = structlog.get_logger(__name__)

MACHINE_PATHS = ("/api/", "/v2/", "/in/", "/twilio/", "/healthz", "/readyz", "/metrics")
PROBES = ("/healthz", "/readyz", "/metrics")
# What a page sends is a few lines.
MAX_FORM = 1024 * 1024
PLAIN = "text/plain; charset=utf-8"
# Of a request whose body is too large to be read, but may be passed over: what was read of it.
_OVERSIZED = "postcall.oversized"
_PART = 64 * 1024


class KnownHost:
    """Middleware: a request under a name that is not ours is refused in words, before anything else looks at it.
    Probes come by whatever address the machine has."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path in PROBES:
            return self.get_response(request)
        try:
            request.get_host()
        except DisallowedHost:
            return _unknown_host(request)
        return self.get_response(request)


def _unknown_host(request: HttpRequest) -> HttpResponse:
    name = request.META.get("HTTP_HOST", "")[:100]
    log.info("request under an unknown name refused", host=name)
    said = (
        f"this Postcall does not go by the name {name}: set POSTCALL_ALLOWED_HOSTS (or POSTCALL_PUBLIC_URL) to the "
        "names under which it is reached"
    )
    if request.path.startswith(MACHINE_PATHS):
        return Problem(400, said).response()
    return HttpResponse(f"{said[0].upper()}{said[1:]}.\n", status=400, content_type=PLAIN)


class BodyLimit:
    """Middleware: a body that says of itself that it is too large is refused before a byte of it is read, unless
    its address is one where such bodies are passed over."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        from_machine = request.path.startswith(MACHINE_PATHS)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) <= (MAX_BODY if from_machine else MAX_FORM):
            return self.get_response(request)
        if length.isdecimal() and int(length) <= MAX_SKIMMED and _is_skimmed(request):
            request.META[_OVERSIZED] = b""
            return self.get_response(request)
        if from_machine:
            return too_large().response()
        headers = {"Connection": "close"}
        return HttpResponse("The form is too large.\n", status=413, content_type=PLAIN, headers=headers)


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
        request.META[_OVERSIZED] = body
        return _is_skimmed(request)
    request._body = body  # Django's own place for a body that was read
    return True


def _is_skimmed(request: HttpRequest) -> bool:
    _, door, kind, *_ = f"{request.path}///".split("/")
    return door == "in" and is_skimmed(kind)


def oversized(request: HttpRequest) -> Iterator[bytes] | None:
    """The body of a request that is too large to be read whole, in parts; None for all others."""
    if _OVERSIZED not in request.META:
        return None
    return _parts(request, request.META[_OVERSIZED])


def _parts(request: HttpRequest, beginning: bytes) -> Iterator[bytes]:
    if beginning:
        yield beginning
    # One that came in chunks has no length, for want of which Django reads nothing.
    source = request.META["wsgi.input"] if beginning else request
    while part := source.read(_PART):
        yield part
