"""Where voice platforms and Twilio come in; what they send is verified over the bytes that came."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from postcall.api.doors import oversized
from postcall.api.problems import Problem, too_large
from postcall.calls.additions import add
from postcall.calls.receive import receive
from postcall.config import config
from postcall.messages import callbacks, inbound
from postcall.messages.signatures import BadSignature, UnknownAddress
from postcall.shapes import storable
from postcall.sources.editing import auth_of
from postcall.sources.kind import Addition, Delivery, Ignored, NotVerified, SourceKind, Unreadable
from postcall.sources.kinds import KINDS
from postcall.sources.models import Source
from postcall.sources.refused import refuse
from postcall.sources.skimming import TooLarge, skim
from postcall.workspaces.scope import within

# How exact `last_received_at` is: the row is not rewritten with every call.
_RECEIPT_NOTED_EVERY: Final = timedelta(seconds=10)
_NO_SOURCE: Final = "no source has this address: is it whole, and was the source not deleted?"


@csrf_exempt
@require_POST
def source_webhook(request: HttpRequest, kind: str, token: str) -> HttpResponse:
    """One delivery of a voice platform. 2xx: stored, here already, or nothing that we use."""
    source = _source(kind, token)
    platform = KINDS[source.kind]
    try:
        if parts := oversized(request):
            skim(source.kind, _headers(request), auth_of(source), parts)
            _note_receipt(source)
            return JsonResponse({"status": "ignored"})
        delivery = Delivery(_headers(request), request.body, config().base_url + raw_path(request))
        platform.verify(delivery, auth_of(source))
        report = platform.parse(delivery.body)
    except (RequestDataTooBig, TooLarge):
        problem = too_large()
        refuse(source, str(problem))
        raise problem from None
    except NotVerified as error:
        refuse(source, str(error))
        raise Problem(401, f"not verified: {error}") from None
    except Unreadable as error:
        refuse(source, _said(error))
        raise Problem(400, str(error), error.errors) from None
    if isinstance(report, Ignored):
        status = "ignored"
    elif isinstance(report, Addition):
        status = add(source, report, delivery.body)
    else:
        receipt = receive(source.workspace, source, source.kind, report, delivery.body)
        status = "duplicate" if receipt.status == "duplicate" else "accepted"
    _note_receipt(source)
    return _answer(platform, request, status)


@csrf_exempt
@require_POST
def twilio_status(request: HttpRequest, token: str) -> HttpResponse:
    """What became of one attempt."""
    try:
        callbacks.receive_status(storable(token), raw_path(request), _form(request), _headers(request))
    except (UnknownAddress, BadSignature) as error:
        raise _refusal(error) from None
    return HttpResponse(status=204)


@csrf_exempt
@require_POST
def twilio_inbound(request: HttpRequest, token: str) -> HttpResponse:
    """A text to one of our senders: STOP, START, HELP."""
    try:
        reply = inbound.receive(storable(token), raw_path(request), _form(request), _headers(request))
    except (UnknownAddress, BadSignature) as error:
        raise _refusal(error) from None
    return HttpResponse(reply, content_type="text/xml")


def _source(kind: str, token: str) -> Source:
    living = Source.objects.select_related("workspace").filter(
        token=storable(token), kind=storable(kind), deleted_at=None
    )
    source = living.first()
    if source is None or source.kind not in KINDS:
        raise Problem(404, _NO_SOURCE)
    return source


def _answer(platform: SourceKind, request: HttpRequest, status: str) -> HttpResponse:
    """Twilio takes what its forms are answered for what the call does next: nothing more."""
    if platform.name == "twilio" and request.content_type == "application/x-www-form-urlencoded":
        return HttpResponse(f"<Response><!-- {status} --></Response>", content_type="text/xml")
    return JsonResponse({"status": status})


def raw_path(request: HttpRequest) -> str:
    """Path and query as they were requested: what was signed is not rebuilt from parts."""
    query = request.META.get("QUERY_STRING", "")
    return request.path + (f"?{query}" if query else "")


def _headers(request: HttpRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _form(request: HttpRequest) -> list[tuple[str, str]]:
    """The form's fields in their order, empty ones included: all of them are signed."""
    try:
        return parse_qsl(request.body.decode("ascii"), keep_blank_values=True, max_num_fields=1_000)
    except ValueError:
        raise Problem(400, "a form is needed: application/x-www-form-urlencoded") from None


def _refusal(error: UnknownAddress | BadSignature) -> Problem:
    return Problem(404 if isinstance(error, UnknownAddress) else 401, str(error))


def _note_receipt(source: Source) -> None:
    now = timezone.now()
    if source.last_received_at is None or source.last_received_at < now - _RECEIPT_NOTED_EVERY:
        within(source.workspace_id, Source).filter(pk=source.pk).update(last_received_at=now)


def _said(error: Unreadable) -> str:
    field, said = error.errors[0] if error.errors else ("", "")
    return f"{error}: {field} {said}" if field else str(error)
