"""The voice platforms from which calls come in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages as flashes
from django.db.models import Max
from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_POST

from postcall.agents.editing import CannotEdit
from postcall.config import config
from postcall.dashboard.access import Visit, member, owner
from postcall.dashboard.forms import Form
from postcall.dashboard.sealed import seal, show_once, take_once, unseal
from postcall.dashboard.verbs import platforms as verbs
from postcall.sources.editing import SourceContent, Wanted, address_of, address_with, auth_of, wanted_of
from postcall.sources.kind import SourceKind
from postcall.sources.kinds import KINDS
from postcall.sources.models import RefusedDelivery, Source, new_token
from postcall.sources.refused import refused_lately
from postcall.workspaces.models import ApiKey

REFUSALS_SHOWN = 5
# In a session: by workspace and kind, what the address of a platform will be that is being connected.
_BEGUN: Final = "platforms_begun"
_OWN_CODE: Final = "generic"


@dataclass(frozen=True)
class Card:
    """One source as its card shows it. `address` empty: the reader may not know it. `asked`: what is entered for
    another secret, each with what was typed for it in a form that was refused, sealed. `made`: what is secret and
    of our making, each with its title, shown this once."""

    source: Source
    kind: SourceKind | None
    address: str
    is_signed: bool
    has_previous: bool
    refused: Sequence[RefusedDelivery]
    asked: Sequence[tuple[Wanted, str]]
    made: Sequence[tuple[str, str]] = ()
    form: Form | None = None

    @property
    def id(self) -> str:
        return str(self.source.pk)

    @property
    def signs(self) -> bool:
        return self.kind is not None and self.kind.auth is not None

    @property
    def is_ours(self) -> bool:
        """Whether Postcall can make the secret."""
        return self.kind is not None and self.kind.new_auth() is not None

    @property
    def stored_at(self) -> datetime:
        return self.source.auth_stored_at or self.source.created_at

    @property
    def is_refusing(self) -> bool:
        """Whether the last thing heard of it was refused."""
        received, refused = self.source.last_received_at, self.source.last_rejected_at
        return refused is not None and (received is None or refused > received)

    @property
    def seen(self) -> str:
        """Changes once there is something new to show."""
        received = self.source.last_received_at
        return f"{received.timestamp() if received else 0:.0f}-{self.source.rejected_count}"


@dataclass(frozen=True)
class Choice:
    """A platform that can be connected, and in a line what that takes."""

    kind: SourceKind
    needs: str


def _choices() -> list[Choice]:
    """By their titles; what is no platform comes last."""
    kinds = sorted(KINDS.values(), key=lambda kind: (kind.name == _OWN_CODE, kind.title.lower()))
    return [Choice(kind, _needs(kind)) for kind in kinds]


def _needs(kind: SourceKind) -> str:
    if kind.auth is None:
        return "It signs nothing: the address alone lets calls in"
    if kind.new_auth() is not None:
        return "Postcall makes its secret"
    titles = [each.title for each in wanted_of(kind) if each.required]
    return f"You need its {' and its '.join(_as_noun(title) for title in titles)}"


def _as_noun(title: str) -> str:
    """A title within a sentence; names such as API keep their capitals."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


@dataclass(frozen=True)
class Adding:
    """A platform that is being connected. Its address is told before, since some want it first; `sealed` carries
    that through the form."""

    kind: SourceKind
    address: str
    sealed: str

    @property
    def is_ours(self) -> bool:
        return self.kind.new_auth() is not None


def _adding(visit: Visit, kind: SourceKind, token: str | None = None) -> Adding:
    """The address stays the same, however often this browser asks, until the platform is connected."""
    kept = visit.request.session.get(_BEGUN, {})
    place = f"{visit.workspace.pk} {kind.name}"
    token = token or unseal(visit.workspace, kept.get(place, "")) or new_token()
    sealed = seal(visit.workspace, token)
    visit.request.session[_BEGUN] = {**kept, place: sealed}
    return Adding(kind, address_with(kind.name, token), sealed)


