"""Under which rules texts leave: as they stand, saved, and refused without losing a word."""

from __future__ import annotations

import re
from datetime import time
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from postcall.messages.models import Message
from postcall.workspaces.models import Membership, Workspace

from .factories import a_call, a_held_follow_up, a_member, a_message, an_action, an_agent

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
    assert ">\nUS, CA</textarea>" in page.content.decode()


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
        ("window_start", "", "Enter both hours"),
        ("window_start", "9", "A time such as 09:00"),
        ("window_end", "08:30", "It is the same as the first"),
        ("max_per_number_per_day", "many", "A whole number is needed"),
        ("max_messages_per_day", "0", "greater than or equal to 1"),
        ("countries", "US, Atlantis", "Atlantis is no country"),
        ("valid_for_minutes", "soon", "A number of minutes is needed"),
        ("valid_for_minutes", "9" * 12, "A number of minutes is needed"),
        ("unconfirmed", "forget", "resend_when_absent"),
    ],
)
def test_it_says_what_is_wrong_and_keeps_what_was_typed(
    browser_client: Client, workspace: Workspace, field: str, typed: str, said: str
) -> None:
    answer = save(browser_client, workspace, **{field: typed})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert re.search(rf'<p class="error" id="{field}-error">.*?<span>[^<]*{said}', page)
    assert "Not saved" in page
    if field == "countries":
        assert f">\n{typed}</textarea>" in page
    elif field != "unconfirmed":
        assert f'name="{field}" value="{typed}"' in page
    workspace.refresh_from_db()
    assert workspace.valid_for_s == 3600


def test_it_takes_countries_by_their_names(browser_client: Client, workspace: Workspace) -> None:
    page = save(browser_client, workspace, countries="Canada, us mx; United Kingdom\nCanada").content.decode()
    workspace.refresh_from_db()
    assert workspace.countries == ["CA", "US", "MX", "GB"]
    assert "Mexico (MX)" in page


def test_it_tells_what_waits(browser_client: Client, workspace: Workspace) -> None:
    attachment = an_action(an_agent(workspace))
    follow_up = a_held_follow_up(a_call(attachment.agent), attachment, reason="budget_exceeded")
    a_message(follow_up, Message.Status.QUEUED)
    Message.objects.update(due_at=timezone.now())
    assert "1 for room in the budget" in shown(browser_client, workspace)


def test_a_viewer_reads_the_rules(client: Client, workspace: Workspace) -> None:
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    assert "5 texts at most" in shown(client, workspace)
    assert save(client, workspace).status_code == 403
