"""The form of a backtest: which words, on which calls, and what that will take."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import ceil
from typing import Final

from django.utils import timezone

from postcall.actions.editing import ActionContent
from postcall.actions.models import Action
from postcall.agents.models import Agent
from postcall.config import CASCADE, config
from postcall.dashboard.access import Visit
from postcall.dashboard.forms import Form
from postcall.dashboard.paging import uuid_or_none
from postcall.dashboard.templatetags.postcall import money
from postcall.dashboard.views.actions import wording
from postcall.testbench.models import BenchRun
from postcall.testbench.runs import Words
from postcall.testbench.selecting import DEFAULT, MOST, Expected, Selection, agents_using

NEWEST: Final = {"25": "25 calls", "100": "100 calls", "500": "500 calls", "2000": "2,000 calls"}
ALL: Final = "all"
# What the form brings of the editor's, so that one can go back there with it.
KEPT: Final = ("name", "urgency", "send_within_s", "seen")
# What begins a run, from the step before it.
ASKED: Final = ("words", "condition", "always", "message", "agent", "span", "latest", "since", "until")
# Of the built-in judge for a call of usual length, on one core that has other things to do.
_BUILT_IN_S: Final = 0.1


def blank(action: Action) -> Form:
    """The form as it is before anybody types: the present words on the newest calls."""
    assert action.revision is not None
    words = wording.written(action, action.revision)
    today = timezone.localdate()
    week = {"since": (today - timedelta(days=6)).isoformat(), "until": today.isoformat()}
    return Form({**words, **week, "words": "saved", "agent": "", "span": "newest", "latest": str(DEFAULT)})


def from_editor(action: Action, posted: Form) -> Form:
    """The form with the words as they are typed in the editor."""
    form = blank(action)
    typed = {name: posted[name] for name in ("condition", "always", "message", *KEPT)}
    form.typed |= typed
    assert action.revision is not None
    if _typed_words(form) != Words.of(action.revision):
        form.typed["words"] = "other"
    return form


def _typed_words(form: Form) -> Words:
    always = form.ticked("always")
    return Words("" if always else form["condition"], form["message"], always)


def words_of(action: Action, form: Form) -> Words | None:
    """The words to try; None where they make no action, with the problems noted."""
    assert action.revision is not None
    if form["words"] != "other":
        return Words.of(action.revision)
    always = form.ticked("always")
    if not form["condition"] and not always:
        form.refuse("condition", "Say when it goes out, or switch on “After every connected call”")
    if not form["message"]:
        form.refuse("message", "Write the text that would go out")
    if not form.is_well:
        return None
    data = {
        "name": action.name,
        "message": form["message"],
        "condition": None if always else form["condition"],
        "always": always,
    }
    made = form.checked(ActionContent, data, {"": "condition"})
    return Words(made.condition or "", made.message, made.always) if made else None


def selection_of(visit: Visit, form: Form) -> Selection | None:
    """The calls to try them on; None where it does not say, with the problems noted."""
    agent = _agent(visit, form)
    all_agents = form["agent"] == ALL
    if form["span"] != "days":
        if form["latest"] not in NEWEST:
            form.refuse("latest", "Choose how many calls")
            return None
        return Selection(agent, latest=int(form["latest"]), all_agents=all_agents) if form.is_well else None
    since, until = _day(form, "since"), _day(form, "until")
    if since and until and since > until:
        form.refuse("since", "The first day comes after the last one")
    if not form.is_well or since is None or until is None:
        return None
    return Selection(agent, _midnight(since), _midnight(until + timedelta(days=1)), MOST, all_agents)


def _agent(visit: Visit, form: Form) -> Agent | None:
    if form["agent"] in ("", ALL):
        return None
    known = uuid_or_none(form["agent"])
    agent = visit.rows(Agent).filter(pk=known).first() if known else None
    if agent is None:
        form.refuse("agent", "Choose an agent that there is")
    return agent


def _day(form: Form, name: str) -> date | None:
    try:
        found = date.fromisoformat(form[name])
    except ValueError:
        form.refuse(name, f"Choose the {'first' if name == 'since' else 'last'} day, such as 2026-03-31")
        return None
    if not 2000 <= found.year <= 9000:
        form.refuse(name, "A day of this century is needed")
        return None
    return found


def _midnight(day: date) -> datetime:
    """In the reader's zone."""
    return timezone.make_aware(datetime.combine(day, time()))


def agents_to_choose(visit: Visit, action: Action) -> dict[str, str]:
    using = len(agents_using(action))
    those = f"The agents that use it ({using})" if using else "All agents"
    living = visit.rows(Agent).filter(deleted_at=None).order_by("name")
    everybody = {ALL: "All agents"} if using else {}
    return {"": those, **everybody, **{str(agent.pk): agent.name for agent in living}}


def takes(expected: Expected, wordings: int) -> str:
    """What asking about the calls takes, as a sentence has it. `wordings`: how many conditions each is asked."""
    calls = f"{expected.calls:,} call{'' if expected.calls == 1 else 's'}"
    model = config().judge_model
    if expected.tokens is None:
        return f"{calls}, no cost, about {_spell(expected.calls * wordings * _BUILT_IN_S)} with the built-in judge"
    tokens = f"{calls}, {'at most' if model.startswith(CASCADE) else 'about'} {_round(expected.tokens):,} tokens"
    return f"{tokens}, {_cost(expected.cost)} with {model}"


def _cost(cost: Decimal | None) -> str:
    if cost is None:
        return "at a price that Postcall does not know,"
    return f"about {money(max(round(cost, 2), Decimal('0.01')), 'USD')}"


def _round(tokens: int) -> int:
    """To two digits: it is a guess."""
    digits = max(0, len(str(tokens)) - 2)
    return round(tokens, -digits)


def _spell(seconds: float) -> str:
    if seconds < 90:
        whole = max(5, ceil(seconds / 5) * 5)
        return f"{whole} seconds"
    return f"{ceil(seconds / 60)} minutes"


def calls_of(run: BenchRun) -> str:
    """Which calls were asked for, as a sentence has it."""
    if run.agent is not None:
        whose = run.agent.name
    else:
        whose = "all agents" if run.all_agents else "the agents that use it"
    if run.since and run.until:
        first, last = timezone.localtime(run.since), timezone.localtime(run.until) - timedelta(days=1)
        return f"calls of {whose}, {first:%-d %b %Y} to {last:%-d %b %Y}"
    return f"the newest {run.latest or run.total:,} calls of {whose}"
