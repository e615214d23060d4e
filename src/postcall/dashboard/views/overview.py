"""Is everything going out, and what needs attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Min, Q
from django.http import HttpResponse
from django.utils import timezone
from django.utils.text import capfirst
from django.views.decorators.http import require_GET

from postcall.calls.models import Call
from postcall.dashboard.access import Visit, member
from postcall.dashboard.templatetags.postcall import phone, relative
from postcall.dashboard.words import Tone
from postcall.followups.models import FollowUp
from postcall.ids import first_id
from postcall.messages.errors import explain
from postcall.messages.models import Message, SendingAccount
from postcall.messages.pausing import pauses
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

_WEEK: Final = timedelta(days=7)
_FAILED: Final = (Message.Status.FAILED, Message.Status.UNDELIVERED)
_LEFT: Final = (Message.Status.ACCEPTED, Message.Status.SENT, Message.Status.DELIVERED, *_FAILED)


@dataclass(frozen=True)
class Counts:
    """What a stretch of time brought. `sent` counts what Twilio took, also where it failed later."""

    calls: int
    sent: int
    delivered: int
    failed: int

    @property
    def share(self) -> float | None:
        return self.delivered / self.sent if self.sent else None


@dataclass(frozen=True)
class ToDo:
    """Something that needs a person, with its mend; `presses`: its button does something at once."""

    tone: Tone
    icon: str
    title: str
    mend: str
    link: str
    button: str
    presses: bool = False


@require_GET
@member
def overview(visit: Visit) -> HttpResponse:
    now = timezone.now()
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    today = count(visit.workspace, midnight, now)
    todos = list(to_do(visit, now))
    return visit.page(
        "overview/overview.html",
        {
            "today": today,
            "before": count(visit.workspace, midnight - _WEEK, now - _WEEK),
            "todos": todos,
            "heading": heading(today, todos),
            "has_calls": visit.rows(Call).exists(),
            "now": now,
            "week_ago": now - _WEEK,
        },
        place="overview",
    )


def count(workspace: Workspace, since: datetime, until: datetime) -> Counts:
    """From `since` to `until`; calls by their arrival, texts by when they were made."""
    first = first_id(since)
    calls = within(workspace, Call).filter(pk__gte=first, received_at__gte=since, received_at__lt=until)
    made = within(workspace, Message).filter(pk__gte=first, created_at__gte=since, created_at__lt=until)
    texts = made.aggregate(
        sent=Count("pk", filter=Q(status__in=_LEFT)),
        delivered=Count("pk", filter=Q(status=Message.Status.DELIVERED)),
        failed=Count("pk", filter=Q(status__in=_FAILED)),
    )
    return Counts(calls.count(), **texts)


def heading(today: Counts, todos: list[ToDo]) -> str:
    """The answer at first glance."""
    if any(todo.tone == "bad" for todo in todos):
        return "Some texts are not going out"
    if todos:
        return "Texts are going out; some wait for you"
    return "Everything is going out" if today.sent else "Nothing needs you"


def to_do(visit: Visit, now: datetime) -> Iterator[ToDo]:
    yield from _about_the_account(visit)
    yield from _failures(visit, now)
    yield from _held(visit, now)
    yield from _unconfirmed(visit, now)
    yield from _unassigned(visit, now)


def _about_the_account(visit: Visit) -> Iterator[ToDo]:
    sending = visit.rows(SendingAccount).first()
    if sending is None:
        yield ToDo(
            "bad",
            "warn",
            "Nothing is sent: this workspace has no Twilio account",
            "Choose its own account, the deployment’s shared one, or the sandbox.",
            visit.to("settings"),
            "Choose",
        )
    for pause in pauses(visit.workspace.pk):
        paused = f"Sending from {phone(pause.sender)} is paused" if pause.sender else "Sending is paused"
        mend = f"{pause.error.fix} Its texts are held; check it again once it is mended."
        title = f"{paused}: {pause.error.message}"
        if visit.may_act:
            yield ToDo("bad", "warn", title, mend, visit.to("recheck"), "Recheck", presses=True)
        else:
            yield ToDo("bad", "warn", title, mend, visit.to("settings"), "Show")


def _failures(visit: Visit, now: datetime) -> Iterator[ToDo]:
    since = now - timedelta(days=1)
    failed = visit.rows(Message).filter(pk__gte=first_id(since), created_at__gte=since, status__in=_FAILED)
    by_code = failed.values_list("error_code").annotate(texts=Count("pk")).order_by("-texts", "error_code")
    for code, texts in by_code[:5]:
        error = explain(code)
        named = f"with error {code}" if code else "without a reason"
        query = f"&error={code}" if code else ""
        yield ToDo(
            "bad",
            "bad",
            f"{_counted(texts, 'text')} failed {named} in the last 24 h",
            f"{error.message} {error.fix}",
            visit.to("messages") + f"?status=failed&status=undelivered{query}",
            "Show",
        )


def _held(visit: Visit, now: datetime) -> Iterator[ToDo]:
    held = visit.rows(FollowUp).filter(outcome=FollowUp.Outcome.HELD)
    found = held.aggregate(count=Count("pk"), oldest=Min("created_at"))
    if found["count"]:
        wait = "waits" if found["count"] == 1 else "wait"
        yield ToDo(
            "wait",
            "held",
            f"{_counted(found['count'], 'follow-up')} {wait} for you",
            f"The oldest came {relative(found['oldest'], now)}. Each says what it waits for.",
            visit.to("review"),
            "Review",
        )


def _unconfirmed(visit: Visit, now: datetime) -> Iterator[ToDo]:
    unsure = visit.rows(Message).filter(status=Message.Status.UNCONFIRMED)
    found = unsure.aggregate(count=Count("pk"), oldest=Min("created_at"))
    if found["count"]:
        yield ToDo(
            "wait",
            "unsure",
            f"{_counted(found['count'], 'text')} unconfirmed, the oldest {relative(found['oldest'], now)}",
            "Twilio did not say whether it took them. Postcall looks them up; nothing is sent twice.",
            visit.to("messages") + "?status=unconfirmed",
            "Show",
        )


def _unassigned(visit: Visit, now: datetime) -> Iterator[ToDo]:
    since = now - _WEEK
    lost = visit.rows(Call).filter(pk__gte=first_id(since), status=Call.Status.UNASSIGNED).count()
    if lost:
        yield ToDo(
            "wait",
            "warn",
            capfirst(f"{_counted(lost, 'call')} of an unknown agent in the last 7 days"),
            "Give an agent the id that the voice platform names, then assign the call.",
            visit.to("calls") + "?outcome=unassigned",
            "Show",
        )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
