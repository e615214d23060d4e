"""A backtest: how far it is, what it found, and each of its calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET

from postcall.actions.models import Action
from postcall.dashboard.access import Visit, member
from postcall.dashboard.comparing import compared
from postcall.dashboard.paging import Page, query
from postcall.dashboard.verbs import exports
from postcall.dashboard.views.actions.finding import attached, found
from postcall.dashboard.views.backtests import asking
from postcall.dashboard.views.backtests.beginning import told_when
from postcall.dashboard.views.backtests.rows import CHANGES, OUTCOMES, Row, run_state
from postcall.dashboard.words import State
from postcall.reports.tables import CONTENT_TYPE, Cell, lines
from postcall.testbench.models import ActionCase, BenchItem, BenchRun
from postcall.testbench.runs import Words
from postcall.testbench.summary import Summary, results, summary
from postcall.work import clock

PAGE_SIZE: Final = 50
_ASKED: Final = ("outcome", "changed")
_AT_ONCE: Final = 500
_HEAD: Final = (
    "call_id", "received_at", "customer_number", "agent", "outcome", "reason", "result", "verdict_reason", "quotes",
    "text", "segments", "price", "currency", "before_outcome", "before_reason", "before_result", "before_text",
    "input_tokens", "output_tokens", "judge_cost_usd",
)  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A run with what its head says."""

    run: BenchRun
    summary: Summary

    @property
    def state(self) -> State:
        return run_state(self.run)

    @property
    def calls(self) -> str:
        return asking.calls_of(self.run)

    @property
    def waits_until(self) -> Any:
        """When the judge is asked again that did not answer; None: it is not waited for."""
        due = self.run.due_at
        return due if self.run.problem and due and due > clock.now() else None

    @property
    def other_changes(self) -> int:
        """Outcomes that differ, none of them a text."""
        return self.summary.changed - self.summary.newly - self.summary.no_longer

    @property
    def tokens(self) -> str:
        return f"{self.summary.input_tokens + self.summary.output_tokens:,}"

    @property
    def seen(self) -> str:
        """A digest of what moves."""
        return f"{self.run.state}-{self.run.done}-{bool(self.run.problem)}"


def found_run(visit: Visit, action: Action, run_id: UUID) -> BenchRun:
    runs = visit.rows(BenchRun).filter(action=action, kind=BenchRun.Kind.BACKTEST)
    return visit.one(runs.select_related("action__revision", "revision", "agent"), run_id)


@require_GET
@member
def backtest(visit: Visit, action_id: UUID, run_id: UUID) -> HttpResponse:
    action = found(visit, action_id)
    run = found_run(visit, action, run_id)
    tried = Words(run.condition, run.message, run.always)
    context = {
        "action": action,
        "revision": action.revision,
        "attachments": attached(action),
        "when": compared(told_when(Words.of(run.revision)), told_when(tried)),
        "message": compared(run.revision.message, run.message),
        **_moving(visit, run),
        **_results(visit, run),
    }
    return visit.page("backtests/run.html", context, place="actions")


@require_GET
@member
def live(visit: Visit, action_id: UUID, run_id: UUID) -> HttpResponse:
    """How far it is by now. 204: no further than `seen`. With its end come its results, where the page has none."""
    run = found_run(visit, found(visit, action_id), run_id)
    context = _moving(visit, run)
    if context["shown"].seen == visit.request.GET.get("seen"):
        return HttpResponse(status=204)
    ended = not run.is_at_work
    if ended and visit.request.GET.get("empty"):
        context |= _results(visit, run)
    return visit.part("backtests/live.html", {"rows": None, **context, "action": run.action, "ended": ended})


def _moving(visit: Visit, run: BenchRun) -> dict[str, Any]:
    shown = Shown(run, summary(run))
    asks = {"seen": shown.seen, "empty": visit.request.GET.get("empty") or (None if shown.summary.judged else "1")}
    return {
        "run": run,
        "shown": shown,
        "summary": shown.summary,
        "here": visit.to("backtest", run.action_id, run.pk),
        "live": visit.to("backtest-live", run.action_id, run.pk) + query(visit.request, **asks),
    }


