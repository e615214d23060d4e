"""/backtests, and the cases of /actions: an action's words tried on many calls. Nothing is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Literal
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from ninja import Query
from pydantic import Field

from postcall.actions.models import Action
from postcall.agents.models import Agent
from postcall.api.answers import Page, Paging, answer, check_version, nothing, once, page_of, versioned
from postcall.api.audit import record
from postcall.api.finding import named, one
from postcall.api.keys import ADMIN, ApiRequest
from postcall.api.problems import wrong_fields
from postcall.api.routes import Routes
from postcall.api.shapes import dollars
from postcall.api.testbench_shapes import (
    RESULTS_HEAD,
    BacktestContent,
    CaseChange,
    CasesOut,
    CasesToRun,
    CaseWhole,
    Change,
    Condition,
    EstimateOut,
    Kind,
    NewCase,
    Outcome,
    ResultOut,
    RunListed,
    RunOut,
    State,
    case_standing,
    case_whole,
    result_out,
    results_table,
    run_listed,
    run_out,
    score_out,
)
from postcall.calls.models import Call
from postcall.config import config
from postcall.judge.verdicts import Turn
from postcall.reports import tables
from postcall.testbench import cases, runs
from postcall.testbench.models import ActionCase, BenchItem, BenchRun
from postcall.testbench.runs import Words
from postcall.testbench.selecting import Selection, expected, selected
from postcall.testbench.summary import results
from postcall.workspaces.audit import Actor, Changes, Thing
from postcall.workspaces.scope import within

routes = Routes(tags=["Test bench"])


class RunFilters(Paging):
    action_id: UUID | None = None
    state: State | None = None
    kind: Kind = Field(default="backtest", description="`cases`: runs of an action's cases.")


class ResultFilters(Paging):
    outcome: Outcome | None = None
    changed: bool | None = Field(default=None, description="`true`: those that come to something else.")
    change: Change | None = Field(default=None, description="`newly` texted, `no_longer` texted, or `any` of both.")
    format: Literal["json", "csv"] | None = Field(
        default=None, description="`csv`, or `Accept: text/csv`: all that fits, in one answer."
    )


class CaseFilters(Paging):
    condition: Condition | None = Field(
        default=None, description="What the cases are held against. By default the action's present one."
    )


@routes.post(
    "/backtests",
    response={202: RunOut},
    auth=ADMIN,
    summary="Try an action's words on many calls",
    operation_id="begin_backtest",
)
@once
def begin(request: ApiRequest, content: BacktestContent) -> HttpResponse:
    """A worker judges one call after the other; ask `GET /backtests/{id}` how far it is. Nothing is sent, and no
    follow-up is made. Where a language model judges, it is paid for: ask `/backtests/estimate` first."""
    action = _named_action(request, content.action_id)
    words, selection = _words(action, content), _selection(request, content)
    run = runs.begin_backtest(action, words, selection, Actor.of_key(request.auth))
    record(request, "begin", _thing(run), changes={"calls": [None, run.total]})
    return versioned(_shown(request, run.pk), 202)


@routes.post(
    "/backtests/estimate",
    response=EstimateOut,
    auth=ADMIN,
    summary="What a backtest will take",
    operation_id="estimate_backtest",
)
def estimate(request: ApiRequest, content: BacktestContent) -> HttpResponse:
    """Calls, and about the tokens and their price. Nothing is begun."""
    action = _named_action(request, content.action_id)
    _words(action, content)
    takes = expected(selected(action, _selection(request, content)))
    shown = EstimateOut(
        calls=takes.calls,
        judge=config().judge_model,
        tokens=takes.tokens,
        cost=None if takes.cost is None else dollars(takes.cost),
    )
    return answer(shown)


@routes.get("/backtests", response=Page[RunListed], summary="List backtests", operation_id="list_backtests")
def list_backtests(request: ApiRequest, filters: Query[RunFilters]) -> HttpResponse:
    """Without what they found."""
    rows = _runs(request).filter(kind=filters.kind)
    if filters.action_id is not None:
        rows = rows.filter(action_id=filters.action_id)
    if filters.state is not None:
        rows = rows.filter(state=filters.state)
    return page_of(rows, filters, run_listed)


@routes.get("/backtests/{uuid:backtest_id}", response=RunOut, summary="One backtest", operation_id="get_backtest")
def read(request: ApiRequest, backtest_id: UUID) -> HttpResponse:
    """How far it is, and what it found so far. Runs of cases stand here too."""
    return versioned(_shown(request, backtest_id))


@routes.get(
    "/backtests/{uuid:backtest_id}/results",
    response=Page[ResultOut],
    summary="What each call came to",
    operation_id="list_backtest_results",
    openapi_extra={"responses": {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}},
)
def list_results(request: ApiRequest, backtest_id: UUID, filters: Query[ResultFilters]) -> HttpResponse:
    """Those that are judged, the newest call first."""
    run = _run(request, backtest_id)
    if filters.changed is False and filters.change is not None:
        raise wrong_fields([("change", "with `changed=false` there is none")])
    rows = results(run, filters.outcome or "", filters.change or ("any" if filters.changed else ""))
    if filters.changed is False:
        rows = rows.exclude(pk__in=results(run, change="any").order_by().values("pk"))
    rows = rows.select_related("call__agent").defer("call__transcript", "call__variables", "call__hints")
    accepts = request.headers.get("Accept", "")
    if filters.format == "csv" or (filters.format is None and accepts.startswith("text/csv")):
        headers = {"Content-Disposition": 'attachment; filename="backtest.csv"'}
        lines = tables.lines(RESULTS_HEAD, results_table(rows.iterator(chunk_size=500)))
        return HttpResponse(lines, content_type=tables.CONTENT_TYPE, headers=headers)
    return _in_order(rows, filters)


@routes.post(
    "/backtests/{uuid:backtest_id}/cancel",
    response=RunOut,
    auth=ADMIN,
    summary="Stop a backtest",
    operation_id="cancel_backtest",
)
@once
def cancel(request: ApiRequest, backtest_id: UUID) -> HttpResponse:
    """What was judged stays, and it can be resumed."""
    run = runs.cancel(_run(request, backtest_id))
    record(request, "cancel", _thing(run))
    return versioned(_shown(request, backtest_id))


@routes.post(
    "/backtests/{uuid:backtest_id}/resume",
    response={202: RunOut},
    auth=ADMIN,
    summary="Go on with a backtest",
    operation_id="resume_backtest",
)
@once
def resume(request: ApiRequest, backtest_id: UUID) -> HttpResponse:
    """Goes on where it was stopped, or failed. No call is judged twice."""
    run = runs.resume(_run(request, backtest_id))
    record(request, "go_on", _thing(run))
    return versioned(_shown(request, backtest_id), 202)


@routes.delete(
    "/backtests/{uuid:backtest_id}",
    response={204: None},
    auth=ADMIN,
    summary="Delete a backtest",
    operation_id="delete_backtest",
)
def delete(request: ApiRequest, backtest_id: UUID) -> HttpResponse:
    """With all that it found. Cancel it first while it runs."""
    run = _run(request, backtest_id)
    check_version(request, run_out(run))
    runs.remove(run)
    record(request, "delete", _thing(run))
    return nothing()


@routes.get(
    "/actions/{uuid:action_id}/cases", response=CasesOut, summary="An action's cases", operation_id="list_cases"
)
def list_cases(request: ApiRequest, action_id: UUID, filters: Query[CaseFilters]) -> HttpResponse:
    """Calls whose answer is known, beside what the judge says of them by a condition, and what that makes of it.
    Those whose call is forgotten are left out."""
    action = _action(request, action_id)
    assert action.revision is not None
    condition = (filters.condition or action.revision.condition).strip()
    all_of_them = cases.standings(action, condition)
    left = [each for each in all_of_them if filters.cursor is None or each.case.pk < filters.cursor]
    shown = [case_standing(each) for each in left[: filters.limit]]
    return answer(
        CasesOut(
            items=shown,
            next=str(shown[-1].id) if len(left) > len(shown) else None,
            condition=condition or None,
            score=score_out(cases.score(all_of_them)),
        )
    )


@routes.post(
    "/actions/{uuid:action_id}/cases",
    response={200: CaseWhole, 201: CaseWhole},
    auth=ADMIN,
    summary="Add a case",
    operation_id="create_case",
)
@once
def create_case(request: ApiRequest, action_id: UUID, content: NewCase) -> HttpResponse:
    """A call, stored or pasted, with what was so in it. A call that is a case already gets the new answer, with
    the status 200."""
    action = _action(request, action_id)
    call = _named_call(request, content.call_id)
    before = within(request.auth.workspace, ActionCase).filter(action=action, call=call).first() if call else None
    turns = [Turn(turn.role, turn.text) for turn in content.transcript or []]
    by = Actor.of_key(request.auth)
    case = cases.note(action, by, content.expected, call=call, turns=turns, about=content.note)
    told: Changes = {"expected": [before.expected if before else None, case.expected]}
    record(request, "update" if before else "create", _thing_of(case), changes=told)
    return versioned(case_whole(case), 200 if before else 201)


@routes.get(
    "/actions/{uuid:action_id}/cases/{uuid:case_id}",
    response=CaseWhole,
    summary="One case",
    operation_id="get_case",
)
def read_case(request: ApiRequest, action_id: UUID, case_id: UUID) -> HttpResponse:
    """With its words."""
    return versioned(case_whole(_case(request, action_id, case_id)))


@routes.put(
    "/actions/{uuid:action_id}/cases/{uuid:case_id}",
    response=CaseWhole,
    auth=ADMIN,
    summary="Say anew what was so in a case",
    operation_id="update_case",
)
def change_case(request: ApiRequest, action_id: UUID, case_id: UUID, content: CaseChange) -> HttpResponse:
    case = _case(request, action_id, case_id)
    check_version(request, case_whole(case))
    cases.answer(case, content.expected, Actor.of_key(request.auth), content.note)
    told: Changes = {"expected": [case.expected, content.expected]}
    record(request, "update", _thing_of(case), changes=told)
    return versioned(case_whole(_case(request, action_id, case_id)))


@routes.delete(
    "/actions/{uuid:action_id}/cases/{uuid:case_id}",
    response={204: None},
    auth=ADMIN,
    summary="Remove a case",
    operation_id="delete_case",
)
def delete_case(request: ApiRequest, action_id: UUID, case_id: UUID) -> HttpResponse:
    case = _case(request, action_id, case_id)
    check_version(request, case_whole(case))
    record(request, "delete", _thing_of(case))
    case.delete()
    return nothing()


@routes.post(
    "/actions/{uuid:action_id}/cases/run",
    response={202: RunOut},
    auth=ADMIN,
    summary="Judge an action's cases",
    operation_id="run_cases",
)
@once
def run_cases(request: ApiRequest, action_id: UUID, content: CasesToRun | None = None) -> HttpResponse:
    """By its present condition, or by one that is not saved yet. `GET /backtests/{id}` says how far it is, and then
    its score. A run of the same action's cases that is still under way is canceled."""
    action = _action(request, action_id)
    assert action.revision is not None
    words = Words.of(action.revision)
    if content is not None and content.condition is not None:
        words = Words(content.condition, "")
    run = runs.begin_cases(action, words, Actor.of_key(request.auth))
    record(request, "run_cases", Thing("action", action.pk, action.name), changes={"cases": [None, run.total]})
    return versioned(_shown(request, run.pk), 202)


