"""By which account texts leave: what is paused, and checking it again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from postcall.messages import twilio_client
from postcall.messages.models import RefusedSender
from postcall.sandbox.running import Sandbox
from postcall.workspaces.models import Membership, Workspace

from .factories import a_member, a_pause, a_workspace

pytestmark = pytest.mark.django_db
BAD = "+15005550007"


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox().running() as sandbox:
        monkeypatch.setenv("POSTCALL_SANDBOX_URL", sandbox.url)
        yield sandbox
        twilio_client.forget_clients()


def shown(client: Client, workspace: Workspace, place: str = "settings/twilio") -> str:
    return client.get(f"/w/{workspace.pk}/{place}").content.decode()


def press_recheck(client: Client, workspace: Workspace) -> str:
    return client.post(f"/w/{workspace.pk}/settings/twilio/recheck", follow=True).content.decode()


@pytest.mark.parametrize("place", ["", "settings/twilio"])
def test_it_offers_a_recheck_of_what_is_paused(browser_client: Client, workspace: Workspace, place: str) -> None:
    a_pause(workspace, 21606, BAD)
    page = shown(browser_client, workspace, place)
    assert f'action="/w/{workspace.pk}/settings/twilio/recheck"' in page
    assert "+1 500 555 0007" in page
    assert "Choose a sender number of the connected account that can send texts: under Settings" in page


def test_it_lets_go_what_is_well(browser_client: Client, workspace: Workspace, standin: Sandbox) -> None:
    a_pause(workspace, 20003)
    page = press_recheck(browser_client, workspace)
    assert "Twilio accepts the account&#x27;s credentials." in page
    assert "is paused" not in page
    assert not RefusedSender.objects.exists()


def test_it_says_what_is_still_amiss(browser_client: Client, workspace: Workspace, standin: Sandbox) -> None:
    a_pause(workspace, 21606, BAD)
    page = press_recheck(browser_client, workspace)
    assert f"{BAD} is not a number of this account. Add the number" in page
    assert "is paused" in page


def test_it_says_that_there_is_nothing_to_check(client: Client) -> None:
    workspace = a_workspace(account=None)
    client.force_login(a_member(workspace))
    assert "choose one first" in press_recheck(client, workspace)


def test_viewers_press_nothing(client: Client, workspace: Workspace) -> None:
    a_pause(workspace, 20003)
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    assert "sending/recheck" not in shown(client, workspace) + shown(client, workspace, "")
    assert client.post(f"/w/{workspace.pk}/settings/twilio/recheck").status_code == 403
