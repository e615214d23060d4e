"""What a workspace sent and what that cost, by agent, action or month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, Literal
from uuid import UUID

from django.db import connection

from postcall.actions.models import Action, Attachment
from postcall.agents.models import Agent
from postcall.ids import first_id
from postcall.messages.prices import Estimates
from postcall.reports.tables import Cell
from postcall.workspaces.models import Workspace
from postcall.workspaces.scope import within

GroupBy = Literal["agent", "action", "month"]

# The longest stretch of time that one report is about.
LONGEST: Final = timedelta(days=400)

# A text's key is its follow-up's; of one that was begun before the stretch of time it is looked up apart.
_KEYS: Final[dict[GroupBy, str]] = {
    "agent": "f.attachment_id",
    "action": "f.action_id",
    "month": "date_trunc('month', {moment} AT TIME ZONE 'UTC')",
}
# Texts that Twilio took, or may have taken, and whose price it may still say.
_LEFT: Final = "('accepted', 'sent', 'delivered', 'undelivered', 'unconfirmed')"
# By the beginning of its number the country of a text is known.
_BEGINNING: Final = 5
# How long before its text a follow-up is begun, nearly always.
_SOONER: Final = timedelta(days=2)

_MESSAGES: Final = """
SELECT {key}, m.price_unit, count(*), sum(m.segments),
       count(*) FILTER (WHERE m.status = 'delivered'),
       count(*) FILTER (WHERE m.status IN ('failed', 'undelivered')),
       coalesce(sum(abs(m.price)), 0), count(m.price)
FROM message m {join}
WHERE m.workspace_id = %(workspace)s AND m.id >= %(first)s
      AND m.created_at >= %(since)s AND m.created_at < %(until)s AND m.status <> 'canceled' {only}
GROUP BY 1, 2
"""
_UNPRICED: Final = """
SELECT {key}, max(m."to"), count(*), sum(m.segments)
FROM message m {join}
WHERE m.workspace_id = %(workspace)s AND m.id >= %(first)s
      AND m.created_at >= %(since)s AND m.created_at < %(until)s AND m.price IS NULL AND m.status IN {left} {only}
GROUP BY 1, left(m."to", {beginning})
"""
# By workspace and id, both tables are walked side by side; a bare join on the id has one of them hashed.
_JOIN: Final = """
LEFT JOIN follow_up f
ON f.id = m.follow_up_id AND f.workspace_id = %(workspace)s AND f.id >= %(earliest)s
"""
_JOIN_EARLIER: Final = "JOIN follow_up f ON f.id = m.follow_up_id"
_EARLIER: Final = "AND m.follow_up_id < %(earliest)s"

_HELD: Final = """
SELECT {key}, count(*)
FROM follow_up f
WHERE f.workspace_id = %(workspace)s AND f.outcome = 'held' AND f.id >= %(first)s
      AND f.created_at >= %(since)s AND f.created_at < %(until)s
GROUP BY 1
"""
# By reason, for which there is an index. Its text may be redacted by now, so that is not asked.
_SHADOWED: Final = """
SELECT {key}, count(*)
FROM follow_up f
WHERE f.workspace_id = %(workspace)s AND f.reason = 'shadow' AND f.id >= %(first)s
      AND f.created_at >= %(since)s AND f.created_at < %(until)s
GROUP BY 1
"""
_JUDGED: Final = """
SELECT {key}, sum(f.judge_requests), sum(f.judge_input_tokens), sum(f.judge_output_tokens),
       coalesce(sum(f.judge_cost_usd), 0), count(*) FILTER (WHERE f.judge_cost_usd IS NULL)
FROM follow_up f
WHERE f.workspace_id = %(workspace)s AND f.judge <> '' AND f.judge_requests > 0 AND f.id >= %(first)s
      AND f.created_at >= %(since)s AND f.created_at < %(until)s
