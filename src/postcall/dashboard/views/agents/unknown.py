"""Calls of agents that Postcall does not know: whose are they?"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages as flashes
from django.http import HttpResponse
from django.views.decorators.http import require_GET

from postcall.agents.editing import AgentContent, CannotEdit
from postcall.agents.models import Agent
from postcall.calls.unknown import UnknownAgent, is_unknown, unknown_agents
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.forms import Form
from postcall.dashboard.paging import uuid_or_none
from postcall.dashboard.posting import posted_from
from postcall.dashboard.verbs import agents as verbs
from postcall.dashboard.views.agents.setup import usual_content


@dataclass(frozen=True)
class Row:
    """`ids` are those of its fields on the page: the plain ones for the row that was refused."""

    unknown: UnknownAgent
    form: Form
    ids: dict[str, str]


@require_GET
@member
def every(visit: Visit) -> HttpResponse:
    return _page(visit, None)


def _page(visit: Visit, refused: Form | None) -> HttpResponse:
    """The page; `refused` stands in the row that it is about."""
    agents = visit.rows(Agent).filter(deleted_at=None).order_by("name")
    found = enumerate(unknown_agents(visit.workspace))
    return visit.page(
        "agents/unknown.html",
        {
            "rows": [_row(unknown, n, refused) for n, unknown in found],
            "agents": {"": "A new agent", **{str(each.pk): each.name for each in agents}},
            "form": refused,
        },
        place="agents",
        status=422 if refused else 200,
    )


def _row(unknown: UnknownAgent, n: int, refused: Form | None) -> Row:
    if refused and (refused["source"], refused["ref"]) == (unknown.source_kind, unknown.ref):
        return Row(unknown, refused, {"agent": "agent", "name": "name"})
    return Row(unknown, Form({"name": unknown.ref[:100]}), {"agent": f"agent-{n}", "name": f"name-{n}"})


@posted_from("unknown-agents")
@actor
def adopt(visit: Visit) -> HttpResponse:
    """`source` and `ref` as the platform names the agent; `agent` is the one it is, or empty for a new one of the
    name `name`; `follow_up`: calls of the last day are judged."""
    form = Form.posted(visit.request)
    if not is_unknown(visit.workspace, form["source"], form["ref"]):
        flashes.error(visit.request, "No call waits for this agent any more: somebody has said whose they are.")
        return visit.back(visit.to("unknown-agents"))
    meant = _meant(visit, form)
    if meant is None:
        return _page(visit, form)
    try:
        agent, calls = verbs.adopt(visit, form["source"], form["ref"], meant, follow_up=form.ticked("follow_up"))
    except CannotEdit as error:
        form.refuse_for(error, {"": "agent"})
        return _page(visit, form)
    told = "1 call is" if calls == 1 else f"{calls} calls are"
    to_come = ", and so is every call to come" if form["ref"] else ""
    flashes.success(visit.request, f"{told} {agent.name}’s now{to_come}.")
    return visit.back(visit.to("agent", agent.pk))


def _meant(visit: Visit, form: Form) -> Agent | AgentContent | None:
    if not form["agent"]:
        return form.checked(AgentContent, {**usual_content(visit.workspace), "name": form["name"]})
    living = visit.rows(Agent).filter(deleted_at=None)
    pk = uuid_or_none(form["agent"])
    agent = living.filter(pk=pk).first() if pk else None
    if agent is None:
        form.refuse("agent", "There is no such agent any more")
    return agent
