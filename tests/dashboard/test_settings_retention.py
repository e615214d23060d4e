"""For how long what was said is kept; shortening it asks first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from postcall.keeping.retention import forget
from postcall.work import clock
from postcall.workspaces.models import Membership, Workspace

from .factories import a_call, a_member, an_agent

pytestmark = pytest.mark.django_db


def save(client: Client, workspace: Workspace, **form: str) -> Any:
    answer = client.post(f"/w/{workspace.pk}/settings/retention/save", form, follow=True)
    workspace.refresh_from_db()
    return answer


def shown(client: Client, workspace: Workspace) -> str:
    return client.get(f"/w/{workspace.pk}/settings/retention").content.decode()


def test_it_keeps_for_ever_or_for_days(browser_client: Client, workspace: Workspace) -> None:
    save(browser_client, workspace, keep="forever", days="90")
    assert workspace.retention_days is None
    assert "Nothing goes" in shown(browser_client, workspace)
    save(browser_client, workspace, keep="days", days="400")
    assert workspace.retention_days == 400


def test_what_would_take_words_away_is_asked_first(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    old = a_call(agent, received_at=clock.now() - timedelta(days=40))
    a_call(agent, received_at=clock.now() - timedelta(days=20))
    page = save(browser_client, workspace, keep="days", days="30").content.decode()
    assert "1 call is older than 30 days" in page
    assert workspace.retention_days == 90
    save(browser_client, workspace, keep="days", days="30", sure="1")
    assert workspace.retention_days == 30
    assert "1 call is older and goes with the next run" in shown(browser_client, workspace)
    assert forget(clock.now()) == 1
    old.refresh_from_db()
    assert old.transcript == []
    assert "Nothing is older than 30 days" in shown(browser_client, workspace)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"keep": "days", "days": "soon"}, "days"),
        ({"keep": "days", "days": "0"}, "days"),
        ({"keep": "days", "days": "99999"}, "days"),
        ({"keep": "a while", "days": "5"}, "keep"),
    ],
)
def test_it_refuses_what_is_no_time(
    browser_client: Client, workspace: Workspace, form: dict[str, str], field: str
) -> None:
    answer = save(browser_client, workspace, **form)
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.content.decode()
    assert workspace.retention_days == 90


@pytest.mark.parametrize("role", [Membership.Role.EDITOR, Membership.Role.VIEWER])
def test_only_owners_change_it(client: Client, workspace: Workspace, role: str) -> None:
    client.force_login(a_member(workspace, role))
    assert "Kept for 90 days" in shown(client, workspace)
    assert save(client, workspace, keep="forever").status_code == 403
    assert workspace.retention_days == 90
