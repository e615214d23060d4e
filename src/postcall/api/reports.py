"""/reports"""

from __future__ import annotations

from collections.abc import Iterable
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
from postcall.reports import judging, tables
from postcall.reports.usage import HEAD, LONGEST, GroupBy, Judging, Line, table, usage
from postcall.shapes import Strict
from postcall.work import clock

routes = Routes(tags=["Reports"])

_DEFAULT: Final = timedelta(days=30)


class Stretch(Strict):
    from_: Moment | None = Field(
        default=None, alias="from", description="Made from then on. By default 30 days before `to`."
    )
    to: Moment | None = Field(default=None, description="Made before then. By default now.")
    format: Literal["json", "csv"] | None = Field(
        default=None, description="`csv`, or `Accept: text/csv`: a table."
    )


class UsageFilters(Stretch):
    group_by: GroupBy = Field(default="month", description="Months are those of UTC.")


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
    would_have_sent: int = Field(description="Texts that were written in shadow mode, and not sent.")
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
    since, until = _stretch(filters)
    report = usage(request.auth.workspace, since, until, filters.group_by)
    if _wants_table(request, filters):
        return _as_table("usage.csv", HEAD, table(report))
    shown = UsageOut(
        from_=since,
        to=until,
        group_by=filters.group_by,
        items=[_line(line) for line in report.lines],
        total=_line(report.total),
    )
    return answer(shown)


class JudgeLineOut(Out):
    judge: str = Field(examples=["offline-1", "openai:gpt-5-mini"])
    built_in: bool
    verdicts: int
    met: int
    not_met: int
    unclear: int


class SavingOut(Out):
    """What a cascade saved, about: a call without a request is reckoned at what a call with one took on average."""

    tokens: int
    cost: PriceOut | None = Field(description="Null where no price is known.")


class JudgeReportOut(Out):
    from_: datetime = Field(alias="from")
    to: datetime
    items: list[JudgeLineOut]
    calls: int = Field(description="That were judged, or that a language model listened to.")
    calls_with_request: int = Field(description="Of which a language model was asked something.")
    calls_without_request: int = Field(
        description="Of which nothing had to be asked, since the first of which something was."
    )
    seconds: float | None = Field(description="That a call took the judge, on average.")
    judging: JudgingOut
    saving: SavingOut | None = Field(description="Null while no call needed a request.")


@routes.get(
    "/reports/judge",
    response=JudgeReportOut,
    summary="Who judged, and what it took",
    operation_id="report_judge",
    openapi_extra={"responses": {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}},
)
def report_judge(request: ApiRequest, filters: Query[Stretch]) -> HttpResponse:
    """Verdicts by judge and result, requests, tokens and cost, and what a cascade saved; of 400 days at most."""
    since, until = _stretch(filters)
    report = judging.judge_report(request.auth.workspace, since, until)
    if _wants_table(request, filters):
        return _as_table("judge.csv", judging.HEAD, judging.table(report))
    shown = JudgeReportOut(
        from_=since,
        to=until,
        items=[
            JudgeLineOut(
                judge=line.judge,
                built_in=line.is_built_in,
                verdicts=line.verdicts,
                met=line.met,
                not_met=line.not_met,
                unclear=line.unclear,
            )
            for line in report.lines
        ],
        calls=report.calls,
        calls_with_request=report.asked,
        calls_without_request=report.unasked,
        seconds=None if report.seconds is None else round(report.seconds, 3),
        judging=_judging(report.used),
        saving=_saving(report),
    )
    return answer(shown)


def _saving(report: judging.JudgeReport) -> SavingOut | None:
    if not report.asked:
        return None
    cost = judging.plain(report.saving)
    return SavingOut(tokens=report.tokens_saved, cost=None if cost is None else dollars(cost))


def _stretch(filters: Stretch) -> tuple[datetime, datetime]:
    until = _moment(filters.to) or clock.now()
    since = _moment(filters.from_) or until - _DEFAULT
    if since >= until:
        raise wrong_fields([("from", "it has to be before `to`")])
    if until - since > LONGEST:
        raise wrong_fields([("from", f"a report is of {LONGEST.days} days at most")])
    return since, until


def _wants_table(request: ApiRequest, filters: Stretch) -> bool:
    accepts = request.headers.get("Accept", "")
    return filters.format == "csv" or (filters.format is None and accepts.startswith("text/csv"))


def _as_table(name: str, head: Iterable[str], rows: Iterable[Iterable[tables.Cell]]) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(tables.lines(head, rows), content_type=tables.CONTENT_TYPE, headers=headers)


def _moment(asked: datetime | date | None) -> datetime | None:
    """A date is its midnight in UTC."""
    if asked is None or isinstance(asked, datetime):
        return asked
    return datetime.combine(asked, time(), UTC)


def _line(line: Line) -> UsageLineOut:
    return UsageLineOut(
        key=line.key,
        name=line.name,
        messages=line.messages,
        segments=line.segments,
        delivered=line.delivered,
        failed=line.failed,
        held=line.held,
        would_have_sent=line.would_have_sent,
        prices=[
            SpentOut(currency=currency, final=f"{price.final:f}", estimated=f"{price.estimated:f}")
            for currency, price in sorted(line.prices.items())
        ],
        unpriced=line.unpriced,
        judging=_judging(line.judging),
    )


def _judging(spent: Judging) -> JudgingOut:
    return JudgingOut(
        requests=spent.requests,
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
        cost=None if spent.cost is None else dollars(spent.cost),
    )
