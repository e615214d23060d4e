"""The calls of an action whose answer somebody knows, and what its words come to on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from postcall.actions.models import Action
from postcall.calls.models import Call
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.forms import Form
from postcall.dashboard.paging import uuid_or_none
from postcall.dashboard.posting import posted_from
from postcall.dashboard.verbs import cases as verbs
from postcall.dashboard.views.actions.finding import attached, found
from postcall.followups.pasted import NotATranscript, read_pasted
from postcall.judge.verdicts import Turn
from postcall.testbench.cases import EXPECTED, Standing, run_of, score, standings
from postcall.testbench.models import ActionCase, BenchRun
from postcall.testbench.runs import NotPossible, Words

# With more cases than this they are put to the judge when somebody says so, not whenever a word is changed.
MOST_UNASKED: Final = 50


@require_GET
@member
def every(visit: Visit, action_id: UUID) -> HttpResponse:
    return _page(visit, found(visit, action_id), Form({}))


def _page(visit: Visit, action: Action, form: Form, status: int = 200) -> HttpResponse:
    revision = action.revision
    assert revision is not None
    standing = standings(action, revision.condition)
    running = visit.rows(BenchRun).filter(action=action, kind=BenchRun.Kind.CASES).order_by("-pk").first()
    same_words = running is not None and running.condition == revision.condition.strip()
    context = {
        "action": action,
        "revision": revision,
        "attachments": attached(action),
        "standings": standing,
        "score": score(standing),
        "run": running if same_words and running and (running.is_at_work or running.problem) else None,
        "form": form,
        "answers": {"met": "It was met", "not_met": "It was not met"},
    }
    return visit.page("actions/cases.html", context, place="actions", status=status)


@posted_from("action-cases", "action_id")
@actor
def add(visit: Visit, action_id: UUID) -> HttpResponse:
    """Keeps pasted words as a case."""
    action, form = found(visit, action_id), Form.posted(visit.request)
    expected = EXPECTED.get(form["expected"])
    if expected is None:
        form.refuse("expected", "Say whether the condition was met in it")
    turns = pasted_turns(form)
    if not form.is_well or expected is None:
        return _page(visit, action, form, status=422)
    try:
        verbs.keep(visit, action, expected, call=None, turns=turns, note=form["note"])
    except NotPossible as refusal:
        form.refuse("transcript", str(refusal))
        return _page(visit, action, form, status=422)
    flashes.success(visit.request, "Kept as a case.")
    return redirect(visit.to("action-cases", action.pk))


def pasted_turns(form: Form) -> tuple[Turn, ...]:
    try:
        return read_pasted(form["transcript"])
    except NotATranscript as problem:
        form.refuse("transcript", str(problem))
        return ()


@require_POST
@actor
def keep(visit: Visit, action_id: UUID) -> HttpResponse:
    """Makes what was just tried a case: the call, or the words, that the editor's form names."""
    action, form = found(visit, action_id), Form.posted(visit.request)
    expected = EXPECTED.get(form["expected"])
    call, turns = _tried(visit, form)
    said = "Nothing was kept: try it on a call first."
    if expected is not None and (call is not None or turns):
        try:
            verbs.keep(visit, action, expected, call=call, turns=turns)
            said = "Kept as a case."
        except NotPossible as refusal:
            said = str(refusal)
    if visit.request.headers.get("HX-Request"):
        return visit.part("actions/kept.html", {"said": said, "action": action})
    flashes.info(visit.request, said)
    return redirect(visit.to("action-cases", action.pk))


def _tried(visit: Visit, form: Form) -> tuple[Call | None, Sequence[Turn]]:
    if form["against"] == "text":
        return None, pasted_turns(form)
    known = uuid_or_none(form["call"])
    return (visit.rows(Call).filter(pk=known).first() if known else None), ()


@require_POST
@actor
def answer(visit: Visit, action_id: UUID, case_id: UUID) -> HttpResponse:
    """Says the other thing of a case."""
    case = _case(visit, action_id, case_id)
    expected = EXPECTED.get(visit.request.POST.get("expected", ""))
    if expected is not None and expected != case.expected:
        verbs.answer(visit, case, expected)
    return redirect(visit.to("action-cases", action_id))


@require_POST
@actor
def remove(visit: Visit, action_id: UUID, case_id: UUID) -> HttpResponse:
    verbs.remove(visit, _case(visit, action_id, case_id))
    flashes.success(visit.request, "No case any more. The call itself stays.")
    return redirect(visit.to("action-cases", action_id))