GROUP BY 1
"""


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

    def add(self, row: Sequence[Any]) -> None:
        """Requests, tokens put in, tokens got out, their cost as far as it is known, and how many have none."""
        requests, put_in, got_out, cost, unpriced = row
        self.requests += int(requests)
        self.input_tokens += int(put_in)
        self.output_tokens += int(got_out)
        self.cost = None if unpriced or self.cost is None else self.cost + cost

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

    `unpriced` texts have neither a price nor an estimate. `would_have_sent` counts the texts that were written in
    shadow mode and not sent.
    """

    key: str
    name: str
    messages: int = 0
    segments: int = 0
    delivered: int = 0
    failed: int = 0
    held: int = 0
    would_have_sent: int = 0
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
    when they were begun; months in UTC. An agent's are those of what was attached to it. Five queries, two more
    where a text was made long after its follow-up was begun, and what estimates and names take.

    Texts that were canceled before they left are left out. What one call cost the judge stands on one of its
    follow-ups, and is counted once.
    """
    found: dict[str, Line] = defaultdict(lambda: Line("", ""))
    total = Line("", "Total")
    prices = Estimates(workspace)
    asked = _Asked(workspace, since, until, group_by)
    for key, *row in asked.texts(_MESSAGES):
        for line in (found[key], total):
            _add_messages(line, row)
    for key, *row in asked.texts(_UNPRICED):
        for line in (found[key], total):
            _expect(line, row, prices)
    for key, held in asked.follow_ups(_HELD):
        for line in (found[key], total):
            line.held += held
    for key, shadowed in asked.follow_ups(_SHADOWED):
        for line in (found[key], total):
            line.would_have_sent += shadowed
    for key, *row in asked.follow_ups(_JUDGED):
        for line in (found[key], total):
            line.judging.add(row)
    names = _names(workspace, list(found), group_by)
    for key, line in found.items():
        line.key, line.name = key, names[key]
    ordered = sorted(found.values(), key=lambda line: (-line.messages, line.name, line.key))
    if group_by == "month":
        ordered.sort(key=lambda line: line.key, reverse=True)
    return Usage(since, until, group_by, ordered, total)


class _Asked:
    """One report's rows, each with its key first."""

    def __init__(self, workspace: Workspace, since: datetime, until: datetime, group_by: GroupBy) -> None:
        self._workspace = workspace
        self._group_by = group_by
        # Ids are made by the clock of a machine, which may be behind the database's.
        first = since - timedelta(hours=1)
        self._parameters: dict[str, UUID | datetime] = {
            "workspace": workspace.pk,
            "since": since,
            "until": until,
            "first": first_id(first),
            "earliest": first_id(first - _SOONER),
        }

    def texts(self, sql: str) -> Iterator[tuple[Any, ...]]:
        if self._group_by == "month":
            yield from self._rows(sql, "m.created_at", join="", only="")
            return
        rows = list(self._rows(sql, "m.created_at", join=_JOIN, only=""))
        yield from (row for row in rows if row[0])
        if not all(row[0] for row in rows):
            yield from self._rows(sql, "m.created_at", join=_JOIN_EARLIER, only=_EARLIER)

    def follow_ups(self, sql: str) -> Iterator[tuple[Any, ...]]:
        return self._rows(sql, "f.created_at", join="", only="")

    def _rows(self, sql: str, moment: str, *, join: str, only: str) -> Iterator[tuple[Any, ...]]:
        key = _KEYS[self._group_by].format(moment=moment)
        written = sql.format(key=key, join=join, only=only, left=_LEFT, beginning=_BEGINNING)
        with connection.cursor() as cursor:
            cursor.execute(written, self._parameters)
            rows = cursor.fetchall()
        return ((self._key(row[0]), *row[1:]) for row in rows)

    def _key(self, found: UUID | datetime | None) -> str:
        if found is None:
            return ""
        if isinstance(found, datetime):
            return f"{found:%Y-%m}"
        return self._agents[found] if self._group_by == "agent" else str(found)

    @cached_property
    def _agents(self) -> dict[UUID, str]:
        """By what is attached to them. There are few attachments, and very many follow-ups to join them to."""
        rows = within(self._workspace, Attachment).values_list("pk", "agent_id")
        return {attachment: str(agent) for attachment, agent in rows}


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
    "judge_cost_usd", "would_have_sent",
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
                line.judging.cost and line.judging.cost.normalize(),
                line.would_have_sent,
            ]
            if number:
                counts, rest = [None] * len(counts), [None] * len(rest)
            yield [line.key, line.name, *counts, currency, price.final, price.estimated, *rest]
