"""What those who run the service look at: is the process alive, is the whole ready, and its numbers."""

from __future__ import annotations

import structlog
from django.db import connection
from django.db.utils import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from postcall.calls.models import Call
from postcall.database.room import disk_is_full, embedded_folder
from postcall.messages.models import Attempt, Message, OwnText
from postcall.work.leases import seconds_overdue
from postcall.work.seen import seen_lately

log = structlog.get_logger(__name__)

# A queue that has waited longer than this is not being worked.
LATE_S = 120.0


def healthz(_request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


def readyz(_request: HttpRequest) -> HttpResponse:
    """The database answers and has room on its disk, a worker was seen lately, and nothing that is due waits too
    long; else 503."""
    checks = {"database": "ok", "worker": "ok", "queue": "ok"}
    if folder := embedded_folder():
        checks["disk"] = "full: make room for the database" if disk_is_full(folder) else "ok"
    try:
        if not seen_lately():
            checks["worker"] = "none seen lately: start `postcall worker`"
        waited = max(seconds_overdue(model) for model in (Call, Message, Attempt))
        if waited > LATE_S:
            checks["queue"] = f"the oldest due row has waited {waited:.0f} s"
    except (DatabaseError, InterfaceError) as error:
        connection.close()
        log.warning("not ready: the database does not answer", error=type(error).__name__)
        checks["database"] = "does not answer"
    ready = all(value == "ok" for value in checks.values())
    return JsonResponse({"status": "ok" if ready else "not ready", "checks": checks}, status=200 if ready else 503)


def metrics(_request: HttpRequest) -> HttpResponse:
    """Prometheus's text format, read from the database: the same whichever web process is asked."""
    registry = CollectorRegistry()
    due = Gauge("postcall_due_seconds", "How long the oldest due row has waited.", ["lane"], registry=registry)
    for lane, model in (("calls", Call), ("messages", Message), ("attempts", Attempt), ("own_texts", OwnText)):
        due.labels(lane).set(seconds_overdue(model))
    _counts(
        registry, "postcall_calls", "Calls, by status.", "status", "SELECT status, count(*) FROM call GROUP BY 1"
    )
    _counts(
        registry,
        "postcall_follow_ups",
        "Follow-ups, by outcome.",
        "outcome",
        "SELECT outcome, count(*) FROM follow_up GROUP BY 1",
    )
    _counts(
        registry,
        "postcall_messages",
        "Messages, by status.",
        "status",
        "SELECT status, count(*) FROM message GROUP BY 1",
    )
    _counts(
        registry,
        "postcall_webhook_deliveries",
        "Events to webhooks of the last 30 days at most, by status.",
        "status",
        "SELECT CASE WHEN arrived_at IS NOT NULL THEN 'arrived' WHEN due_at IS NOT NULL THEN 'pending' "
        "ELSE 'given_up' END, count(*) FROM webhook_delivery GROUP BY 1",
    )
    _judged(registry)
    Gauge("postcall_worker_seen", "1 when a worker was seen lately.", registry=registry).set(seen_lately())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _judged(registry: CollectorRegistry) -> None:
    verdicts = Gauge("postcall_verdicts", "Verdicts, by judge and result.", ["judge", "result"], registry=registry)
    requests = Gauge("postcall_judge_requests", "Requests to language models.", registry=registry)
    tokens = Gauge(
        "postcall_judge_tokens", "Tokens that language models read and wrote.", ["direction"], registry=registry
    )
    seconds = Gauge("postcall_judge_seconds", "How long judging took, all calls together.", registry=registry)
    for direction in ("input", "output"):
        tokens.labels(direction)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE WHEN judge LIKE 'offline%' THEN 'built_in' ELSE 'model' END, result, count(*), "
            "sum(judge_requests), sum(judge_input_tokens), sum(judge_output_tokens), coalesce(sum(judge_s), 0) "
            "FROM follow_up WHERE judge <> '' GROUP BY 1, 2"
        )
        for judge, result, number, asked, put_in, got_out, took in cursor.fetchall():
            if result:  # without one it was only listened to, or values were read
                verdicts.labels(judge, result).set(number)
            requests.inc(int(asked))
            tokens.labels("input").inc(int(put_in))
            tokens.labels("output").inc(int(got_out))
            seconds.inc(took)


def _counts(registry: CollectorRegistry, name: str, text: str, label: str, sql: str) -> None:
    gauge = Gauge(name, text, [label], registry=registry)
    with connection.cursor() as cursor:
        cursor.execute(sql)
        for value, count in cursor.fetchall():
            gauge.labels(value).set(count)
