"""A new workspace from another's actions."""

from __future__ import annotations

from django.db import transaction

from postcall.actions.models import Action, Revision
from postcall.workspaces.models import Workspace

SENDING_RULES = (
    "window_start",
    "window_end",
    "valid_for_s",
    "max_per_number_per_day",
    "max_messages_per_day",
    "countries",
    "unconfirmed",
    "retention_days",
)
REVISION_FIELDS = ("message", "condition", "always", "urgency", "send_within_s", "inputs")


@transaction.atomic
def create_workspace(name: str, source: Workspace | None) -> tuple[Workspace, int]:
    """Makes a workspace, with `source`'s actions and sending rules where one is given; never its secrets, agents
    or calls. Returns it and how many actions it got."""
    rules = {field: getattr(source, field) for field in SENDING_RULES} if source else {}
    made = Workspace.objects.create(name=name, **rules)
    if source is None:
        return made, 0
    originals = Action.objects.filter(workspace=source, deleted_at=None).select_related("revision").order_by("id")
    for original in originals:
        _copy(original, made)
    return made, len(originals)


def _copy(original: Action, workspace: Workspace) -> None:
    action = Action.objects.create(workspace=workspace, type=original.type, name=original.name)
    words = {field: getattr(original.revision, field) for field in REVISION_FIELDS}
    action.revision = Revision.objects.create(action=action, number=1, **words)
    action.save(update_fields=["revision"])