def _begun_no_more(visit: Visit, kind: SourceKind) -> None:
    kept = visit.request.session.get(_BEGUN, {})
    place = f"{visit.workspace.pk} {kind.name}"
    visit.request.session[_BEGUN] = {name: sealed for name, sealed in kept.items() if name != place}


@require_GET
@member
def platforms(visit: Visit) -> HttpResponse:
    kind = KINDS.get(visit.request.GET.get("add", "")) if visit.is_owner else None
    adding = _adding(visit, kind) if kind else None
    return _page(visit, adding=adding, form=Form({"name": kind.title if kind else ""}))


def _page(
    visit: Visit, *, adding: Adding | None = None, form: Form | None = None, changing: UUID | None = None
) -> HttpResponse:
    """`form` is that of the platform that is added, or of the source `changing`."""
    sources = visit.rows(Source).filter(deleted_at=None).order_by("created_at")
    key_used = visit.rows(ApiKey).exclude(scope=ApiKey.Scope.READ).filter(revoked_at=None)
    return visit.page(
        "settings/platforms.html",
        {
            "tab": "platforms",
            "cards": [
                _card(visit, source, form if source.pk == changing else None, _made(visit, source))
                for source in sources
            ],
            "choices": _choices(),
            "adding": adding,
            "asked": _asked(visit, adding.kind if adding else None, form),
            "form": form,
            "calls_url": f"{config().base_url}/api/v1/calls",
            "key_used_at": key_used.aggregate(at=Max("last_used_at"))["at"],
            "has_key": key_used.exists(),
        },
        place="settings",
        status=200 if form is None or form.is_well else 422,
    )


def _asked(visit: Visit, kind: SourceKind | None, form: Form | None) -> list[tuple[Wanted, str]]:
    typed = form or Form()
    return [
        (each, seal(visit.workspace, typed[each.name]) if typed[each.name] else "")
        for each in (wanted_of(kind) if kind else ())
    ]


def _made(visit: Visit, source: Source) -> list[tuple[str, str]]:
    """Taken by a whole page alone: what merely looks for news must not use up what is shown once."""
    kept = take_once(visit.request, visit.workspace, str(source.pk)) if visit.is_owner else ""
    return [(title, value) for title, value in json.loads(kept)] if kept else []


def _card(visit: Visit, source: Source, form: Form | None = None, made: Sequence[tuple[str, str]] = ()) -> Card:
    auth = auth_of(source)
    # Who knows the address of a source that does not sign may put calls in.
    tells = bool(auth) or visit.may_act
    kind = KINDS.get(source.kind)
    return Card(
        source,
        kind,
        address_of(source) if tells else "",
        bool(auth),
        "previous" in auth,
        refused_lately(source, REFUSALS_SHOWN),
        _asked(visit, kind, form),
        made,
        form,
    )


@require_GET
@member
def live(visit: Visit, source_id: UUID) -> HttpResponse:
    """How a source stands, if that is something else than what the page shows by now (`seen`)."""
    source = visit.one(visit.rows(Source).filter(deleted_at=None), source_id)
    card = _card(visit, source)
    if card.seen == visit.request.GET.get("seen"):
        return HttpResponse(status=204)
    return visit.part("settings/platform_moved.html", {"card": card})


@require_POST
@owner
def connect(visit: Visit) -> HttpResponse:
    """Adds a platform; a secret that was made for it is shown on the next page, once."""
    form = Form.posted(visit.request)
    kind = KINDS.get(form["kind"])
    if kind is None:
        form.refuse("kind", "Choose a platform")
        return _page(visit, form=form)
    token = unseal(visit.workspace, form["token_sealed"]) or None
    if token and (twice := visit.rows(Source).filter(token=token, deleted_at=None).first()):
        return visit.back(_to(visit, twice))
    auth = _typed_auth(visit, form, kind)
    _refuse_missing(form, kind, auth)
    content = form.checked(SourceContent, {"kind": kind.name, "name": form["name"], "auth": auth or None})
    if content is None or not form.is_well:
        return _page(visit, adding=_adding(visit, kind, token), form=form)
    try:
        source, made = verbs.connect(visit, content, token)
    except CannotEdit as error:
        _refuse_auth(form, error)
        return _page(visit, adding=_adding(visit, kind, token), form=form)
    _begun_no_more(visit, kind)
    _keep(visit, source, made)
    flashes.success(visit.request, f"{source.name} is connected. It shows here when the first call comes in.")
    return visit.back(_to(visit, source))


