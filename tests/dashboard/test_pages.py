"""What every page keeps to, and the lists and the overview."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client

import postcall.dashboard
from postcall.messages.models import Account, Message
from postcall.sources.models import Source
from postcall.workspaces.models import Membership, User, Workspace

from .factories import (
    a_busy_workspace,
    a_call,
    a_follow_up,
    a_member,
    a_message,
    a_pause,
    a_workspace,
    an_action,
    an_agent,
)

pytestmark = pytest.mark.django_db
LISTS = ("", "calls", "review", "messages", "actions", "agents")
STYLES = Path(postcall.dashboard.__path__[0], "static/dashboard")


def weight(page: str) -> int:
    """Bytes of the page with the style sheets that it asks for."""
    sheets = re.findall(r'<link rel="stylesheet" href="[^"]*/dashboard/(\w+)[^"]*\.css"', page)
    assert sheets
    return len(page.encode()) + sum(Path(STYLES, f"{name}.css").stat().st_size for name in sheets)


def shown(client: Client, workspace: Workspace, place: str) -> str:
    answer = client.get(f"/w/{workspace.pk}/{place}")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def busy(client: Client) -> Workspace:
    workspace = a_busy_workspace()
    client.force_login(a_member(workspace))
    return workspace


def test_it_weighs_less_than_100_kb_with_a_full_log(client: Client, busy: Workspace) -> None:
    agent = busy.agents.first()
    assert agent is not None
    attachments = [an_action(agent, f"Action {n}") for n in range(3)]
    for _ in range(40):
        call = a_call(agent)
        for attachment in attachments:
            a_message(a_follow_up(call, attachment))
    assert weight(shown(client, busy, "calls")) < 100_000


@pytest.mark.parametrize("place", LISTS)
def test_it_says_the_next_step_where_there_is_nothing_yet(
    browser_client: Client, workspace: Workspace, place: str
) -> None:
    page = shown(browser_client, workspace, place)
    assert 'class="empty"' in page or 'card empty"' in page


@pytest.mark.parametrize("place", LISTS)
def test_it_says_on_every_page_that_the_sandbox_sends_nothing(
    browser_client: Client, workspace: Workspace, place: str
) -> None:
    assert "No text leaves this machine." in shown(browser_client, workspace, place)


def test_it_says_no_such_thing_with_an_account_of_ones_own(client: Client) -> None:
    workspace = a_workspace(account=Account.Kind.OWN)
    client.force_login(a_member(workspace))
    assert "No text leaves this machine." not in shown(client, workspace, "calls")


def test_it_says_that_nothing_is_sent_without_an_account(client: Client) -> None:
    workspace = a_workspace(account=None)
    client.force_login(a_member(workspace))
    assert "Nothing is sent." in shown(client, workspace, "calls")
    assert "this workspace has no Twilio account" in shown(client, workspace, "")


def test_it_says_why_sending_is_paused(browser_client: Client, workspace: Workspace) -> None:
    a_pause(workspace, 20003)
    assert "Sending is paused" in shown(browser_client, workspace, "calls")
    assert "Enter the account SID and auth token again" in shown(browser_client, workspace, "settings/twilio")


def test_it_writes_times_in_the_readers_zone(browser_client: Client, workspace: Workspace) -> None:
    a_call(an_agent(workspace))
    browser_client.cookies["postcall_zone"] = "Asia/Tokyo"
    assert " JST" in shown(browser_client, workspace, "calls")


@pytest.mark.parametrize("address", ["/nowhere", "/calls/not-an-id", "/w/not-an-id/calls"])
def test_it_has_a_page_for_what_is_not_here(browser_client: Client, address: str) -> None:
    answer = browser_client.get(address)
    assert answer.status_code == 404
    assert "There is nothing at this address" in answer.content.decode()


def test_it_tells_a_viewer_why_a_button_does_nothing(client: Client, workspace: Workspace) -> None:
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    answer = client.post(f"/w/{workspace.pk}/review/decide")
    assert answer.status_code == 403
    assert "Your role in this workspace is to look" in answer.content.decode()


def test_it_lists_messages_by_status_error_and_number(client: Client, busy: Workspace) -> None:
    def texts(query: str) -> int:
        return shown(client, busy, f"messages{query}").count("row-link")

    assert texts("") == Message.objects.count() == 6
    assert texts("?status=delivered") == 2
    assert texts("?status=failed&status=unconfirmed") == 2
    assert texts("?error=30034") == 1
    assert texts("?q=%2B1+415+555+0132") == 2
    assert texts("?status=nonsense&error=x") == 6
    assert "No message fits" in shown(client, busy, "messages?q=999999")


def test_it_lists_actions_with_their_agents_and_last_week(client: Client, busy: Workspace) -> None:
    page = shown(client, busy, "actions")
    assert "After scheduling an appointment" in page
    assert "Front desk (off)" in page
    assert "<small>of 3</small>" in page


def test_it_says_an_attachments_rules_in_words(client: Client, workspace: Workspace) -> None:
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    agent = an_agent(workspace)
    rules = [
        {"from": "action_result", "action": "create_booking", "name": "reference", "is": "present"},
        {"from": "collected", "name": "guests", "is": "greater", "value": 4},
    ]
    an_action(agent, only_if=rules, on_unclear="skip", recipient_override="+14155550188")
    page = shown(client, workspace, f"agents/{agent.pk}/actions")
    assert "create_booking: reference has a value, and guests is greater than “4”" in page
    assert "Skipped when the judge is not sure." in page
    assert "Goes to +1 415 555 0188 instead" in page


def test_it_shows_an_agent_by_the_names_that_platforms_have_for_it(client: Client, busy: Workspace) -> None:
    agent = busy.agents.get(name="Service line")
    assert "asst-Service line" in shown(client, busy, f"agents/{agent.pk}")
    assert "Vapi" in shown(client, busy, "agents")
    client.force_login(a_member(busy, Membership.Role.VIEWER))
    assert "the number that was called" in shown(client, busy, f"agents/{agent.pk}/setup")


def test_it_gives_a_sources_address_to_those_who_may_act(client: Client, workspace: Workspace, owner: User) -> None:
    source = Source.objects.create(workspace=workspace, kind="vapi", name="Front desk line")
    client.force_login(owner)
    assert source.token in shown(client, workspace, "settings/platforms")
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    assert source.token not in shown(client, workspace, "settings/platforms")
