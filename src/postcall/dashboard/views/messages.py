"""What left the house and how it fared, and a message's buttons."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.contrib import messages as flashes
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Abs
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.actions.models import Action
from postcall.agents.models import Agent
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.paging import newest_first, query, uuid_or_none
from postcall.dashboard.searching import DATES, since_of
from postcall.dashboard.verbs import exports
from postcall.dashboard.verbs import follow_ups as verbs
from postcall.dashboard.verbs.follow_ups import tried
from postcall.dashboard.words import MESSAGE_STATUSES, message_state
from postcall.ids import first_id
from postcall.messages.errors import explain
from postcall.messages.finding import to_number
from postcall.messages.models import Message, SendingAccount
from postcall.reports.tables import CONTENT_TYPE, Cell, lines
from postcall.shapes import storable

PAGE_SIZE: Final = 50


# What narrows the list, as it stands in the address.
_ASKED: Final = ("q", "status", "error", "agent", "action", "sender", "date")
_AT_ONCE: Final = 1_000
_HEAD: Final = (
    "id", "made_at", "sent_at", "to", "from_number", "messaging_service_sid", "agent", "action", "body", "encoding",
    "segments", "status", "error_code", "error_message", "price", "currency", "attempts", "sid", "call_id",
)  # fmt: skip


@dataclass(frozen=True)
class Totals:
    """Of all texts that fit, not only of those on the page. `prices` are by currency, as Twilio has said them."""

    count: int
    segments: int
    delivered: int
    failed: int
    prices: list[tuple[str, Decimal]]


@require_GET
@member
def log(visit: Visit) -> HttpResponse:
    """What left, newest first, and how it fares."""
    asked = visit.request.GET
    found = _found(visit)
    page = newest_first(visit.request, _with_names(found), PAGE_SIZE)
    return visit.page(
        "messages/log.html",
        {
            "page": page,
            "asked": asked,
            "asking": any(asked.get(key) for key in _ASKED),
            "asks": query(visit.request, before=None),
            "totals": totals(found) if page else None,
            "live": _live(visit, page.rows),
            "statuses": MESSAGE_STATUSES,
            "chosen": [each for each in asked.getlist("status") if each in MESSAGE_STATUSES],
            "without_status": query(visit.request, status=None, before=None),
            "errors": _errors(visit),
            "agents": visit.rows(Agent).order_by("name"),
            "actions": visit.rows(Action).order_by("name"),
            "senders": _senders(visit),
            "dates": DATES,
        },
        place="messages",
    )


@require_GET
@member
def live(visit: Visit) -> HttpResponse:
    """The watched rows that have moved since they were shown. 204: none has."""
    asked = visit.request.GET
    watched = [found for each in asked.get("watch", "").split(",")[:PAGE_SIZE] if (found := uuid_or_none(each))]
    rows = list(visit.rows(Message).filter(pk__in=watched).order_by("-pk"))
    if _digest(rows) == asked.get("seen"):
        return HttpResponse(status=204)
    return visit.part("messages/live.html", {"moved": rows, "live": _live(visit, rows)})


@require_GET
@member
def export(visit: Visit) -> StreamingHttpResponse:
    """All that fits, as CSV; that it was taken along stands in the audit log, and what was asked."""
    exports.note(visit, "messages", _ASKED)
    return StreamingHttpResponse(
        lines(_HEAD, _rows(_with_names(_found(visit)))),
        content_type=CONTENT_TYPE,
        headers={"Content-Disposition": 'attachment; filename="messages.csv"'},
    )


def _found(visit: Visit) -> QuerySet[Message]:
    """The workspace's texts that fit what the address asks for; what it asks wrongly is passed over."""
    asked = visit.request.GET
    rows = visit.rows(Message)
    if statuses := [each for each in asked.getlist("status") if each in MESSAGE_STATUSES]:
        rows = rows.filter(status__in=statuses)
    error = asked.get("error", "")
    if error.isdecimal() and len(error) < 7:
        rows = rows.filter(error_code=int(error))
    if (agent := uuid_or_none(asked.get("agent"))) is not None:
        rows = rows.filter(follow_up__call__agent_id=agent)
    if (action := uuid_or_none(asked.get("action"))) is not None:
        rows = rows.filter(follow_up__action_id=action)
    if sender := storable(asked.get("sender", ""))[:34]:
        rows = rows.filter(Q(messaging_service_sid=sender) if sender.startswith("MG") else Q(from_number=sender))
    if since := since_of(asked.get("date", "")):
        rows = rows.filter(pk__gte=first_id(since - timedelta(hours=1)), created_at__gte=since)
    if typed := asked.get("q", "").strip()[:50]:
        rows = to_number(rows, visit.workspace, typed)
    return rows


