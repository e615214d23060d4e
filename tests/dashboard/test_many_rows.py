"""What a page asks the database does not grow with the rows that it shows."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from postcall.workspaces.models import Workspace

from .factories import a_call, a_follow_up, a_held_follow_up, a_member, a_message, a_workspace, an_action, an_agent

pytestmark = pytest.mark.django_db

PLACES = ("", "calls", "calls?q=knee", "review", "messages", "actions", "agents", "settings/usage?range=30d")


def grow(workspace: Workspace, by: int) -> None:
    """More agents, each with an action, calls, texts and something held."""
    for _ in range(by):
        agent = an_agent(workspace, f"Agent {workspace.agents.count()}")
        attachment = an_action(agent, f"Action {workspace.actions.count()}")
        a_message(a_follow_up(a_call(agent), attachment))
        a_message(a_follow_up(a_call(agent), attachment), "failed", error_code=30003)
        a_held_follow_up(a_call(agent), attachment)


def asked(client: Client, workspace: Workspace, place: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"/w/{workspace.pk}/{place}").status_code == 200
    # How often the database's clock is read is a matter of time.
    return sum("clock_timestamp" not in each["sql"] for each in queries.captured_queries)


def test_it_asks_the_database_no_more_for_more_rows(client: Client) -> None:
    workspace = a_workspace()
    client.force_login(a_member(workspace))
    grow(workspace, 2)
    few = {place: [asked(client, workspace, place) for _ in range(2)][-1] for place in PLACES}
    grow(workspace, 4)
    many = {place: asked(client, workspace, place) for place in PLACES}
    assert many == few
