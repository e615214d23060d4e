"""The list of messages: filters and pages, newest first.

A page token names the message at which the page before it ended (PA…) or the page after it began (PB…), so
messages that arrive meanwhile neither repeat nor hide one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from postcall.sandbox.errors import Refusal
from postcall.sandbox.message import Message
from postcall.sandbox.store import Store
from postcall.sandbox.wire import account_path, message_resource, page_uri

DEFAULT_PAGE, LARGEST_PAGE = 50, 1000
_FILTERS = ("To", "From", "DateSent", "DateSent>", "DateSent<")


@dataclass(frozen=True, slots=True)
class _Asked:
    size: int
    page: int
    token: str | None
    filters: dict[str, str]


def list_messages(account_sid: str, query: Mapping[str, str], store: Store, until: float) -> dict[str, object]:
    """One page of the account's messages that were created by `until` (seconds since the epoch)."""
    asked = _asked(query)
    conditions, values = _conditions(account_sid, asked.filters, until)
    messages, has_more = _page(store, asked, conditions, values)
    return _rendered(account_sid, asked, messages, has_more)


def _asked(query: Mapping[str, str]) -> _Asked:
    try:
        size, page = int(query.get("PageSize", DEFAULT_PAGE)), int(query.get("Page", 0))
    except ValueError:
        raise Refusal(20001, "PageSize and Page are numbers") from None
    if size < 1 or page < 0:
        raise Refusal(20001, "PageSize is at least 1 and Page at least 0")
    filters = {name: query[name] for name in _FILTERS if query.get(name)}
    return _Asked(min(size, LARGEST_PAGE), page, query.get("PageToken") or None, filters)


def _conditions(account_sid: str, filters: Mapping[str, str], until: float) -> tuple[list[str], list[object]]:
    conditions = ["account_sid = ?", "NOT deleted", "created_at <= ?"]
    values: list[object] = [account_sid, until]
    for name, column in (("To", "to"), ("From", "from_number")):
        if name in filters:
            conditions.append(f'"{column}" = ?')
            values.append(filters[name])
    for name in ("DateSent", "DateSent>", "DateSent<"):
        if name not in filters:
            continue
        start, end = _span(filters[name], whole_day=name == "DateSent")
        if name != "DateSent<":
            conditions.append("sent_at >= ?")
            values.append(start)
        if name != "DateSent>":
            conditions.append("sent_at < ?")
            values.append(end)
    return conditions, values


def _span(text: str, *, whole_day: bool) -> tuple[float, float]:
    """The day or the second that a DateSent filter names; a plain DateSent always means the day."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(20001, f"DateSent {text!r} is not a date") from None
    start = at if at.tzinfo else at.replace(tzinfo=UTC)
    if whole_day:
        start = start.replace(hour=0, minute=0, second=0, microsecond=0)
    width = timedelta(days=1) if whole_day or len(text) == len("2026-01-01") else timedelta(seconds=1)
    return start.timestamp(), (start + width).timestamp()


def _page(store: Store, asked: _Asked, conditions: list[str], values: list[object]) -> tuple[list[Message], bool]:
    """The messages of the page and whether older ones follow."""
    if not asked.token:
        offset = asked.page * asked.size
        found = store.find(" AND ".join(conditions), values, limit=asked.size + 1, offset=offset)
        return found[: asked.size], len(found) > asked.size
    try:
        position = store.message(asked.token[2:]).position
    except KeyError:
        raise Refusal(20001, "unknown PageToken") from None
    if asked.token.startswith("PB"):
        newer = " AND ".join([*conditions, "position > ?"])
        return store.find(newer, [*values, position], order="position", limit=asked.size)[::-1], True
    older = " AND ".join([*conditions, "position < ?"])
    found = store.find(older, [*values, position], limit=asked.size + 1)
    return found[: asked.size], len(found) > asked.size


def _rendered(account_sid: str, asked: _Asked, messages: list[Message], has_more: bool) -> dict[str, object]:
    path = f"{account_path(account_sid)}/Messages.json"
    start = asked.page * asked.size

    def uri(page: int, token: str | None = None) -> str:
        return page_uri(path, asked.filters, size=asked.size, page=page, token=token)

    after = uri(asked.page + 1, f"PA{messages[-1].sid}") if has_more and messages else None
    before = uri(asked.page - 1, f"PB{messages[0].sid}") if asked.page and messages else None
    return {
        "end": start + len(messages) - 1 if messages else start,
        "first_page_uri": uri(0),
        "messages": [message_resource(message) for message in messages],
        "next_page_uri": after,
        "page": asked.page,
        "page_size": asked.size,
        "previous_page_uri": before,
        "start": start,
        "uri": uri(asked.page, asked.token),
    }
