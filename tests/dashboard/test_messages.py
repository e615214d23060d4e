"""The messages page: what narrows it, what it adds up, what is taken along, and how it moves."""

from __future__ import annotations

import csv
import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from postcall.dashboard.views import messages as page_of_messages
from postcall.messages.models import Message
from postcall.workspaces.models import AuditEntry, Workspace

from .factories import a_call, a_follow_up, a_member, a_message, a_workspace, an_action, an_agent

pytestmark = pytest.mark.django_db


@pytest.fixture
def texts(workspace: Workspace) -> dict[str, Message]:
    desk, garage = an_agent(workspace), an_agent(workspace, "Service line")
    booking, pickup = an_action(desk), an_action(garage, "Ready for pickup")
    sent = {
        "delivered": a_message(a_follow_up(a_call(desk), booking)),
        "failed": a_message(
            a_follow_up(a_call(desk, customer_number="+14155550177"), booking),
            Message.Status.FAILED,
            error_code=30003,
            segments=2,
        ),
        "moving": a_message(
            a_follow_up(a_call(garage), pickup, body="=HYPERLINK(1)"),
            Message.Status.SENT,
            from_number="+14155550199",
        ),
        "old": a_message(a_follow_up(a_call(desk), booking)),
    }
    Message.objects.filter(pk=sent["old"].pk).update(created_at=timezone.now() - timedelta(days=40))
    an_agent(workspace, "Third", from_number="+14155550199")
    return sent


def ask(client: Client, workspace: Workspace, query: str = "") -> str:
    answer = client.get(f"/w/{workspace.pk}/messages{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def listed(page: str, texts: dict[str, Message]) -> set[str]:
    return {name for name, message in texts.items() if f'id="s-{message.pk}"' in page}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"delivered", "failed", "moving", "old"}),
        ("?status=failed", {"failed"}),
        ("?status=failed&status=sent", {"failed", "moving"}),
        ("?error=30003", {"failed"}),
        ("?q=0177", {"failed"}),
        ("?q=%2B1+415+555+0177", {"failed"}),
        ("?sender=%2B14155550199", {"moving"}),
        ("?date=30d", {"delivered", "failed", "moving"}),
        ("?status=never&error=x&agent=x&action=x&date=x&before=x", {"delivered", "failed", "moving", "old"}),
    ],
)
def test_it_shows_what_fits(
    browser_client: Client, workspace: Workspace, texts: dict[str, Message], query: str, found: set[str]
) -> None:
    assert listed(ask(browser_client, workspace, query), texts) == found


def test_it_shows_what_fits_an_agent_and_an_action(
    browser_client: Client, workspace: Workspace, texts: dict[str, Message]
) -> None:
    moving = texts["moving"].follow_up
    for query in (f"?agent={moving.call.agent_id}", f"?action={moving.action_id}"):
        assert listed(ask(browser_client, workspace, query), texts) == {"moving"}


def test_it_adds_up_what_fits(browser_client: Client, workspace: Workspace, texts: dict[str, Message]) -> None:
    whole = re.sub(r"<[^>]+>", "", ask(browser_client, workspace))
    assert "4 texts, 5 segments: 2 delivered, 1 failed, $0.0166" in whole
    one = re.sub(r"<[^>]+>", "", ask(browser_client, workspace, "?status=failed"))
    assert "1 text that fits, 2 segments: 0 delivered, 1 failed" in one


def test_it_expects_no_price_of_what_failed(browser_client: Client, workspace: Workspace) -> None:
    agent = an_agent(workspace)
    booking = an_action(agent)
    failed = a_message(a_follow_up(a_call(agent), booking), Message.Status.FAILED)
    moving = a_message(a_follow_up(a_call(agent), booking), Message.Status.SENT)
    page = ask(browser_client, workspace)
    assert f'id="p-{failed.pk}">none<' in page
    assert f'id="p-{moving.pk}">not known yet<' in page


def test_it_exports_exactly_what_fits(
    browser_client: Client, workspace: Workspace, texts: dict[str, Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of_messages, "_AT_ONCE", 2)
    page = ask(browser_client, workspace, "?date=30d")
    link = re.search(r'href="([^"]+/messages/export[^"]*)"', page)
    assert link
    answer = browser_client.get(unescape(link[1]))
    rows = list(csv.DictReader(answer.getvalue().decode().splitlines()))
    wanted = [texts[name] for name in ("moving", "failed", "delivered")]
    assert [row["id"] for row in rows] == [str(message.pk) for message in wanted]
    assert rows[0]["body"] == "'=HYPERLINK(1)"
    assert rows[2]["price"] == "0.00830"


def test_it_notes_who_took_what_along(
    browser_client: Client, workspace: Workspace, texts: dict[str, Message]
) -> None:
    browser_client.get(f"/w/{workspace.pk}/messages/export?status=failed")
    entry = AuditEntry.objects.get(workspace=workspace, verb="export")
    assert (entry.object_kind, entry.changes) == ("messages", {"status": [None, "failed"]})


def test_it_exports_nothing_of_another_workspace(client: Client, texts: dict[str, Message]) -> None:
    other = a_workspace("Harbor Dental")
    client.force_login(a_member(other))
    assert client.get(f"/w/{other.pk}/messages/export").getvalue().count(b"\n") == 1
    assert client.get(f"/w/{texts['old'].workspace_id}/messages/export").status_code == 404


def test_it_moves_by_itself(browser_client: Client, workspace: Workspace, texts: dict[str, Message]) -> None:
    poll = re.search(r'id="live" hx-get="([^"]+)"', ask(browser_client, workspace))
    assert poll
    assert browser_client.get(unescape(poll[1])).status_code == 204
    Message.objects.filter(pk=texts["moving"].pk).update(status=Message.Status.DELIVERED)
    news = browser_client.get(unescape(poll[1])).content.decode()
    assert f'id="s-{texts["moving"].pk}" hx-swap-oob="true"' in news
    assert "delivered" in news
    assert "hx-get" not in news


def test_it_asks_for_no_news_of_what_is_over(
    browser_client: Client, workspace: Workspace, texts: dict[str, Message]
) -> None:
    assert 'id="live"' not in ask(browser_client, workspace, "?status=failed")