def _results(visit: Visit, run: BenchRun) -> dict[str, Any]:
    asked = visit.request.GET
    page = _page(visit, _with_calls(results(run, asked.get("outcome", ""), asked.get("changed", ""))))
    return {
        "page": page,
        "rows": [Row(item, run.always) for item in page.rows],
        "asked": asked,
        "asks": query(visit.request, after=None, seen=None, empty=None),
        "asking": any(asked.get(key) for key in _ASKED),
        "outcomes": {key: state.heading for key, state in OUTCOMES.items()},
        "changes": CHANGES,
    }


def _with_calls(items: QuerySet[BenchItem]) -> QuerySet[BenchItem]:
    return items.select_related("call__agent").defer("call__transcript")


def _page(visit: Visit, items: QuerySet[BenchItem]) -> Page[BenchItem]:
    """The page that the address asks for by `after`, a place in the run."""
    after = visit.request.GET.get("after", "")
    is_further = after.isascii() and after.isdecimal() and len(after) < 7
    rows = list((items.filter(position__gt=int(after)) if is_further else items)[: PAGE_SIZE + 1])
    asks: dict[str, str | None] = {"seen": None, "empty": None}
    further = query(visit.request, after=str(rows[PAGE_SIZE - 1].position), **asks) if rows[PAGE_SIZE:] else None
    return Page(rows[:PAGE_SIZE], further, query(visit.request, after=None, **asks) if is_further else None)


@require_GET
@member
def item(visit: Visit, action_id: UUID, run_id: UUID, position: int) -> HttpResponse:
    """One call: a piece for the list, a page of its own where there is no script."""
    action = found(visit, action_id)
    run = found_run(visit, action, run_id)
    context = item_context(visit, run, position)
    if visit.request.headers.get("HX-Request"):
        return visit.part("backtests/item_body.html", context)
    more = {"revision": action.revision, "attachments": attached(action)}
    return visit.page("backtests/item.html", {**context, **more}, place="actions")


def item_context(visit: Visit, run: BenchRun, position: int) -> dict[str, Any]:
    # What is longer than a number of the database's is no place of a run.
    place = position if position < 1_000_000 else 0
    row = _with_calls(results(run).filter(position=place)).first()
    if row is None or row.call is None:
        raise Http404
    case = visit.rows(ActionCase).filter(action=run.action_id, call=row.call_id).first()
    return {"action": run.action, "run": run, "row": Row(row, run.always), "item": row, "case": case}


@require_GET
@member
def export(visit: Visit, action_id: UUID, run_id: UUID) -> StreamingHttpResponse:
    """What fits, as CSV; that it was taken along stands in the audit log, and what was asked."""
    run = found_run(visit, found(visit, action_id), run_id)
    exports.note(visit, "backtest", _ASKED)
    asked = visit.request.GET
    rows = _with_calls(results(run, asked.get("outcome", ""), asked.get("changed", "")))
    return StreamingHttpResponse(
        lines(_HEAD, _lines(rows)),
        content_type=CONTENT_TYPE,
        headers={"Content-Disposition": 'attachment; filename="backtest.csv"'},
    )


def _lines(items: QuerySet[BenchItem]) -> Iterator[list[Cell]]:
    """A part at a time: the whole is never in memory."""
    part = list(items[:_AT_ONCE])
    while part:
        yield from map(_cells, part)
        part = list(items.filter(position__gt=part[-1].position)[:_AT_ONCE])


def _cells(item: BenchItem) -> list[Cell]:
    call, row = item.call, Row(item)
    agent = call.agent if call else None
    return [
        item.call_id,
        call.received_at if call else None,
        call.customer_number if call else "",
        agent.name if agent else "",
        item.outcome,
        item.reason,
        item.result,
        str(row.verdict.get("reason", "")),
        "\n".join(f"{each['turn']}: {each['quote']}" for each in row.quotes),
        item.body,
        item.segments,
        item.price,
        item.currency,
        item.before_outcome,
        item.before_reason,
        item.before_result,
        item.before_body,
        item.input_tokens,
        item.output_tokens,
        item.cost,
    ]
