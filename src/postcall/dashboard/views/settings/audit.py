"""Who changed what. Owners and editors read it: it tells of people's sign-ins too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from postcall.dashboard.access import Visit, actor
from postcall.dashboard.paging import newest_first, query, uuid_or_none
from postcall.dashboard.verbs import exports
from postcall.ids import first_id
from postcall.reports.tables import CONTENT_TYPE, Cell, lines
from postcall.shapes import storable
from postcall.workspaces.audit import CHANGED, found
from postcall.workspaces.models import AuditEntry

PAGE_SIZE: Final = 50
# The choices of the filters are those of the latest entries: of all, every page would read the whole log.
LOOKED_AT: Final = 5_000
# The entries that an export reads at once.
AT_ONCE: Final = 1_000
# What an id can tell of, with room for the day after.
_FIRST_YEAR: Final = 1971
_LAST_YEAR: Final = 9000
_ASKED: Final = ("who", "did", "what", "from", "to")
_COLUMNS: Final = (
    "id", "at", "actor_kind", "actor_id", "actor_name",
    "verb", "object_kind", "object_id", "object_name", "changes",
)  # fmt: skip
_DONE: Final = {
    "accept": "accepted",
    "approve": "approved",
    "ask": "asked",
    "assign": "gave to an agent",
    "backup": "backed up",
    "begin": "began",
    "cancel": "canceled",
    "create": "made",
    "delete": "deleted",
    "erase": "erased",
    "export": "exported",
    "feedback": "called right or wrong",
    "go_on": "went on with",
    "invite": "invited",
    "password_link": "made a password link",
    "recheck": "rechecked",
    "rejudge": "judged again",
    "replay": "read again",
    "remove": "removed",
    "reject": "rejected",
    "rekey": "re-encrypted",
    "resend": "sent again",
    "restore": "restored",
    "resume": "let sending go on",
    "revoke": "revoked",
    "send_code": "sent a code",
    "send_test": "sent a test",
    "sign_in": "signed in",
    "sign_in_failed": "failed to sign in",
    "sign_in_throttled": "was stopped from signing in",
    "test": "sent a test alert",
    "update": "changed",
    "verify": "verified",
}
_PAGES: Final = {"action": "action", "agent": "agent", "call": "call"}


@dataclass(frozen=True)
class Change:
    """One field. `told` False: only that it changed."""

    field: str
    before: str
    after: str
    told: bool = True


@dataclass(frozen=True)
class Line:
    entry: AuditEntry
    done: str
    thing: str
    changes: list[Change]
    link: str


@require_GET
@actor
def audit(visit: Visit) -> HttpResponse:
    asked = visit.request.GET
    page = newest_first(visit.request, _found(visit), PAGE_SIZE)
    latest = visit.rows(AuditEntry).order_by("-pk")[:LOOKED_AT].values_list("actor_name", "verb", "object_kind")
    people, verbs, kinds = (sorted(set(column)) for column in zip(*latest, strict=True)) if latest else ([], [], [])
    return visit.page(
        "settings/audit.html",
        {
            "tab": "audit",
            "page": page,
            "lines": [_line(visit, entry) for entry in page.rows],
            "asked": asked,
            "asking": any(asked.get(key) for key in _ASKED),
            "people": {name: name for name in people},
            "verbs": {verb: done(verb) for verb in verbs},
            "kinds": {kind: spaced(kind) for kind in kinds},
            "since": asked.get("from", ""),
            "export": query(visit.request, before=None),
        },
        place="settings",
    )


def _found(visit: Visit) -> QuerySet[AuditEntry]:
    """What the address asks for; what it asks wrongly is passed over."""
    asked = visit.request.GET
    who, did, what = (storable(asked.get(key, "")) or None for key in ("who", "did", "what"))
    rows = found(visit.rows(AuditEntry), actor=who, verb=did, thing=what)
    if start := _midnight(asked.get("from", "")):
        rows = rows.filter(pk__gte=first_id(start))
    if last := _midnight(asked.get("to", "")):
        rows = rows.filter(pk__lt=first_id(last + timedelta(days=1)))
    return rows


def _midnight(day: str) -> datetime | None:
    """When a day begins in the reader's zone; None for what is none of ours."""
    try:
        begins = timezone.make_aware(datetime.combine(date.fromisoformat(day), datetime.min.time()))
    except (ValueError, OverflowError):
        return None
    return begins if _FIRST_YEAR <= begins.year <= _LAST_YEAR else None


def _line(visit: Visit, entry: AuditEntry) -> Line:
    place, pk = _PAGES.get(entry.object_kind), uuid_or_none(entry.object_id)
    return Line(
        entry,
        done(entry.verb),
        spaced(entry.object_kind),
        [_change(field, change) for field, change in entry.changes.items()],
        reverse(place, args=[visit.workspace.pk, pk]) if place and pk and entry.verb != "delete" else "",
    )


def _change(field: str, change: Any) -> Change:
    if not isinstance(change, list) or len(change) != 2:
        return Change(spaced(field), "", "" if change == CHANGED else _told(change), change != CHANGED)
    return Change(spaced(field), _told(change[0]), _told(change[1]))


def _told(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(each, str | int) for each in value):
        return ", ".join(str(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def done(verb: str) -> str:
    return _DONE.get(verb, spaced(verb))


def spaced(word: str) -> str:
    return word.replace("_", " ")


@require_GET
@actor
def as_csv(visit: Visit) -> HttpResponseBase:
    exports.note(visit, "audit_log", _ASKED)
    return _streamed(lines(_COLUMNS, (_cells(entry) for entry in _every(visit))), CONTENT_TYPE, "csv")


@require_GET
@actor
def as_jsonl(visit: Visit) -> HttpResponseBase:
    exports.note(visit, "audit_log", _ASKED)
    return _streamed((_json(entry) for entry in _every(visit)), "application/x-ndjson; charset=utf-8", "jsonl")


def _every(visit: Visit) -> Iterator[AuditEntry]:
    """All that fits what the address asks for, a part at a time: however many they are, few are in memory."""
    rows = _found(visit).order_by("-pk")
    part = list(rows[:AT_ONCE])
    while part:
        yield from part
        part = list(rows.filter(pk__lt=part[-1].pk)[:AT_ONCE])


def _streamed(parts: Iterator[str], content_type: str, ending: str) -> HttpResponseBase:
    return StreamingHttpResponse(
        parts,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="audit.{ending}"'},
    )


def _cells(entry: AuditEntry) -> list[Cell]:
    values = [getattr(entry, name) for name in _COLUMNS[:-1]]
    return [*values, json.dumps(entry.changes, ensure_ascii=False) if entry.changes else ""]


def _json(entry: AuditEntry) -> str:
    told = {name: getattr(entry, name) for name in _COLUMNS}
    return json.dumps(told, ensure_ascii=False, default=str) + "\n"
