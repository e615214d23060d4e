"""Changing what a workspace sends by, and under which rules."""

from __future__ import annotations

from django.db import transaction

from postcall.dashboard.access import Visit
from postcall.messages.editing import SendingContent, sending_rules, set_sending_rules
from postcall.messages.recheck import Rechecked
from postcall.messages.recheck import recheck as check_again
from postcall.workspaces.audit import Thing, difference
from postcall.workspaces.scope import locked


def recheck(visit: Visit) -> Rechecked:
    """Raises CannotRecheck."""
    return check_again(
        visit.workspace.pk,
        lambda found: visit.record("recheck", Thing("twilio"), {"well": [None, found.well]}),
    )


@transaction.atomic
def change_rules(visit: Visit, content: SendingContent) -> None:
    workspace = locked(visit.workspace)
    before = sending_rules(workspace).model_dump()
    set_sending_rules(workspace, content)
    visit.record("update", Thing("sending"), difference(before, sending_rules(workspace).model_dump()))
