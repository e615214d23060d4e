"""What a workspace sent and what that cost, by agent, action or month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

from django.db import connection

from postcall.actions.models import Action
from postcall.agents.models import Agent
from postcall.ids import first_id
from postcall.messages.prices import Estimates
from postcall.reports import judging
from postcall.reports.tables import Cell
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

GroupBy = Literal["agent", "action", "month"]

# The longest stretch of time that one report is about.
LONGEST: Final = timedelta(days=400)

_KEYS: Final[dict[GroupBy, str]] = {
    "agent": "a.agent_id",
    "action": "f.action_id",
    "month": "date_trunc('month', {moment} AT TIME ZONE 'UTC')",
}
# Texts that Twilio took, or may have taken, and whose price it may still say.
_LEFT: Final = "('accepted', 'sent', 'delivered', 'undelivered', 'unconfirmed')"
# By the beginning of its number the country of a text is known.
_BEGINNING: Final = 5

_MESSAGES: Final = """
SELECT {key}, m.price_unit, count(*), sum(m.segments),
       count(*) FILTER (WHERE m.status = 'delivered'),
       count(*) FILTER (WHERE m.status IN ('failed', 'undelivered')),
       coalesce(sum(abs(m.price)), 0), count(m.price)
FROM message m {joins}
WHERE m.workspace_id = %s AND m.id >= %s AND m.created_at >= %s AND m.created_at < %s AND m.status <> 'canceled'
GROUP BY 1, 2
"""
_UNPRICED: Final = """
SELECT {key}, max(m."to"), count(*), sum(m.segments)
FROM message m {joins}
WHERE m.workspace_id = %s AND m.id >= %s AND m.created_at >= %s AND m.created_at < %s
      AND m.price IS NULL AND m.status IN {left}
GROUP BY 1, left(m."to", {beginning})
"""
_FOLLOW_UPS: Final = """
SELECT {key}, count(*) FILTER (WHERE f.outcome = 'held'), f.verdict->>'judge',
       coalesce(sum((f.verdict->'usage'->>'requests')::bigint), 0),
       coalesce(sum((f.verdict->'usage'->>'input_tokens')::bigint), 0),
       coalesce(sum((f.verdict->'usage'->>'output_tokens')::bigint), 0)
FROM follow_up f {joins}
WHERE f.workspace_id = %s AND f.id >= %s AND f.created_at >= %s AND f.created_at < %s
GROUP BY 1, 3
"""
_JOINS: Final[dict[tuple[str, GroupBy], str]] = {
    ("message", "agent"): "JOIN follow_up f ON f.id = m.follow_up_id JOIN attachment a ON a.id = f.attachment_id",
    ("message", "action"): "JOIN follow_up f ON f.id = m.follow_up_id",
    ("follow_up", "agent"): "JOIN attachment a ON a.id = f.attachment_id",
}


@dataclass
class Price:
    """Of one currency: what Twilio has said, and what is expected of texts whose price it has not said yet."""

    final: Decimal = Decimal(0)
    estimated: Decimal = Decimal(0)

    @property
    def whole(self) -> Decimal:
        return self.final + self.estimated


@dataclass
class Judging:
    """What the judge used. `cost` is in USD by the vendor's list prices; None: not known for one of the models."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal | None = Decimal(0)

    @property
    def dollars(self) -> Decimal | None:
        """The cost, to a hundredth of a cent."""
        return None if self.cost is None else self.cost.quantize(Decimal("0.0001"))

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass
class Line:
    """`key` is an agent's or action's id, or a month such as 2026-03.

    `unpriced` texts have neither a price nor an estimate.
    """

    key: str
    name: str
    messages: int = 0
    segments: int = 0
    delivered: int = 0
    failed: int = 0
    held: int = 0
    unpriced: int = 0
    prices: dict[str, Price] = field(default_factory=dict)
    judging: Judging = field(default_factory=Judging)


@dataclass(frozen=True)
class Usage:
    since: datetime
    until: datetime
    group_by: GroupBy
    lines: list[Line]
    total: Line


