"""Making an agent, saying anew what it is, and deleting it."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final, get_args
from uuid import UUID
from zoneinfo import available_timezones

from babel import Locale
from django.contrib import messages as flashes
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.text import capfirst
from django.views.decorators.http import require_GET, require_POST

from postcall.agents.editing import AgentChanged, AgentContent, CannotEdit, SourceName, content_of
from postcall.agents.models import Agent
from postcall.dashboard.access import Visit, actor, member
from postcall.dashboard.forms import Form
from postcall.dashboard.posting import posted_from
from postcall.dashboard.verbs import agents as verbs
from postcall.dashboard.views.agents.tabs import agent_page, living_agent
from postcall.dashboard.views.agents.versions import last_to_change, refuse_overtaken, version_seen
from postcall.dashboard.words import platform
from postcall.sources.kinds import KINDS
from postcall.sources.payloads import API
from postcall.workspaces.models import DEFAULT_WORKSPACE, Workspace

_KINDS: Final = [kind for kind in get_args(SourceName) if kind == API or kind in KINDS]
_PLATFORMS: Final = {"": "Choose", **{kind: capfirst(platform(kind)) for kind in _KINDS}}
# Blank rows that stand ready where no script adds any.
SPARE_IDS: Final = 2
_ROW: Final = re.compile(r"external_ids\.(\d{1,3})\.(?:source|id)")
_LOCALES: Final = (
    "en-US", "en-GB", "en-CA", "en-AU", "es-US", "es-MX", "es-ES", "fr-FR", "fr-CA", "de-DE", "de-AT", "de-CH",
    "it-IT", "pt-BR", "pt-PT", "nl-NL", "sv-SE", "da-DK", "nb-NO", "fi-FI", "pl-PL", "cs-CZ", "tr-TR", "ja-JP",
    "ko-KR",
)  # fmt: skip


@require_GET
@actor
def new(visit: Visit) -> HttpResponse:
    return _new_page(visit, _as_typed(AgentContent.model_construct(name="", **usual_content(visit.workspace))))


@posted_from("agent-new")
@actor
def create(visit: Visit) -> HttpResponse:
    form = Form.posted(visit.request)
    content = _content(form)
    if content is None:
        return _new_page(visit, form)
    try:
        agent = verbs.create(visit, content)
    except CannotEdit as error:
        form.refuse_for(error, _fields(form))
        return _new_page(visit, form)
    flashes.success(visit.request, f"{agent.name} is made. The next step: say what follows after its calls.")
    return redirect(visit.to("agent-actions", agent.pk))


@require_GET
@member
def setup(visit: Visit, agent_id: UUID) -> HttpResponse:
    agent = living_agent(visit, agent_id)
    form = _as_typed(content_of(agent))
    form.typed["seen"] = agent.updated_at.isoformat()
    return _setup_page(visit, agent, form)


@posted_from("agent-setup", "agent_id")
@actor
def change(visit: Visit, agent_id: UUID) -> HttpResponse:
    agent = living_agent(visit, agent_id)
    form = Form.posted(visit.request)
    content = _content(form)
    if content is None:
        return _setup_page(visit, agent, form)
    try:
        verbs.change(visit, agent, content, version_seen(form))
    except AgentChanged as error:
        return _overtaken(visit, error.agent, form)
    except CannotEdit as error:
        form.refuse_for(error, _fields(form))
        return _setup_page(visit, agent, form)
    flashes.success(visit.request, "Saved. Calls from now on are followed up so.")
    return redirect(visit.to("agent-setup", agent.pk))


def _overtaken(visit: Visit, agent: Agent, form: Form) -> HttpResponse:
    who = last_to_change(visit, agent.pk)
    refuse_overtaken(form, who, agent.updated_at)
    return agent_page(visit, agent, "setup", {**_choices(form), "overtaken_by": who}, status=422)


@require_POST
@actor
def delete(visit: Visit, agent_id: UUID) -> HttpResponse:
    agent = living_agent(visit, agent_id)
    verbs.delete(visit, agent)
    flashes.success(visit.request, f"{agent.name} is deleted. Its calls and texts stay in the log.")
    return redirect(visit.to("agents"))


def usual_content(workspace: Workspace) -> dict[str, Any]:
    """What a further agent of the workspace most likely has in common with its latest; the first with its maker."""
    last = workspace.agents.filter(deleted_at=None).order_by("-created_at").first()
    if last is None:
        named = "" if workspace.name == DEFAULT_WORKSPACE else workspace.name
        zone = timezone.get_current_timezone_name()
        return {"timezone": zone, "locale": "en-US", "business_name": named, "external_ids": []}
    shared = {"timezone": last.timezone, "locale": last.locale, "business_name": last.business_name}
    return {**shared, "external_ids": []}


def _new_page(visit: Visit, form: Form) -> HttpResponse:
    return visit.page("agents/new.html", _choices(form), place="agents", status=200 if form.is_well else 422)


def _setup_page(visit: Visit, agent: Agent, form: Form) -> HttpResponse:
    return agent_page(visit, agent, "setup", _choices(form), status=200 if form.is_well else 422)


def _choices(form: Form) -> dict[str, Any]:
    rows = [{"source": f"external_ids.{n}.source", "id": f"external_ids.{n}.id"} for n in _rows(form)]
    return {
        "form": form,
        "id_rows": rows,
        "filled": len(_filled_rows(form)),
        "platforms": _PLATFORMS,
        "zones": _zones(),
        "locales": _locales(),
    }


@cache
def _zones() -> list[str]:
    named = (zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))
    return ["UTC", *sorted(named)]


@cache
def _locales() -> dict[str, str]:
    return {name: str(Locale.parse(name, sep="-").get_display_name("en")) for name in _LOCALES}


def _rows(form: Form) -> list[int]:
    """The numbers of the rows that ids are typed into, spare ones included."""
    used = sorted({int(found[1]) for name in form.typed if (found := _ROW.fullmatch(name)) and form[name]})
    last = max(used, default=-1)
    return list(range(last + 1 + SPARE_IDS))


def _as_typed(content: AgentContent) -> Form:
    sender = content.sender
    chosen = "workspace"
    if sender:
        chosen = "called" if sender.follow_agent_number else "number" if sender.from_number else "service"
    typed = {
        "name": content.name,
        "business_name": content.business_name,
        "timezone": content.timezone,
        "locale": content.locale,
        "sender": chosen,
        "from_number": (sender and sender.from_number) or "",
        "messaging_service_sid": (sender and sender.messaging_service_sid) or "",
    }
    for n, external in enumerate(content.external_ids):
        typed |= {f"external_ids.{n}.source": external.source, f"external_ids.{n}.id": external.id}
    return Form(typed)


def _content(form: Form) -> AgentContent | None:
    """What was typed, as the shape; None where something of it makes no sense, which the form then says."""
    _say_what_is_missing(form)
    content = form.checked(
        AgentContent,
        {
            **{name: form[name] for name in ("name", "business_name", "timezone", "locale")},
            "external_ids": [
                {"source": form[f"external_ids.{n}.source"], "id": form[f"external_ids.{n}.id"]}
                for n in _filled_rows(form)
            ],
            "sender": _sender(form),
        },
        _fields(form),
    )
    return content if form.is_well else None


def _say_what_is_missing(form: Form) -> None:
    if not form["name"]:
        form.refuse("name", "Give it a name, such as Front desk")
    if form["sender"] == "number" and not form["from_number"]:
        form.refuse("from_number", "Say which number, with its country code")
    if form["sender"] == "service" and not form["messaging_service_sid"]:
        form.refuse("messaging_service_sid", "Say which service; its SID starts with MG")
    elif form["sender"] == "service" and not re.fullmatch("MG[0-9a-fA-F]{32}", form["messaging_service_sid"]):
        form.refuse("messaging_service_sid", "A messaging service’s SID is MG and 32 digits or letters a to f")
    for n in _filled_rows(form):
        if not form[f"external_ids.{n}.source"]:
            form.refuse(f"external_ids.{n}.source", "Say which platform uses this id")


def _sender(form: Form) -> dict[str, Any] | None:
    match form["sender"]:
        case "number":
            return {"from_number": form["from_number"]}
        case "service":
            return {"messaging_service_sid": form["messaging_service_sid"]}
        case "called":
            return {"follow_agent_number": True}
    return None


def _filled_rows(form: Form) -> list[int]:
    return [n for n in _rows(form) if form[f"external_ids.{n}.id"]]


def _fields(form: Form) -> dict[str, str]:
    """By the path of the shape, the name on the page: blank rows count there and not here."""
    names = {"sender.from_number": "from_number", "sender.messaging_service_sid": "messaging_service_sid"}
    for position, n in enumerate(_filled_rows(form)):
        for part in ("source", "id"):
            names[f"external_ids.{position}.{part}"] = f"external_ids.{n}.{part}"
    first = next(iter(_filled_rows(form)), None)
    return names | ({} if first is None else {"external_ids": f"external_ids.{first}.id"})