@require_POST
@owner
def rename(visit: Visit, source_id: UUID) -> HttpResponse:
    source = _source(visit, source_id)
    form = Form.posted(visit.request)
    if form.checked(SourceContent, {"kind": source.kind, "name": form["name"]}) is None:
        return _page(visit, form=form, changing=source.pk)
    verbs.rename(visit, source_id, form["name"])
    flashes.success(visit.request, "Renamed.")
    return visit.back(_to(visit, source))


@require_POST
@owner
def replace_secret(visit: Visit, source_id: UUID) -> HttpResponse:
    """Stores the secret that was typed, or makes one where the button asks for it."""
    source = _source(visit, source_id)
    form = Form.posted(visit.request)
    kind = KINDS.get(source.kind)
    auth = _typed_auth(visit, form, kind) if kind else {}
    if not form.ticked("make") and not auth:
        form.refuse("secret", "Paste the secret, or have one made where that is offered")
        return _page(visit, form=form, changing=source.pk)
    try:
        _, made = verbs.replace_secret(visit, source_id, None if form.ticked("make") else auth)
    except CannotEdit as error:
        _refuse_auth(form, error)
        return _page(visit, form=form, changing=source.pk)
    _keep(visit, source, made)
    flashes.success(visit.request, "The new secret is stored. The one before it is accepted too until you stop it.")
    return visit.back(_to(visit, source))


@require_POST
@owner
def stop_previous(visit: Visit, source_id: UUID) -> HttpResponse:
    try:
        source = verbs.stop_previous(visit, source_id)
    except CannotEdit as error:
        flashes.error(visit.request, f"Nothing was stopped: {error}.")
        return visit.back(visit.to("settings-platforms"))
    flashes.success(visit.request, "Only the present secret is accepted from now on.")
    return visit.back(_to(visit, source))


@require_POST
@owner
def disconnect(visit: Visit, source_id: UUID) -> HttpResponse:
    source = verbs.disconnect(visit, source_id)
    flashes.success(visit.request, f"{source.name} is disconnected. Its calls stay.")
    return visit.back(visit.to("settings-platforms"))


def _source(visit: Visit, source_id: UUID) -> Source:
    return visit.one(visit.rows(Source).filter(deleted_at=None), source_id)


def _to(visit: Visit, source: Source) -> str:
    return f"{visit.to('settings-platforms')}#source-{source.pk}"


def _typed_auth(visit: Visit, form: Form, kind: SourceKind) -> dict[str, Any]:
    for each in wanted_of(kind):
        if not form[each.name] and (before := unseal(visit.workspace, form[f"{each.name}_sealed"])):
            form.typed[each.name] = before
    return {each.name: form[each.name] for each in wanted_of(kind) if form[each.name]}


def _refuse_missing(form: Form, kind: SourceKind, auth: dict[str, Any]) -> None:
    for each in wanted_of(kind):
        if each.required and each.name not in auth:
            form.refuse(each.name, f"{each.title} is needed: {kind.title} signs what it sends")


def _refuse_auth(form: Form, error: CannotEdit) -> None:
    field = error.field.removeprefix("auth").removeprefix(".")
    form.refuse(field if field in form.typed else "", str(error))


def _keep(visit: Visit, source: Source, made: dict[str, Any] | None) -> None:
    kind = KINDS.get(source.kind)
    if made and kind:
        titles = {each.name: each.title for each in wanted_of(kind)}
        told = [(titles[name], str(value)) for name, value in made.items() if name in titles]
        show_once(visit.request, visit.workspace, str(source.pk), json.dumps(told))
