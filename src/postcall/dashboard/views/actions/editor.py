"""Writing an action: its words on the left, what the phone will show on the right."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.contrib import messages as flashes
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from postcall.actions import editing
from postcall.actions.editing import Archived, ChangedMeanwhile, InputsUnbound
from postcall.actions.examples import EXAMPLES
from postcall.actions.hints import stands_for_the_sender
from postcall.actions.message import inputs_of
from postcall.actions.models import Action
from postcall.agents.models import Agent
from postcall.calls.finding import with_number
from postcall.calls.models import Call
from postcall.dashboard import drafts
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.comparing import compared
from postcall.dashboard.forms import Form
from postcall.dashboard.paging import uuid_or_none
from postcall.dashboard.verbs import actions as verbs
from postcall.dashboard.views.actions import cases, wording
from postcall.dashboard.views.actions.finding import ATTACHED, attached, found
from postcall.testbench.models import BenchRun

_LAST_CALLS: Final = 30
# By field of the form, how the button is called that puts other words into it.
_MENDS: Final = {"message": "text", "condition": "condition", "always": "always"}


@require_http_methods(["GET", "POST"])
@actor
def create(visit: Visit) -> HttpResponse:
    if visit.request.method != "POST":
        form = Form(wording.started(visit.request.GET.get("start", "")))
        return page(visit, None, form, unsaved=bool(form["message"]))
    form = Form.posted(visit.request)
    if (mended := _mended(visit, None, form)) is not None:
        return mended
    content = wording.content(form)
    if content is None:
        return page(visit, None, form, status=422)
    action = verbs.create(visit, content)
    flashes.success(visit.request, f"“{action.name}” is saved. Now choose the agents that use it.")
    return redirect(visit.to("action-agents", action.pk))


@require_http_methods(["GET", "POST"])
@member
def one(visit: Visit, action_id: UUID) -> HttpResponse:
    """The editor; for viewers, and where the action is archived, its words alone."""
    action = found(visit, action_id)
    if visit.request.method == "POST":
        if not visit.may_act:
            raise PermissionDenied
        return _save(visit, action)
    revision = action.revision
    assert revision is not None
    if not visit.may_act or action.deleted_at is not None:
        return _read_only(visit, action)
    number = visit.request.GET.get("revision", "")
    old = action.revisions.filter(number=int(number)).first() if re.fullmatch(r"[0-9]{1,9}", number) else None
    form = Form({**wording.written(action, old or revision), "agent": visit.request.GET.get("agent", "")})
    if (run := _backtest(visit, action)) is not None:
        form.typed |= {"condition": run.condition, "message": run.message, "always": "on" if run.always else ""}
    # A link of an agent's rules, which then decide alone.
    if wants_always := bool(visit.request.GET.get("always")) and not form.ticked("always"):
        form.typed["always"] = "on"
    return page(visit, action, form, unsaved=old is not None or run is not None or wants_always)


def _backtest(visit: Visit, action: Action) -> BenchRun | None:
    """The backtest whose words the address asks for."""
    known = uuid_or_none(visit.request.GET.get("backtest"))
    return visit.rows(BenchRun).filter(action=action, pk=known).first() if known else None


def _read_only(visit: Visit, action: Action) -> HttpResponse:
    revision = action.revision
    assert revision is not None
    draft = drafts.preview(visit, action, revision.message, revision.condition, always=revision.always)
    return visit.page(
        "actions/words.html",
        {**_about(action), "preview": draft, "urgency": wording.URGENCIES[revision.urgency]},
        place="actions",
    )


def _save(visit: Visit, action: Action) -> HttpResponse:
    form = Form.posted(visit.request)
    if (mended := _mended(visit, action, form)) is not None:
        return mended
    content = wording.content(form)
    if content is None:
        return page(visit, action, form, status=422)
    mend = wording.mend(form, inputs_of(content.message))
    if mend is None:
        return page(visit, action, form, status=422, lacking=_still_lacking(action, form))
    if (unseen := cases.must_be_seen(visit, action, form)) is not None:
        count = f"{unseen.total} case{'' if unseen.total == 1 else 's'}"
        form.refuse("", f"Look first at what its {count} come to with the new condition, then save again")
        return page(visit, action, form, status=422, to_be_seen=True)
    before = action.revision
    try:
        saved = verbs.save(visit, action, content, mend, wording.seen(form))
    except ChangedMeanwhile as refusal:
        return _both(visit, refusal.action, form)
    except InputsUnbound:
        form.refuse(
            "", "Agents that use it do not know where every input comes from; say so below, or switch them off"
        )
        # Also those that the form binds by now: what was typed of them stays.
        return page(visit, action, form, status=422, lacking=_still_lacking(action, form))
    except Archived:
        flashes.error(visit.request, "Somebody archived it meanwhile: restore it first. Nothing was saved.")
        return redirect(visit.to("action", action.pk))
    now = saved.revision
    assert now is not None
    fresh = f" as revision {now.number}" if before is None or now.pk != before.pk else ""
    flashes.success(visit.request, f"Saved{fresh}. Calls that were judged already keep the words that they had.")
    return redirect(visit.to("action", action.pk))


def _mended(visit: Visit, action: Action | None, form: Form) -> HttpResponse | None:
    """The page with what a button put right in the text, or found among the calls; None: no such button."""
    if form["find"]:
        return page(visit, action, form, unsaved=True)
    mends = {name: form[f"mend-{button}"] for name, button in _MENDS.items() if form[f"mend-{button}"]}
    if not mends:
        return None
    form.typed.update(mends)
    return page(visit, action, form, unsaved=True)


def _still_lacking(action: Action, form: Form) -> Mapping[Any, list[str]]:
    return editing.lacking(action, form["message"])


def _both(visit: Visit, present: Action, form: Form) -> HttpResponse:
    """What somebody else saved beside what was typed, which the next save puts in its place."""
    theirs = present.revision
    assert theirs is not None
    form.refuse("", "Somebody else saved this action meanwhile")
    form.typed["seen"] = present.updated_at.isoformat()
    mine = "After every connected call" if form.ticked("always") else form["condition"]
    when = "After every connected call" if theirs.always else theirs.condition
    conflict = {
        "number": theirs.number,
        "name": present.name,
        "condition": compared(when, mine),
        "message": compared(theirs.message, form["message"]),
    }
    return page(visit, found(visit, present.pk), form, status=409, conflict=conflict)


def page(visit: Visit, action: Action | None, form: Form, *, status: int = 200, **more: Any) -> HttpResponse:
    """The editor with what the form holds, saved or not."""
    draft = drafts.preview(visit, action, form["message"], form["condition"], always=form.ticked("always"))
    context = {
        **_about(action),
        **trying(visit, action, form),
        "form": form,
        "preview": draft,
        "urgencies": wording.URGENCIES,
        "lapses": wording.lapses(form["send_within_s"]),
        "origins": wording.ORIGINS,
        "examples": EXAMPLES,
        "unsaved": status != 200,
        "checked": cases.checked(action, form),
        "wanted": _wanted(form, more.get("lacking") or {}),
        **more,
    }
    return visit.page("actions/editor.html", context, place="actions", status=status)


def _wanted(form: Form, lacking: Mapping[Any, list[str]]) -> list[str]:
    """The inputs of which somebody has to say where they come from, with a first suggestion in the form."""
    names = list(dict.fromkeys(name for each in lacking.values() for name in each))
    for name in names:
        form.typed.setdefault(f"bind-{name}-from", "business" if stands_for_the_sender(name) else "ask")
        form.typed.setdefault(f"bind-{name}-value", name.replace("_", " "))
    form.typed["mend"] = form["mend"] or "bind"
    return names


def _about(action: Action | None) -> dict[str, Any]:
    if action is None:
        return {"action": None, "revision": None, "attachments": []}
    return {"action": action, "revision": action.revision, "attachments": attached(action)}


@require_POST
@actor
def preview(visit: Visit) -> HttpResponse:
    """What the phone will show of the words as they are typed; nothing is stored."""
    action = action_of(visit, visit.request.POST.get("action", ""))
    return visit.part(
        "actions/preview.html",
        {"preview": drafts.typed_preview(visit, action, visit.request.POST), "action": action},
    )


def action_of(visit: Visit, pk: str) -> Action | None:
    """The living action that a form is about; None: one that is not made yet."""
    rows = visit.rows(Action).filter(deleted_at=None).select_related("revision").prefetch_related(ATTACHED)
    return rows.filter(pk=known).first() if (known := uuid_or_none(pk)) else None


# Trying it.


@require_GET
@actor
def calls(visit: Visit) -> HttpResponse:
    """The last calls of a number, to choose one to try the words on."""
    form = Form({"number": visit.request.GET.get("number", "").strip()})
    return visit.part("actions/calls.html", {"calls": _calls(visit, form["number"], []), "form": form})


def trying(visit: Visit, action: Action | None, form: Form) -> dict[str, Any]:
    """What one may try the words on, and with whose inputs."""
    using = [attachment.agent for attachment in attached(action)] if action else []
    others = (
        visit.rows(Agent).filter(deleted_at=None).exclude(pk__in=[agent.pk for agent in using]).order_by("name")
    )
    return {
        "calls": _calls(visit, form["number"], using),
        "using": [(str(agent.pk), agent.name) for agent in using],
        "others": [(str(agent.pk), agent.name) for agent in others],
    }


def _calls(visit: Visit, number: str, using: Sequence[Agent]) -> list[Call]:
    """The last ones, of a number where one is given; else those of the agents that use the action come first."""
    with_words = visit.rows(Call).exclude(transcript=[]).select_related("agent").defer("transcript").order_by("-pk")
    if re.search(r"\d", number):
        return list(with_number(with_words, visit.workspace, number)[:_LAST_CALLS])
    theirs = list(with_words.filter(agent__in=using)[:_LAST_CALLS]) if using else []
    others = with_words.exclude(agent__in=using) if using else with_words
    return theirs + list(others[: _LAST_CALLS - len(theirs)])
