"""Connecting voice platforms, changing how, and disconnecting them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError

from postcall.agents.editing import Invalid, Name
from postcall.config import config
from postcall.shapes import Strict
from postcall.sources.kind import SourceKind
from postcall.sources.kinds import KINDS
from postcall.sources.models import Source
from postcall.sources.reading import errors_of
from postcall.work import clock
from postcall.workspaces.models import Workspace


class SourceContent(Strict):
    """What one says of a source."""

    kind: str = Field(max_length=20, examples=["generic"])
    name: Name = Field(examples=["Front desk"])
    auth: dict[str, Any] | None = Field(
        default=None,
        description='In the shape of the kind, such as {"secret": "whsec_…"}; never returned. Left out: Postcall '
        "makes a secret where the platform takes one and returns it this once; a change keeps what was.",
        examples=[None],
    )


def kind_of(name: str) -> SourceKind:
    """Raises Invalid, listing the kinds, when there is none of this name."""
    if kind := KINDS.get(name):
        return kind
    raise Invalid(f"there is no source of the kind “{name}”; there are: {', '.join(sorted(KINDS))}", "kind")


def create_source(
    workspace: Workspace, content: SourceContent, token: str | None = None
) -> tuple[Source, dict[str, Any] | None]:
    """The source, and the `auth` that was made for it where none was given: shown once, never again.

    `token`: one of `new_token` by which its address was told before."""
    kind = kind_of(content.kind)
    given = _checked(kind, content.auth) if content.auth is not None else None
    made = kind.new_auth() if given is None else None
    if kind.auth is not None and given is None and made is None:
        raise Invalid(f"a {kind.name} source needs its `auth`: the platform signs what it sends", "auth")
    source = Source(workspace=workspace, kind=kind.name, name=content.name, auth=_stored(given or made))
    if token is not None:
        source.token = token
    source.save(force_insert=True)
    return source, made


def update_source(source: Source, content: SourceContent) -> Source:
    """A new secret makes the present one the previous, which is accepted too until `previous` is set to null."""
    if content.kind != source.kind:
        raise Invalid("a source keeps its kind: make another source for the other platform", "kind")
    source.name = content.name
    if content.auth is not None:
        source.auth_stored_at = clock.now()
        source.auth = _stored(_rotated(kind_of(source.kind), auth_of(source), content.auth))
    source.save(update_fields=["name", "auth", "auth_stored_at", "updated_at"])
    return source


def renew_secret(source: Source) -> dict[str, Any]:
    """Has Postcall make another secret; returns the new `auth`, which is shown this once. The present one becomes
    the previous. Raises Invalid where the platform makes its own."""
    made = kind_of(source.kind).new_auth()
    if made is None:
        raise Invalid("this platform makes its secret itself: copy it from there", "auth")
    replace_secret(source, made)
    return made


def replace_secret(source: Source, typed: dict[str, Any]) -> None:
    """Stores what was entered for what `wanted_of` lists; whatever else the kind's `auth` holds, such as how a
    platform was told to sign, stays."""
    kind = kind_of(source.kind)
    asked = {"previous", *(each.name for each in wanted_of(kind))}
    kept = {name: value for name, value in auth_of(source).items() if name not in asked}
    update_source(source, SourceContent(kind=source.kind, name=source.name, auth={**kept, **typed}))


def stop_previous(source: Source) -> None:
    """Accepts the present secret alone."""
    alone = auth_of(source) | {"previous": None}
    content = SourceContent(kind=source.kind, name=source.name, auth=alone)
    stored_at = source.auth_stored_at
    update_source(source, content)
    source.auth_stored_at = stored_at
    source.save(update_fields=["auth_stored_at"])


@dataclass(frozen=True)
class Wanted:
    """Something that the operator enters to connect a platform, from its `auth`."""

    name: str
    title: str
    hint: str
    required: bool


def wanted_of(kind: SourceKind) -> list[Wanted]:
    """What a kind needs from the operator; where Postcall can make it, nothing is required."""
    if kind.auth is None:
        return []
    is_ours = kind.new_auth() is not None
    return [
        Wanted(
            name,
            field.title or name.replace("_", " ").capitalize(),
            field.description or "",
            field.is_required() and not is_ours,
        )
        for name, field in kind.auth.model_fields.items()
        if name != "previous" and field.annotation in (str, str | None)
    ]


def delete_source(source: Source) -> None:
    """Its address is gone, its calls stay."""
    source.deleted_at = clock.now()
    source.save(update_fields=["deleted_at", "updated_at"])


def address_of(source: Source) -> str:
    """Where the platform has to send its webhooks."""
    return address_with(source.kind, source.token)


def address_with(kind: str, token: str) -> str:
    return f"{config().base_url}/in/{kind}/{token}"


def auth_of(source: Source) -> dict[str, Any]:
    """The source's `auth`; empty: its deliveries are not verified."""
    return json.loads(source.auth) if source.auth else {}


def _checked(kind: SourceKind, auth: dict[str, Any]) -> dict[str, Any]:
    if kind.auth is None:
        raise Invalid(f"{kind.name} does not sign what it sends: leave `auth` out", "auth")
    try:
        return kind.auth.model_validate(auth).model_dump(mode="json", exclude_none=True)
    except ValidationError as error:
        path, said = errors_of(error)[0]
        raise Invalid(said, ".".join(filter(None, ("auth", path)))) from None


def _rotated(kind: SourceKind, present: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    checked = _checked(kind, asked)
    if kind.auth is None or "previous" in asked or not present:
        return checked
    older = kind.auth.model_validate(present).renewable()
    if older == kind.auth.model_validate(checked).renewable():
        older = present.get("previous")
    return checked | ({"previous": older} if older else {})


def _stored(auth: dict[str, Any] | None) -> str:
    return json.dumps(auth) if auth else ""
