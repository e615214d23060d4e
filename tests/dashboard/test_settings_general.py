"""The workspace's own page, and how Settings hangs together."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from postcall.workspaces.models import Membership, Workspace

from .factories import a_member, a_workspace

pytestmark = pytest.mark.django_db


def rename(client: Client, workspace: Workspace, name: str) -> str:
    answer = client.post(f"/w/{workspace.pk}/settings/workspace/rename", {"workspace_name": name}, follow=True)
    workspace.refresh_from_db()
    return answer.content.decode()


def test_an_owner_renames_the_workspace(browser_client: Client, workspace: Workspace) -> None:
    assert "Renamed." in rename(browser_client, workspace, "Northgate Clinic West")
    assert workspace.name == "Northgate Clinic West"


@pytest.mark.parametrize("name", ["", "x" * 101, "copperkettle garage"])
def test_it_refuses_a_name_that_is_none_or_taken(browser_client: Client, workspace: Workspace, name: str) -> None:
    a_workspace("Copperkettle Garage")
    assert 'id="workspace_name-error"' in rename(browser_client, workspace, name)
    assert workspace.name == "Northgate Clinic"


def test_others_read_the_name_alone(client: Client, workspace: Workspace) -> None:
    client.force_login(a_member(workspace, Membership.Role.EDITOR))
    page = client.get(f"/w/{workspace.pk}/settings/workspace").content.decode()
    assert str(workspace.pk) in page
    assert "workspace_name" not in page
    assert client.post(f"/w/{workspace.pk}/settings/workspace/rename", {"workspace_name": "x"}).status_code == 403


def test_every_tab_leads_somewhere_and_says_where_one_is(browser_client: Client, workspace: Workspace) -> None:
    first = browser_client.get(f"/w/{workspace.pk}/settings")["Location"]
    assert first == f"/w/{workspace.pk}/settings/twilio"
    (tabs,) = re.findall(r'<nav class="tabs many".*?</nav>', browser_client.get(first).content.decode(), re.DOTALL)
    addresses = re.findall(r'href="([^"]+)"', tabs)
    assert len(addresses) >= 9
    for address in addresses:
        page = browser_client.get(address).content.decode()
        assert f'<a href="{address}" aria-current="page">' in page, address