def _words(action: Action, content: BacktestContent) -> Words:
    revision = action.revision
    assert revision is not None
    message = revision.message if content.message is None else content.message
    if content.always:
        return Words("", message, always=True)
    if content.condition is not None:
        return Words(content.condition.strip(), message)
    if content.always is False and revision.always:
        raise wrong_fields([("condition", "this action has none: say one, or leave `always` out")])
    return Words(revision.condition, message, revision.always)


def _selection(request: ApiRequest, content: BacktestContent) -> Selection:
    agent = None
    if content.agent_id is not None:
        agent = named(within(request.auth.workspace, Agent), content.agent_id, "agent_id", "agent")
    since, until = _moment(content.since), _moment(content.until)
    if since is not None and until is not None and since >= until:
        raise wrong_fields([("since", "it has to be before `until`")])
    return Selection(agent, since, until, content.latest, all_agents=content.all_agents)


def _moment(asked: datetime | date | None) -> datetime | None:
    """A date is its midnight in UTC."""
    if asked is None or isinstance(asked, datetime):
        return asked
    return datetime.combine(asked, time(), UTC)


def _in_order(rows: QuerySet[BenchItem], paging: Paging) -> HttpResponse:
    """A page in the order of the calls, which is that of the rows' ids."""
    if paging.cursor is not None:
        rows = rows.filter(pk__gt=paging.cursor)
    found = list(rows.order_by("pk")[: paging.limit + 1])
    shown = [result_out(item) for item in found[: paging.limit]]
    return answer(Page(items=shown, next=str(shown[-1].id) if len(found) > len(shown) else None))


