"""The buttons of a backtest."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from postcall.dashboard.access import Visit, actor
from postcall.dashboard.verbs import backtests as verbs
from postcall.dashboard.views.actions.finding import found
from postcall.dashboard.views.backtests.showing import found_run, item_context
from postcall.testbench.cases import EXPECTED
from postcall.testbench.runs import NotPossible


@require_POST
@actor
def cancel(visit: Visit, action_id: UUID, run_id: UUID) -> HttpResponse:
    run = found_run(visit, found(visit, action_id), run_id)
    _tried(visit, lambda: verbs.cancel(visit, run))
    return redirect(visit.to("backtest", action_id, run_id))


@require_POST
@actor
def go_on(visit: Visit, action_id: UUID, run_id: UUID) -> HttpResponse:
    """Where it was canceled, or had failed."""
    run = found_run(visit, found(visit, action_id), run_id)
    _tried(visit, lambda: verbs.go_on(visit, run))
    return redirect(visit.to("backtest", action_id, run_id))


@require_POST
@actor
def delete(visit: Visit, action_id: UUID, run_id: UUID) -> HttpResponse:
    run = found_run(visit, found(visit, action_id), run_id)
    if not _tried(visit, lambda: verbs.delete(visit, run)):
        return redirect(visit.to("backtest", action_id, run_id))
    flashes.success(visit.request, "The backtest is deleted. The cases that came of it stay.")
    return redirect(visit.to("backtests", action_id))


@require_POST
@actor
def case(visit: Visit, action_id: UUID, run_id: UUID, position: int) -> HttpResponse:
    """Says what was so in a call, which makes it a case of the action."""
    run = found_run(visit, found(visit, action_id), run_id)
    context = item_context(visit, run, position)
    context["item"].run = run
    expected = EXPECTED.get(visit.request.POST.get("expected", ""))
    refusal = "" if expected else "Say whether the condition was met."
    if expected:
        try:
            context["case"] = verbs.note_case(visit, context["item"], expected)
        except NotPossible as problem:
            refusal = str(problem)
    if visit.request.headers.get("HX-Request"):
        return visit.part("backtests/case.html", {**context, "refusal": refusal, "noted": not refusal})
    if refusal:
        flashes.error(visit.request, refusal)
    else:
        flashes.success(visit.request, "Kept as a case of this action.")
    return redirect(visit.to("backtest-item", action_id, run_id, position))


def _tried(visit: Visit, verb: Callable[[], object]) -> bool:
    """Whether it could be done; where not, the page says why."""
    try:
        verb()
    except NotPossible as refusal:
        flashes.error(visit.request, str(refusal))
        return False
    return True