def _with_names(rows: QuerySet[Message]) -> QuerySet[Message]:
    rows = rows.select_related("follow_up__action", "follow_up__call__agent")
    return rows.only(
        *(field.name for field in Message._meta.concrete_fields),
        "follow_up__call__agent__name",
        "follow_up__action__name",
    )


def totals(rows: QuerySet[Message]) -> Totals:
    """Reckoned in one query."""
    failed = Q(status__in=(Message.Status.FAILED, Message.Status.UNDELIVERED))
    by_currency = (
        rows.order_by()
        .values("price_unit")
        .annotate(
            texts=Count("pk"),
            parts=Sum("segments"),
            arrived=Count("pk", filter=Q(status=Message.Status.DELIVERED)),
            lost=Count("pk", filter=failed),
            paid=Sum(Abs("price")),
        )
        .values_list("price_unit", "texts", "parts", "arrived", "lost", "paid")
    )
    count = segments = delivered = bad = 0
    prices: dict[str, Decimal] = {}
    for unit, texts, parts, arrived, lost, price in by_currency:
        count, segments, delivered, bad = count + texts, segments + parts, delivered + arrived, bad + lost
        if price is not None:
            currency = unit.upper() or "USD"
            prices[currency] = prices.get(currency, Decimal(0)) + price
    return Totals(count, segments, delivered, bad, sorted(prices.items()))


def _errors(visit: Visit) -> list[tuple[str, str]]:
    known = visit.rows(Message).filter(error_code__isnull=False).order_by("error_code")
    codes = known.values_list("error_code", flat=True).distinct()[:50]
    return [(str(code), explain(code).message) for code in codes]


def _senders(visit: Visit) -> list[str]:
    """By which texts leave now: agents' own senders and the accounts', each once."""
    named = {
        *visit.rows(Agent).values_list("from_number", flat=True),
        *visit.rows(Agent).values_list("messaging_service_sid", flat=True),
    }
    for sending in visit.rows(SendingAccount).select_related("account"):
        named |= {sending.account.from_number, sending.account.messaging_service_sid}
    return sorted(named - {""} | {visit.request.GET.get("sender", "")} - {""})


def _live(visit: Visit, rows: Sequence[Message]) -> dict[str, str] | None:
    """By which address the page asks for the news of rows that still move; None: none does."""
    moving = [row for row in rows if not message_state(row).settled]
    if not moving:
        return None
    asks = QueryDict(mutable=True)
    asks.update({"watch": ",".join(str(row.pk) for row in moving), "seen": _digest(moving)})
    return {"url": f"{visit.to('messages-live')}?{asks.urlencode()}"}


def _digest(rows: Sequence[Message]) -> str:
    shown = sorted(f"{row.pk} {message_state(row).words} {row.price}" for row in rows)
    return hashlib.sha256("\n".join(shown).encode()).hexdigest()[:16]


def _rows(rows: QuerySet[Message]) -> Iterator[list[Cell]]:
    """A part at a time: the whole is never in memory."""
    newest = rows.order_by("-pk")
    part = list(newest[:_AT_ONCE])
    while part:
        yield from map(_cells, part)
        part = list(newest.filter(pk__lt=part[-1].pk)[:_AT_ONCE])


def _cells(message: Message) -> list[Cell]:
    agent = message.follow_up.call.agent
    return [
        message.pk,
        message.created_at,
        message.sent_at,
        message.to,
        message.from_number,
        message.messaging_service_sid,
        agent.name if agent else "",
        message.follow_up.action.name,
        message.body,
        message.encoding,
        message.segments,
        message.status,
        message.error_code,
        message.error_message,
        None if message.price is None else abs(message.price),
        message.price_unit.upper(),
        message.attempts_made,
        message.sid,
        message.follow_up.call_id,
    ]


@require_POST
@actor
def resend(visit: Visit, message_id: UUID) -> HttpResponse:
    """Sends the same text again, with the operator's reason beside it."""
    message = visit.one(visit.rows(Message).select_related("follow_up"), message_id)
    reason = storable(visit.request.POST.get("reason", "")).strip()[:500]
    if not reason:
        flashes.error(visit.request, "Say why the text goes out again.")
    elif tried(visit, lambda: verbs.resend(visit, message, reason)):
        flashes.success(visit.request, "The text goes out again.")
    return visit.back(visit.to("call", message.follow_up.call_id))


@require_POST
@actor
def cancel(visit: Visit, message_id: UUID) -> HttpResponse:
    message = visit.one(visit.rows(Message).select_related("follow_up"), message_id)
    if tried(visit, lambda: verbs.cancel(visit, message)):
        flashes.success(visit.request, "Canceled. The text does not go out.")
    return visit.back(visit.to("call", message.follow_up.call_id))