def _actions(request: ApiRequest) -> QuerySet[Action]:
    return within(request.auth.workspace, Action).filter(deleted_at=None).select_related("revision")


def _action(request: ApiRequest, pk: UUID) -> Action:
    return one(_actions(request), pk, "action")


def _named_action(request: ApiRequest, pk: UUID) -> Action:
    return named(_actions(request), pk, "action_id", "action")


def _named_call(request: ApiRequest, pk: UUID | None) -> Call | None:
    if pk is None:
        return None
    return named(within(request.auth.workspace, Call).select_related("agent"), pk, "call_id", "call")


def _case(request: ApiRequest, action_id: UUID, pk: UUID) -> ActionCase:
    rows = within(request.auth.workspace, ActionCase).filter(action=_action(request, action_id))
    return one(rows.select_related("call__agent"), pk, "case")


def _runs(request: ApiRequest) -> QuerySet[BenchRun]:
    return within(request.auth.workspace, BenchRun).select_related("action", "revision", "agent")


def _run(request: ApiRequest, pk: UUID) -> BenchRun:
    return one(_runs(request), pk, "backtest")


def _shown(request: ApiRequest, pk: UUID) -> RunOut:
    return run_out(_run(request, pk))


def _thing(run: BenchRun) -> Thing:
    return Thing("backtest", run.pk, run.action.name)


def _thing_of(case: ActionCase) -> Thing:
    return Thing("case", case.pk)
