"""Connecting voice platforms, changing how, and disconnecting them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from postcall.dashboard.access import Visit
from postcall.sources import editing
from postcall.sources.editing import SourceContent
from postcall.sources.models import Source
from postcall.workspaces.audit import CHANGED, Changes, Thing


@transaction.atomic
def connect(visit: Visit, content: SourceContent, token: str | None) -> tuple[Source, dict[str, Any] | None]:
    """The source, and the `auth` that was made for it. Raises CannotEdit."""
    source, made = editing.create_source(visit.workspace, content, token)
    told: Changes = {"kind": [None, source.kind], "name": [None, source.name]}
    visit.record("create", _thing(source), {**told, **({"auth": CHANGED} if source.auth else {})})
    return source, made


@transaction.atomic
def rename(visit: Visit, source_id: UUID, name: str) -> Source:
    """Raises CannotEdit, and ValidationError for what is no name."""
    source = _locked(visit, source_id)
    before = source.name
    editing.update_source(source, SourceContent(kind=source.kind, name=name))
    visit.record("update", _thing(source), {"name": [before, source.name]})
    return source


@transaction.atomic
def replace_secret(
    visit: Visit, source_id: UUID, auth: dict[str, Any] | None
) -> tuple[Source, dict[str, Any] | None]:
    """Stores `auth`, or has Postcall make one where it is None, which is returned. Raises CannotEdit."""
    source = _locked(visit, source_id)
    made = None
    if auth is None:
        made = editing.renew_secret(source)
    else:
        editing.replace_secret(source, auth)
    visit.record("update", _thing(source), {"auth": CHANGED})
    return source, made


@transaction.atomic
def stop_previous(visit: Visit, source_id: UUID) -> Source:
    """Raises CannotEdit."""
    source = _locked(visit, source_id)
    editing.stop_previous(source)
    visit.record("update", _thing(source), {"previous_secret": [True, False]})
    return source


@transaction.atomic
def disconnect(visit: Visit, source_id: UUID) -> Source:
    source = _locked(visit, source_id)
    editing.delete_source(source)
    visit.record("delete", _thing(source))
    return source


def _locked(visit: Visit, source_id: UUID) -> Source:
    """Nobody else changes it until this transaction ends."""
    return visit.one(visit.rows(Source).filter(deleted_at=None).select_for_update(), source_id)


def _thing(source: Source) -> Thing:
    return Thing("source", source.pk, source.name)
