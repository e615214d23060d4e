"""The backtests of an action, and beginning one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from postcall.actions.models import Action
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.comparing import compared
from postcall.dashboard.forms import Form
from postcall.dashboard.paging import newest_first
from postcall.dashboard.posting import posted_from
from postcall.dashboard.verbs import backtests as verbs
from postcall.dashboard.views.actions.finding import attached, found
from postcall.dashboard.views.backtests import asking
from postcall.dashboard.views.backtests.rows import run_state
from postcall.dashboard.words import State
from postcall.testbench.models import BenchRun
from postcall.testbench.runs import NotPossible, Words
from postcall.testbench.selecting import MOST, Selection, expected, selected
from postcall.testbench.summary import Tally, tallies

PAGE_SIZE: Final = 20


@dataclass(frozen=True)
class RunShown:
    run: BenchRun
    tally: Tally | None

    @property
    def state(self) -> State:
        return run_state(self.run)

    @property
    def calls(self) -> str:
        return asking.calls_of(self.run)


@require_GET
@member
def backtests(visit: Visit, action_id: UUID) -> HttpResponse:
    action = found(visit, action_id)
    return _page(visit, action, asking.blank(action))


@posted_from("backtests", "action_id")
@actor
def words(visit: Visit, action_id: UUID) -> HttpResponse:
    """The form with the words as they are typed in the editor, or as the step before the beginning has them."""
    action, posted = found(visit, action_id), Form.posted(visit.request)
    form = posted if posted["words"] else asking.from_editor(action, posted)
    return _page(visit, action, form)


@posted_from("backtests", "action_id")
@actor
def estimate(visit: Visit, action_id: UUID) -> HttpResponse:
    """What it will take, before anything is paid for; nothing is begun."""
    action, form = found(visit, action_id), Form.posted(visit.request)
    what = _asked(visit, action, form)
    if what is None:
        return _page(visit, action, form, status=422)
    return _page(visit, action, form, step=_step(action, *what))


@posted_from("backtests", "action_id")
@actor
def begin(visit: Visit, action_id: UUID) -> HttpResponse:
    action, form = found(visit, action_id), Form.posted(visit.request)
    what = _asked(visit, action, form)
    if what is None:
        return _page(visit, action, form, status=422)
    try:
        run, is_new = verbs.begin(visit, action, *what)
    except NotPossible as refusal:
        form.refuse("agent" if refusal.code == "no_calls" else "", str(refusal))
        return _page(visit, action, form, status=422)
    if not is_new:
        flashes.info(visit.request, "Just this is under way already: here it is.")
    return redirect(visit.to("backtest", action.pk, run.pk))


def _asked(visit: Visit, action: Action, form: Form) -> tuple[Words, Selection] | None:
    if action.deleted_at is not None:
        form.refuse("", "This action is archived: restore it first")
    words, selection = asking.words_of(action, form), asking.selection_of(visit, form)
    if words is None or selection is None or not form.is_well:
        return None
    if not selected(action, selection):
        form.refuse("agent", "There is no call to try it on: choose another agent, or other days")
        return None
    return words, selection


def _step(action: Action, words: Words, selection: Selection) -> dict[str, Any]:
    """What stands between the form and the beginning."""
    revision = action.revision
    assert revision is not None
    present = Words.of(revision)
    calls = selected(action, selection)
    return {
        "takes": asking.takes(expected(calls), 1 if words.condition == present.condition else 2),
        "is_most": len(calls) == MOST,
        "most": MOST,
        "changes": words != present,
        "when": compared(told_when(present), told_when(words)),
        "message": compared(present.message, words.message),
    }


def told_when(words: Words) -> str:
    return "After every connected call" if words.always else words.condition


def _page(
    visit: Visit, action: Action, form: Form, *, status: int = 200, step: dict[str, Any] | None = None
) -> HttpResponse:
    runs = visit.rows(BenchRun).filter(action=action, kind=BenchRun.Kind.BACKTEST)
    page = newest_first(visit.request, runs.select_related("revision", "agent"), PAGE_SIZE)
    counted = tallies(page.rows)
    return visit.page(
        "backtests/list.html",
        {
            "action": action,
            "revision": action.revision,
            "attachments": attached(action),
            "form": form,
            "step": step,
            "asked": [(name, form[name]) for name in (*asking.ASKED, *asking.KEPT)],
            "kept": [(name, form[name]) for name in asking.KEPT],
            "agents": asking.agents_to_choose(visit, action),
            "newest": asking.NEWEST,
            "most": MOST,
            "page": page,
            "runs": [RunShown(run, counted.get(run.pk)) for run in page.rows],
        },
        place="actions",
        status=status,
    )
