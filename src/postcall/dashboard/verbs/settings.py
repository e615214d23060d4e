"""Changing what a workspace sends by, and under which rules."""

from __future__ import annotations

from django.db import transaction

from postcall.dashboard.access import Visit
from postcall.keeping.retention import RetentionContent, set_retention
from postcall.messages.accounts import sending_account
from postcall.messages.editing import SendingContent, TwilioContent, sending_rules, set_sending_rules
from postcall.messages.editing import choose_account as use_account
from postcall.messages.recheck import Rechecked
from postcall.messages.recheck import recheck as check_again
from postcall.workspaces.audit import CHANGED, Thing, difference
from postcall.workspaces.models import Workspace
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


@transaction.atomic
def choose_account(visit: Visit, content: TwilioContent) -> None:
    """Raises CannotEdit."""
    workspace = locked(visit.workspace)
    before = _account(workspace)
    use_account(workspace, content)
    secrets = {name: CHANGED for name in ("auth_token", "api_key_secret") if getattr(content, name) is not None}
    visit.record("update", Thing("twilio"), difference(before, _account(workspace)) | secrets)


def _account(workspace: Workspace) -> dict[str, str | None]:
    sending = sending_account(workspace.pk)
    if sending is None:
        return {"use": None}
    shown = ("account_sid", "api_key_sid", "from_number", "messaging_service_sid")
    told = {name: getattr(sending.account, name) for name in shown if getattr(sending.account, name)}
    return {"use": sending.account.kind, **told}


@transaction.atomic
def change_retention(visit: Visit, content: RetentionContent) -> None:
    workspace = locked(visit.workspace)
    before = workspace.retention_days
    set_retention(workspace, content)
    visit.record("update", Thing("retention"), {"days": [before, content.days]})


@transaction.atomic
def ask_judge(visit: Visit, judge: str, *, answered: bool) -> None:
    """Notes that the judge was asked a question of our own, which may have cost something."""
    visit.record("ask", Thing("judge", name=judge), {"answered": [None, answered]})
