"""Under which rules texts leave: as they stand, saved, and refused without losing a word."""

from __future__ import annotations

import re
from datetime import time
from typing import Any

import pytest
from django.test import Client

from postcall.workspaces.models import Membership, Workspace

from .factories import a_member

pytestmark = pytest.mark.django_db


def shown(client: Client, workspace: Workspace) -> str:
    return client.get(f"/w/{workspace.pk}/settings/rules").content.decode()


RULES = {
    "window_start": "08:30", "window_end": "19:00", "max_per_number_per_day": "2", "max_messages_per_day": "",
    "countries": "us, CA", "valid_for_minutes": "90", "unconfirmed": "hold",
}  # fmt: skip


def save(client: Client, workspace: Workspace, **changed: str) -> Any:
    return client.post(f"/w/{workspace.pk}/settings/rules/save", RULES | changed, follow=True)


def test_it_saves_the_rules(browser_client: Client, workspace: Workspace) -> None:
    page = save(browser_client, workspace)
    workspace.refresh_from_db()
    assert (workspace.window_start, workspace.window_end) == (time(8, 30), time(19))
    assert (workspace.max_per_number_per_day, workspace.max_messages_per_day) == (2, None)
    assert (workspace.countries, workspace.valid_for_s, workspace.unconfirmed) == (["US", "CA"], 5400, "hold")
    assert 'value="US, CA"' in page.content.decode()


def test_empty_fields_set_no_limit(browser_client: Client, workspace: Workspace) -> None:
    save(browser_client, workspace, window_start="", window_end="", countries="", max_per_number_per_day="")
    workspace.refresh_from_db()
    assert (workspace.window_start, workspace.countries, workspace.max_per_number_per_day) == (None, None, None)


@pytest.mark.parametrize("seconds", [60, 90, 100, 3600, 86_399])
def test_it_can_be_saved_as_it_was_shown(browser_client: Client, workspace: Workspace, seconds: int) -> None:
    workspace.valid_for_s = seconds
    workspace.save()
    (minutes,) = re.findall(r'name="valid_for_minutes" value="([^"]*)"', shown(browser_client, workspace))
    assert save(browser_client, workspace, valid_for_minutes=minutes).status_code == 200
    workspace.refresh_from_db()
    assert workspace.valid_for_s == seconds


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("window_start", "", "Hours, from"),
        ("window_end", "08:30", "Hours: start and end are the same"),
        ("max_per_number_per_day", "many", "Texts to a number a day"),
        ("max_messages_per_day", "0", "Texts a day"),
        ("countries", "US, Atlantis", "countries.1"),
        ("valid_for_minutes", "soon", "Minutes in which a text makes sense"),
        ("valid_for_minutes", "9" * 12, "Minutes in which a text makes sense"),
        ("unconfirmed", "forget", "A text that Twilio never took"),
    ],
)
def test_it_says_what_is_wrong_and_keeps_what_was_typed(
    browser_client: Client, workspace: Workspace, field: str, typed: str, said: str
) -> None:
    answer = save(browser_client, workspace, **{field: typed})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert said in page
    assert "Not saved" in page
    if field != "unconfirmed":
        assert f'name="{field}" value="{typed}"' in page
    workspace.refresh_from_db()
    assert workspace.valid_for_s == 3600


def test_a_viewer_reads_the_rules(client: Client, workspace: Workspace) -> None:
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    assert "5 texts at most" in shown(client, workspace)
    assert save(client, workspace).status_code == 403
