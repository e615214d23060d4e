"""Which judge is in force, and asking it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from postcall.config import config
from postcall.dashboard.views.settings import judge as page_of_the_judge
from postcall.workspaces.models import Membership, Workspace

from .factories import a_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A language model at an address at which nobody listens."""
    monkeypatch.setenv("POSTCALL_JUDGE_MODEL", "openai:no-such-model")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "not a real key")
    config.cache_clear()
    yield
    config.cache_clear()


def test_it_says_which_judge_is_in_force_and_asks_it(browser_client: Client, workspace: Workspace) -> None:
    assert (
        "The built-in one, on this machine"
        in browser_client.get(f"/w/{workspace.pk}/settings/judge").content.decode()
    )
    page = browser_client.post(f"/w/{workspace.pk}/settings/judge/ask").content.decode()
    assert "It answered in" in page
    assert "After scheduling an appointment" in page


def test_it_asks_only_so_often(
    browser_client: Client, workspace: Workspace, model: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of_the_judge, "MAX_ASKED", 0)
    page = browser_client.post(f"/w/{workspace.pk}/settings/judge/ask", follow=True).content.decode()
    assert ("Not asked" in page, "It did not answer" in page) == (True, False)


def test_it_says_why_a_judge_does_not_answer_and_no_secret(
    browser_client: Client, workspace: Workspace, model: None
) -> None:
    page = browser_client.post(f"/w/{workspace.pk}/settings/judge/ask").content.decode()
    assert "It did not answer" in page
    assert "openai:no-such-model" in page
    assert "not a real key" not in page


def test_a_viewer_asks_nothing(client: Client, workspace: Workspace) -> None:
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    assert "Ask it now" not in client.get(f"/w/{workspace.pk}/settings/judge").content.decode()
    assert client.post(f"/w/{workspace.pk}/settings/judge/ask").status_code == 403
