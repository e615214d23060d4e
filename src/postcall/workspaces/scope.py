"""The one way in which the doors (api, dashboard) reach what a workspace owns."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from postcall.workspaces.models import User, Workspace

Row = TypeVar("Row", bound=Model)


def within(workspace: Workspace | UUID, model: type[Row]) -> QuerySet[Row]:
    """The workspace's rows of `model`, which has a `workspace`; nobody else's, whatever is filtered afterwards."""
    owner = workspace if isinstance(workspace, UUID) else workspace.pk
    return model._default_manager.filter(workspace_id=owner)


def locked(workspace: Workspace) -> Workspace:
    """The workspace as it stands now; nobody else changes its settings until this transaction ends."""
    return Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)


def open_to(person: User, model: type[Row]) -> QuerySet[Row]:
    """The rows of every workspace that the person is a member of."""
    return model._default_manager.filter(workspace__memberships__user=person.pk)
