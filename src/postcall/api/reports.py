"""/reports"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal

from django.http import HttpResponse
from ninja import Query
from pydantic import Field

from postcall.api.answers import Moment, Out, answer
from postcall.api.keys import ApiRequest
from postcall.api.problems import wrong_fields
from postcall.api.routes import Routes
from postcall.api.shapes import PriceOut, dollars
from postcall.reports import tables
from postcall.reports.usage import HEAD, LONGEST, GroupBy, Line, table, usage
from postcall.shapes import Strict
from postcall.work import clock

routes = Routes(tags=["Reports"])

_DEFAULT: Final = timedelta(days=30)


class UsageFilters(Strict):
    from_: Moment | None = Field(
        default=None, alias="from", description="Made from then on. By default 30 days before `to`."
    )
    to: Moment | None = Field(default=None, description="Made before then. By default now.")
    group_by: GroupBy = Field(default="month", description="Months are those of UTC.")
    format: Literal["json", "csv"] | None = Field(
        default=None, description="`csv`, or `Accept: text/csv`: a table."
    )


class SpentOut(Out):
    """Of one currency: what Twilio has said, and what is expected of texts whose price it has not said yet."""

    currency: str
    final: str = Field(examples=["12.4035"])
    estimated: str = Field(examples=["0.0166"])


class JudgingOut(Out):
    """What a language model used to judge calls. A call counts once, with one of its follow-ups."""

    requests: int
    input_tokens: int
    output_tokens: int
    cost: PriceOut | None = Field(description="By its vendor's list prices; null where one of them is not known.")


class UsageLineOut(Out):
    key: str = Field(description="An agent's or action's id, or a month; empty where no agent is known.")
    name: str
    messages: int = Field(description="Texts that were made and not canceled.")
    segments: int
    delivered: int
    failed: int
    held: int = Field(description="Follow-ups that wait for a person by now.")
    prices: list[SpentOut]
    unpriced: int = Field(description="Texts that have neither a price nor an estimate.")
    judging: JudgingOut


class UsageOut(Out):
    from_: datetime = Field(alias="from")
    to: datetime
    group_by: GroupBy
    items: list[UsageLineOut]
    total: UsageLineOut


@routes.get(
    "/reports/usage",
    response=UsageOut,
    summary="What was sent, and what it cost",
    operation_id="report_usage",
    openapi_extra={"responses": {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}},
)
def report_usage(request: ApiRequest, filters: Query[UsageFilters]) -> HttpResponse:
    """By agent, action or month, with totals; of 400 days at most. Carrier fees, which Twilio bills apart, are not
    in it."""
    until = _moment(filters.to) or clock.now()
    since = _moment(filters.from_) or until - _DEFAULT
    if since >= until:
        raise wrong_fields([("from", "it has to be before `to`")])
    if until - since > LONGEST:
        raise wrong_fields([("from", f"a report is of {LONGEST.days} days at most")])
    report = usage(request.auth.workspace, since, until, filters.group_by)
    accepts = request.headers.get("Accept", "")
    if filters.format == "csv" or (filters.format is None and accepts.startswith("text/csv")):
        headers = {"Content-Disposition": 'attachment; filename="usage.csv"'}
        return HttpResponse(tables.lines(HEAD, table(report)), content_type=tables.CONTENT_TYPE, headers=headers)
    shown = UsageOut(
        from_=since,
        to=until,
        group_by=filters.group_by,
        items=[_line(line) for line in report.lines],
        total=_line(report.total),
    )
    return answer(shown)


def _moment(asked: datetime | date | None) -> datetime | None:
    """A date is its midnight in UTC."""
    if asked is None or isinstance(asked, datetime):
        return asked
    return datetime.combine(asked, time(), UTC)


def _line(line: Line) -> UsageLineOut:
    spent = line.judging
    return UsageLineOut(
        key=line.key,
        name=line.name,
        messages=line.messages,
        segments=line.segments,
        delivered=line.delivered,
        failed=line.failed,
        held=line.held,
        prices=[
            SpentOut(currency=currency, final=f"{price.final:f}", estimated=f"{price.estimated:f}")
            for currency, price in sorted(line.prices.items())
        ],
        unpriced=line.unpriced,
        judging=JudgingOut(
            requests=spent.requests,
            input_tokens=spent.input_tokens,
            output_tokens=spent.output_tokens,
            cost=None if spent.cost is None else dollars(spent.cost),
        ),
    )