def _case(visit: Visit, action_id: UUID, case_id: UUID) -> ActionCase:
    return visit.one(visit.rows(ActionCase).filter(action=action_id), case_id)


@require_POST
@actor
def run(visit: Visit, action_id: UUID) -> HttpResponse:
    """Puts the present condition to all cases again."""
    action = found(visit, action_id)
    assert action.revision is not None
    try:
        begun = verbs.run(visit, action, Words.of(action.revision))
        flashes.success(visit.request, f"{begun.total} case{'' if begun.total == 1 else 's'} are being read.")
    except NotPossible as refusal:
        flashes.error(visit.request, str(refusal))
    return redirect(visit.to("action-cases", action.pk))


# Beside the editor: the cases under the words as they are typed.


@dataclass(frozen=True)
class Changed:
    """A case under the words as they are typed, beside what it is under the present ones."""

    now: Standing
    before: Standing | None

    @property
    def differs(self) -> bool:
        return self.before is None or self.before.mark != self.now.mark


@dataclass(frozen=True)
class Checked:
    """The editor's card. `run` None: these words were not put to the cases yet, or are the present ones."""

    count: int
    run: BenchRun | None = None
    rows: Sequence[Changed] = ()
    before: Sequence[Standing] = ()

    @property
    def is_done(self) -> bool:
        return self.run is not None and self.run.state == BenchRun.State.DONE

    @property
    def score(self) -> Any:
        return score([row.now for row in self.rows])

    @property
    def score_before(self) -> Any:
        return score(self.before)

    @property
    def unasked(self) -> bool:
        return self.count <= MOST_UNASKED

    @property
    def told(self) -> list[Changed]:
        """What is not as it should be, or not as it was."""
        return [row for row in self.rows if row.now.mark != "pass" or row.differs]


def checked(action: Action | None, form: Form, begun: BenchRun | None = None) -> Checked | None:
    """The cases under the form's words as far as they were read; None: the action has none."""
    if action is None or action.revision is None:
        return None
    before = standings(action, action.revision.condition)
    if not before:
        return None
    words = _words(form)
    if not _is_new(action, words):
        return Checked(len(before), before=before)
    current = begun or run_of(action, words)
    if current is None or current.state != BenchRun.State.DONE:
        return Checked(len(before), current, before=before)
    by_case = {each.case.pk: each for each in before}
    now = standings(action, words.condition)
    return Checked(len(before), current, [Changed(each, by_case.get(each.case.pk)) for each in now], before)


def must_be_seen(visit: Visit, action: Action, form: Form) -> BenchRun | None:
    """The run of the form's condition on the cases that nobody has looked at yet, begun where there is none; None:
    there is nothing to look at before saving."""
    words = _words(form)
    if form["unseen"] or not _is_new(action, words) or not standings(action, words.condition):
        return None
    current = run_of(action, words)
    if current is not None and current.state == BenchRun.State.DONE and form["checked"] == str(current.pk):
        return None
    return current or verbs.run(visit, action, words)


def _words(form: Form) -> Words:
    return Words(form["condition"].strip(), form["message"], form.ticked("always"))


def _is_new(action: Action, words: Words) -> bool:
    revision = action.revision
    return (
        revision is not None
        and not words.always
        and bool(words.condition)
        and words.condition != revision.condition.strip()
    )


@posted_from("action", "action_id")
@actor
def check(visit: Visit, action_id: UUID) -> HttpResponse:
    """Puts the words as they are typed to the action's cases; saves nothing."""
    from postcall.dashboard.views.actions import editor

    action, form = found(visit, action_id), Form.posted(visit.request)
    words = _words(form)
    begun = None
    if _is_new(action, words) and len(words.condition) <= 2_000:
        try:
            begun = run_of(action, words) or verbs.run(visit, action, words)
        except NotPossible as refusal:
            form.refuse("condition", str(refusal))
    if not visit.request.headers.get("HX-Request"):
        return editor.page(visit, action, form, status=200 if form.is_well else 422, unsaved=True)
    return visit.part("actions/check.html", {"action": action, "checked": checked(action, form, begun)})


@require_GET
@actor
def check_live(visit: Visit, action_id: UUID, run_id: UUID) -> HttpResponse:
    """How far a run beside the editor has come."""
    action = found(visit, action_id)
    current = visit.one(visit.rows(BenchRun).filter(action=action), run_id)
    form = Form({"condition": current.condition, "message": current.message})
    return visit.part("actions/check.html", {"action": action, "checked": checked(action, form, current)})