def usage(workspace: Workspace, since: datetime, until: datetime, group_by: GroupBy) -> Usage:
    """What was made from `since` on and before `until` (both aware): texts by when they were made, follow-ups by
    when they were begun; months in UTC. An agent's are those of what was attached to it. Three queries, and what
    estimates and names take.

    Texts that were canceled before they left are left out. What one call cost the judge is counted once, with the
    first follow-up that was judged by it.
    """
    found: dict[str, Line] = defaultdict(lambda: Line("", ""))
    total = Line("", "Total")
    prices = Estimates(workspace)
    for key, *row in _rows(_MESSAGES, "message", "m.created_at", group_by, workspace, since, until):
        for line in (found[key], total):
            _add_messages(line, row)
    for key, *row in _rows(_UNPRICED, "message", "m.created_at", group_by, workspace, since, until):
        for line in (found[key], total):
            _expect(line, row, prices)
    for key, *row in _rows(_FOLLOW_UPS, "follow_up", "f.created_at", group_by, workspace, since, until):
        for line in (found[key], total):
            _add_follow_ups(line, row)
    names = _names(workspace, list(found), group_by)
    for key, line in found.items():
        line.key, line.name = key, names[key]
    ordered = sorted(found.values(), key=lambda line: (-line.messages, line.name, line.key))
    if group_by == "month":
        ordered.sort(key=lambda line: line.key, reverse=True)
    return Usage(since, until, group_by, ordered, total)


def _rows(
    sql: str,
    table: str,
    moment: str,
    group_by: GroupBy,
    workspace: Workspace,
    since: datetime,
    until: datetime,
) -> list[tuple[Any, ...]]:
    key = _KEYS[group_by].format(moment=moment)
    written = sql.format(key=key, left=_LEFT, beginning=_BEGINNING, joins=_JOINS.get((table, group_by), ""))
    # Ids are made by the clock of a machine, which may be behind the database's.
    first = first_id(since - timedelta(hours=1))
    with connection.cursor() as cursor:
        cursor.execute(written, [workspace.pk, first, since, until])
        return [(_key(row[0]), *row[1:]) for row in cursor.fetchall()]


def _key(found: UUID | datetime) -> str:
    return f"{found:%Y-%m}" if isinstance(found, datetime) else str(found)


def _add_messages(line: Line, row: list[Any]) -> None:
    unit, count, segments, delivered, failed, paid, priced = row
    line.messages += count
    line.segments += segments
    line.delivered += delivered
    line.failed += failed
    if priced:
        line.prices.setdefault(unit.upper() or "USD", Price()).final += paid


def _expect(line: Line, row: list[Any], prices: Estimates) -> None:
    number, count, segments = row
    found = prices.to(number, segments)
    if found is None:
        line.unpriced += count
    else:
        line.prices.setdefault(found.currency, Price()).estimated += found.amount


def _add_follow_ups(line: Line, row: list[Any]) -> None:
    held, judge, requests, put_in, got_out = row
    line.held += held
    spent = line.judging
    spent.requests += requests
    spent.input_tokens += put_in
    spent.output_tokens += got_out
    if requests:
        cost = judging.cost(judge or "", put_in, got_out)
        spent.cost = None if cost is None or spent.cost is None else spent.cost + cost


def _names(workspace: Workspace, keys: list[str], group_by: GroupBy) -> dict[str, str]:
    if group_by == "month":
        return {key: datetime.strptime(key, "%Y-%m").replace(tzinfo=UTC).strftime("%B %Y") for key in keys}
    model = Agent if group_by == "agent" else Action
    ids = [UUID(key) for key in keys]
    rows = within(workspace, model).filter(pk__in=ids).values_list("pk", "name")
    return {str(pk): name for pk, name in rows}


# As a table.

HEAD: Final = (
    "key", "name", "messages", "segments", "delivered", "failed", "held", "currency", "price_final",
    "price_estimated", "messages_without_price", "judge_requests", "judge_input_tokens", "judge_output_tokens",
    "judge_cost_usd",
)  # fmt: skip


def table(report: Usage) -> Iterator[list[Cell]]:
    """A row a line and currency; what has no currency stands on the first row of its line alone, so that sums are
    right."""
    for line in report.lines:
        paid = sorted(line.prices.items()) or [("", Price())]
        for number, (currency, price) in enumerate(paid):
            counts: list[Cell] = [line.messages, line.segments, line.delivered, line.failed, line.held]
            rest: list[Cell] = [
                line.unpriced,
                line.judging.requests,
                line.judging.input_tokens,
                line.judging.output_tokens,
                line.judging.cost,
            ]
            if number:
                counts, rest = [None] * len(counts), [None] * len(rest)
            yield [line.key, line.name, *counts, currency, price.final, price.estimated, *rest]
