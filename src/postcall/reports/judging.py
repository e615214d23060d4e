"""Who judged the calls of a workspace, what came of it, what it took, and what a cascade saved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from postcall.ids import first_id
from postcall.judge.prices import cost
from postcall.reports.tables import Cell
from postcall.reports.usage import Judging
from postcall.workspaces.models import Workspace

__all__ = ["JudgeLine", "JudgeReport", "cost", "judge_report", "table"]

_ROWS: Final = """
FROM follow_up f
WHERE f.workspace_id = %(workspace)s AND f.judge <> '' AND f.id >= %(first)s
      AND f.created_at >= %(since)s AND f.created_at < %(until)s
"""
_VERDICTS: Final = f"""
SELECT f.judge, f.result, count(*), sum(f.judge_requests), sum(f.judge_input_tokens), sum(f.judge_output_tokens),
       coalesce(sum(f.judge_cost_usd), 0),
       count(*) FILTER (WHERE f.judge_requests > 0 AND f.judge_cost_usd IS NULL),
       coalesce(sum(f.judge_s), 0), count(f.judge_s), min(f.created_at) FILTER (WHERE f.judge_requests > 0)
{_ROWS}
GROUP BY 1, 2
"""
# A call counts as one that needed no request only from the first request on: before it, no model may have been set.
_CALLS: Final = f"""
SELECT count(*), count(*) FILTER (WHERE asked), count(*) FILTER (WHERE NOT asked AND begun >= %(from)s)
FROM (SELECT f.call_id, sum(f.judge_requests) > 0 AS asked, min(f.created_at) AS begun {_ROWS} GROUP BY 1) calls
"""  # noqa: S608  # of our own parts


@dataclass
class JudgeLine:
    """The verdicts of one judge."""

    judge: str
    met: int = 0
    not_met: int = 0
    unclear: int = 0

    @property
    def verdicts(self) -> int:
        return self.met + self.not_met + self.unclear

    @property
    def shares(self) -> list[tuple[str, int, float]]:
        """By result, in words: how many, and their share of its verdicts."""
        counts = {"Met": self.met, "Not met": self.not_met, "Unclear": self.unclear}
        return [(words, number, number / self.verdicts) for words, number in counts.items()]

    @property
    def is_built_in(self) -> bool:
        return self.judge.startswith("offline")


@dataclass(frozen=True)
class JudgeReport:
    """`calls` were judged, or listened to; of `asked` a language model was asked something, and of `unasked`
    nothing had to be, since the first time that it was. `seconds` is how long a call took the judge, on average."""

    since: datetime
    until: datetime
    lines: list[JudgeLine]
    used: Judging
    calls: int
    asked: int
    unasked: int
    seconds: float | None

    @property
    def verdicts(self) -> int:
        return sum(line.verdicts for line in self.lines)

    @property
    def by_built_in(self) -> int:
        return sum(line.verdicts for line in self.lines if line.is_built_in)

    @property
    def share_built_in(self) -> float | None:
        return self.by_built_in / self.verdicts if self.verdicts else None

    @property
    def unit(self) -> Decimal | None:
        """What a call cost of which a model was asked, on average, in USD; None: none was, or no price is known."""
        return self.used.cost / self.asked if self.asked and self.used.cost is not None else None

    @property
    def saving(self) -> Decimal | None:
        """About what the calls would have cost of which nothing had to be asked, in USD; None: it is not known."""
        return self.unit * self.unasked if self.unit is not None else None

    @property
    def about_each(self) -> Decimal | None:
        return self.unit and rounded(self.unit)

    @property
    def about_saved(self) -> Decimal | None:
        return self.saving and rounded(self.saving)

    @property
    def tokens_saved(self) -> int:
        """The same in tokens, which need no price."""
        return self.tokens_each * self.unasked

    @property
    def tokens_each(self) -> int:
        return round(self.used.tokens / self.asked) if self.asked else 0


def judge_report(workspace: Workspace, since: datetime, until: datetime) -> JudgeReport:
    """Of follow-ups that were begun from `since` on and before `until` (both aware). Two queries."""
    # Ids are made by the clock of a machine, which may be behind the database's.
    asked = {
        "workspace": workspace.pk,
        "since": since,
        "until": until,
        "first": first_id(since - timedelta(hours=1)),
    }
    lines: dict[str, JudgeLine] = {}
    used, took, timed, first = Judging(), 0.0, 0, until
    for judge, result, number, *spent in _fetched(_VERDICTS, asked):
        if result:
            line = lines.setdefault(judge, JudgeLine(judge))
            setattr(line, result, number)
        *paid, seconds, timings, began = spent
        used.add(paid)
        took, timed, first = took + seconds, timed + timings, min(first, began or first)
    ((calls, with_model, without),) = _fetched(_CALLS, asked | {"from": first})
    ordered = sorted(lines.values(), key=lambda line: (-line.verdicts, line.judge))
    return JudgeReport(since, until, ordered, used, calls, with_model, without, took / timed if timed else None)


def _fetched(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


HEAD: Final = (
    "judge", "built_in", "verdicts", "met", "not_met", "unclear", "calls", "calls_with_request",
    "calls_without_request", "requests", "input_tokens", "output_tokens", "cost_usd", "saving_usd",
)  # fmt: skip


def table(report: JudgeReport) -> Iterator[list[Cell]]:
    """A row a judge; what is of all of them stands on the first row alone, so that sums are right."""
    whole: list[Cell] = [
        report.calls,
        report.asked,
        report.unasked,
        report.used.requests,
        report.used.input_tokens,
        report.used.output_tokens,
        plain(report.used.cost),
        plain(report.saving),
    ]
    for line in report.lines or [JudgeLine("")]:
        built_in = "yes" if line.is_built_in else "no"
        yield [line.judge, built_in, line.verdicts, line.met, line.not_met, line.unclear, *whole]
        whole = [None] * len(whole)


def plain(amount: Decimal | None) -> Decimal | None:
    """To a millionth of a dollar, without zeros at its end."""
    return None if amount is None else amount.quantize(Decimal("0.000001")).normalize()


def rounded(amount: Decimal) -> Decimal:
    """As far as a person cares: cents of dollars, and of less, some digits more."""
    places = "0.01" if amount >= 1 else "0.0001" if amount >= Decimal("0.01") else "0.000001"
    return amount.quantize(Decimal(places))
