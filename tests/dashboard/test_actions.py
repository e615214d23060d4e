"""The list of actions, the editor, its history, and the agents that use them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from postcall.actions.models import Action, Attachment
from postcall.workspaces.models import AuditEntry, Membership, Workspace

from .factories import MESSAGE, a_call, a_follow_up, a_member, a_message, a_workspace, an_action, an_agent

pytestmark = pytest.mark.django_db
WORDS = {
    "name": "Thanks",
    "condition": "After scheduling an appointment",
    "message": "Thanks, <customer_name>! Northgate Clinic",
    "urgency": "now",
    "send_within_s": "86400",
}


def shown(client: Client, workspace: Workspace, place: str = "actions") -> str:
    answer = client.get(f"/w/{workspace.pk}/{place}")
    assert answer.status_code == 200
    return answer.content.decode()


def press(client: Client, workspace: Workspace, place: str, **typed: Any) -> Any:
    return client.post(f"/w/{workspace.pk}/{place}", typed)


def words_of(action: Action, **changed: str) -> dict[str, str]:
    action.refresh_from_db()
    return {**WORDS, "name": action.name, "message": MESSAGE, "seen": action.updated_at.isoformat(), **changed}


# Creating.


def test_it_creates_an_action_and_leads_to_its_agents(browser_client: Client, workspace: Workspace) -> None:
    answer = press(browser_client, workspace, "actions/create", **WORDS)
    action = Action.objects.get()
    assert answer["Location"] == f"/w/{workspace.pk}/actions/{action.pk}/agents"
    assert action.revision is not None
    assert (action.revision.inputs, action.revision.always) == (["customer_name"], False)


def test_it_starts_from_an_example(browser_client: Client, workspace: Workspace) -> None:
    assert "actions/create?start=booking" in shown(browser_client, workspace)
    page = shown(browser_client, workspace, "actions/create?start=booking")
    assert "After scheduling an appointment</textarea>" in page
    assert not Action.objects.exists()


def test_it_keeps_what_was_typed_where_it_is_refused(browser_client: Client, workspace: Workspace) -> None:
    answer = press(browser_client, workspace, "actions/create", **{**WORDS, "condition": "", "name": ""})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="name-error"' in page
    assert 'id="condition-error"' in page
    assert "Thanks, &lt;customer_name&gt;! Northgate Clinic" in page
    assert not Action.objects.exists()


def test_it_takes_every_call_in_place_of_a_condition(browser_client: Client, workspace: Workspace) -> None:
    press(browser_client, workspace, "actions/create", **{**WORDS, "condition": "", "always": "on"})
    revision = Action.objects.get().revision
    assert revision is not None
    assert (revision.always, revision.condition) == (True, "")
