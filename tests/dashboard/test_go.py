"""Going somewhere by name, and to a call by its number."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from django.test import Client

from postcall.dashboard.views.go import _PLACES
from postcall.workspaces.models import Membership, Workspace

from .factories import a_call, a_member, a_workspace, an_action, an_agent


def places(client: Client, workspace: Workspace, words: str) -> str:
    return client.get(f"/w/{workspace.pk}/go", {"q": words}).content.decode()


def test_it_lists_every_page_that_there_is(browser_client: Client, workspace: Workspace) -> None:
    page = places(browser_client, workspace, "")
    for _, words, *_ in _PLACES:
        assert f"<span>{words}</span>" in page


def test_it_finds_actions_agents_and_pages_by_their_names(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace, name="Night desk")
    attachment = an_action(agent, "Desk survey")
    page = places(browser_client, workspace, "desk")
    assert f"/w/{workspace.pk}/agents/{agent.pk}" in page
    assert f"/w/{workspace.pk}/actions/{attachment.action_id}" in page
    assert "Search the calls for “desk”" in page


def test_it_finds_a_call_by_its_number_however_it_is_written(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(an_agent(workspace), customer_number="+14155550132")
    for written in ("+14155550132", "415 555 0132", "0132"):
        assert f"/w/{workspace.pk}/calls/{call.pk}" in places(browser_client, workspace, written)


def test_it_says_when_a_call_was_by_the_readers_clock(browser_client: Client, workspace: Workspace) -> None:
    a_call(an_agent(workspace), received_at=datetime(2026, 3, 2, 22, 30, tzinfo=UTC))
    browser_client.cookies["postcall_zone"] = "Asia/Tokyo"
    assert "Call, 3 Mar, 07:30" in places(browser_client, workspace, "0132")


def test_it_knows_every_tab_of_the_settings(browser_client: Client, workspace: Workspace) -> None:
    tabs = (
        browser_client.get(f"/w/{workspace.pk}/settings/usage").content.decode().partition('aria-label="Settings"')
    )
    page = places(browser_client, workspace, "")
    for address in re.findall(r'href="([^"]+)"', tabs[2].partition("</nav>")[0]):
        assert f'href="{address}"' in page


def test_it_leads_nobody_into_another_workspace(browser_client: Client, workspace: Workspace) -> None:
    other = a_workspace("Elm Street Garage")
    a_call(an_agent(other, name="Night desk"), customer_number="+14155550132")
    assert "Night desk" not in places(browser_client, workspace, "desk")
    assert "Call, " not in places(browser_client, workspace, "+14155550132")


def test_it_offers_viewers_nothing_that_they_may_not_do(client: Client, workspace: Workspace) -> None:
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    page = places(client, workspace, "")
    for _, words, _, _, whose in _PLACES:
        assert (f"<span>{words}</span>" in page) is not bool(whose)
