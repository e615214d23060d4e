"""Actions made from others: a duplicate beside its original, a new workspace from another's."""

from __future__ import annotations

from collections.abc import Collection
from itertools import count

from django.db import transaction

from postcall.actions.models import Action, Revision
from postcall.workspaces.models import Workspace

NAME_LENGTH = 100
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


@transaction.atomic
def duplicate(original: Action) -> Action:
    """A new action with the same words, attached to nobody."""
    taken = set(Action.objects.filter(workspace=original.workspace, deleted_at=None).values_list("name", flat=True))
    return _copy(original, original.workspace, _free_name(original.name, taken))


def _free_name(name: str, taken: Collection[str]) -> str:
    """`Reminder, copy`, then `Reminder, copy 2`, within what a name may be long."""
    for number in count(1):
        ending = ", copy" if number == 1 else f", copy {number}"
        if (free := name[: NAME_LENGTH - len(ending)].rstrip() + ending) not in taken:
            return free
    raise AssertionError  # numbers do not end


def _copy(original: Action, workspace: Workspace, name: str | None = None) -> Action:
    action = Action.objects.create(workspace=workspace, type=original.type, name=name or original.name)
    words = {field: getattr(original.revision, field) for field in REVISION_FIELDS}
    action.revision = Revision.objects.create(action=action, number=1, **words)
    action.save(update_fields=["revision"])
    return action
