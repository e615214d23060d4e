"""What only a script can do is not offered where there is none."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from .conftest import SignedIn
from .factories import a_call, a_held_follow_up, a_member, a_workspace, an_action, an_agent

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_shows_nothing_that_is_hidden(live_server: Any, signed_in: SignedIn) -> None:
    workspace = a_workspace()
    agent = an_agent(workspace)
    a_held_follow_up(a_call(agent), an_action(agent))
    view = signed_in(a_member(workspace), java_script_enabled=False).new_page()
    for place, part in (("settings/workspace", "button[data-copy]"), ("review", "button[data-tick-all]")):
        view.goto(f"/w/{workspace.pk}/{place}")
        expect(view.locator(part).first).to_be_attached()
        expect(view.locator("[hidden]:visible")).to_have_count(0)
