"""Better words for a condition, one click away in the editor."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from postcall.actions.models import Action, Attachment, Revision
from postcall.workspaces.models import Membership, Workspace

from .factories import an_action, an_agent

pytestmark = pytest.mark.django_db


@pytest.fixture
def booking(workspace: Workspace) -> Attachment:
    return an_action(an_agent(workspace))


def press(client: Client, workspace: Workspace, place: str, **typed: Any) -> str:
    return client.post(f"/w/{workspace.pk}/{place}", typed).content.decode()


def _typed(action: Action, **changed: str) -> dict[str, str]:
    return {"name": action.name, "message": "See you at Northgate Clinic", "condition": "good call"} | changed


def test_it_shows_better_words_beside_their_button(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    page = press(browser_client, workspace, "actions/preview", message="", condition="appointment")
    assert 'name="mend-condition" value="After the caller booked an appointment"' in page
    assert "<q>When the caller asked about an appointment</q>" in page


def test_it_puts_better_words_into_the_condition_without_script(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    typed = _typed(booking.action, name="Mine", **{"mend-condition": "When the caller asked for the price"})
    page = press(browser_client, workspace, f"actions/{booking.action_id}", **typed)
    assert "When the caller asked for the price</textarea>" in page
    assert 'value="Mine"' in page
    booking.action.refresh_from_db()
    assert booking.action.name != "Mine"


def test_it_switches_every_call_on_without_script(
    browser_client: Client, workspace: Workspace, booking: Attachment
) -> None:
    asked = press(browser_client, workspace, "actions/preview", message="", condition="after every call")
    assert 'name="mend-always" value="on"' in asked
    typed = _typed(booking.action, condition="after every call", **{"mend-always": "on"})
    page = press(browser_client, workspace, f"actions/{booking.action_id}", **typed)
    assert 'name="always" checked' in page


def test_it_offers_viewers_no_button(browser_client: Client, workspace: Workspace, booking: Attachment) -> None:
    Revision.objects.update(condition="good call")
    place = f"/w/{workspace.pk}/actions/{booking.action_id}"
    assert "mend-condition" in browser_client.get(place).content.decode()
    Membership.objects.update(role="viewer")
    assert "mend-condition" not in browser_client.get(place).content.decode()
