"""Owners choose where alerts go and what they tell; others see that, without what is secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from outbound.servers import serving

from postcall.alerts.editing import MOST_CHANNELS, add_email
from postcall.alerts.models import AlertChannel, AlertDelivery, AlertWatch
from postcall.config import config
from postcall.dashboard.views.alerts import MAX_TESTS
from postcall.work import clock
from postcall.workspaces.models import Membership, Workspace

from .factories import a_member, an_alert_channel

pytestmark = pytest.mark.django_db
PUBLIC = "https://93.184.216.34/in/a-token"  # by its number: nothing is looked up


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("POSTCALL_OUTBOUND_ALLOW", "127.0.0.0/8")
    config.cache_clear()
    yield
    monkeypatch.undo()
    config.cache_clear()


def address(workspace: Workspace, rest: str = "") -> str:
    return f"/w/{workspace.pk}/settings/alerts{rest}"


def shown(client: Client, workspace: Workspace) -> str:
    return client.get(address(workspace)).content.decode()


def test_it_says_that_nobody_is_told_and_the_next_step(browser_client: Client, workspace: Workspace) -> None:
    page = shown(browser_client, workspace)
    assert "Nobody is told" in page
    assert "POSTCALL_SMTP_URL" in page
    assert 'aria-current="page">Alerts' in page


def test_it_adds_an_e_mail_address_and_begins_to_look(browser_client: Client, workspace: Workspace) -> None:
    answer = browser_client.post(address(workspace, "/e-mail"), {"email": "desk@northgate.example"})
    assert answer.status_code == 302
    assert "desk@northgate.example" in shown(browser_client, workspace)
    assert AlertWatch.objects.get(workspace=workspace).due_at is not None


def test_it_shows_the_secret_of_a_new_webhook_once(browser_client: Client, workspace: Workspace) -> None:
    made = browser_client.post(address(workspace, "/webhook"), {"webhook": PUBLIC}).content.decode()
    channel = AlertChannel.objects.get()
    assert channel.secret in made
    assert channel.secret not in shown(browser_client, workspace)
    again = browser_client.post(address(workspace, "/webhook"), {"webhook": PUBLIC})
    assert (again.status_code, AlertChannel.objects.count()) == (422, 1)


@pytest.mark.parametrize(
    ("where", "typed", "said"),
    [
        ("webhook", "http://93.184.216.34/in", "https://"),
        ("webhook", "https://127.0.0.1:8000/in", "not a public address"),
        ("webhook", "https://169.254.169.254/latest/meta-data", "not a public address"),
        ("webhook", "https://dana:secret@93.184.216.34/in", "no user and password"),
        ("email", "desk at northgate", "Type an e-mail address"),
        ("email", "desk@northgatı.example", "ASCII"),
        ("email", f"{'a' * 250}@northgate.example", "at most"),
    ],
)
def test_it_refuses_what_cannot_be_told_at_its_field_and_keeps_it(
    browser_client: Client, workspace: Workspace, where: str, typed: str, said: str
) -> None:
    route = "/e-mail" if where == "email" else "/webhook"
    answer = browser_client.post(address(workspace, route), {where: typed})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f'value="{typed}" autocomplete="off"' in page
    assert said in page[page.index(f'id="{where}-error"') :]
    assert not AlertChannel.objects.exists()


def test_it_takes_no_more_than_a_few_places(browser_client: Client, workspace: Workspace) -> None:
    for number in range(MOST_CHANNELS):
        an_alert_channel(workspace, f"desk{number}@northgate.example")
    answer = browser_client.post(address(workspace, "/e-mail"), {"email": "one@northgate.example"})
    assert (answer.status_code, AlertChannel.objects.count()) == (422, MOST_CHANNELS)


def test_it_keeps_what_is_told_and_from_how_many_on(browser_client: Client, workspace: Workspace) -> None:
    told = {"told": ["held", "paused"], "held_over": "25"}
    assert browser_client.post(address(workspace, "/save"), told).status_code == 302
    watch = AlertWatch.objects.get(workspace=workspace)
    assert (watch.held_over, "held" in watch.muted, "silent" in watch.muted) == (25, False, True)
    page = shown(browser_client, workspace)
    assert 'value="held" checked' in page
    assert 'value="silent">' in page


@pytest.mark.parametrize("held_over", ["", "many", "-1", "1000001"])
def test_it_refuses_a_number_that_is_none(browser_client: Client, workspace: Workspace, held_over: str) -> None:
    answer = browser_client.post(address(workspace, "/save"), {"told": ["silent"], "held_over": held_over})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="held_over-error"' in page
    assert 'value="silent" checked' in page
    assert 'value="held">' in page


def test_it_sends_a_test_and_says_what_came_of_it(
    browser_client: Client, workspace: Workspace, allowed: None
) -> None:
    with serving() as server:
        channel = an_alert_channel(workspace, f"http://127.0.0.1:{server.port}/in")
        page = browser_client.post(address(workspace, f"/{channel.pk}/test"), follow=True).content.decode()
    assert b'"type":"attention.test"' in server.asked[0]
    assert "Answered with HTTP status 204." in page
    failed = browser_client.post(address(workspace, f"/{channel.pk}/test"), follow=True).content.decode()
    assert "did not arrive" in failed
    assert "takes no connections" in failed


def test_it_is_no_engine_of_unwanted_alerts(browser_client: Client, workspace: Workspace, allowed: None) -> None:
    with serving() as server:
        channel = an_alert_channel(workspace, f"http://127.0.0.1:{server.port}/in")
        for _ in range(MAX_TESTS + 1):
            browser_client.post(address(workspace, f"/{channel.pk}/test"))
    assert len(server.asked) == AlertDelivery.objects.count() == MAX_TESTS


def test_it_removes_a_place_with_what_was_sent_there(browser_client: Client, workspace: Workspace) -> None:
    channel = add_email(workspace, "desk@northgate.example")
    AlertDelivery.objects.create(workspace=workspace, channel=channel, content={}, test=True, made_at=clock.now())
    browser_client.post(address(workspace, f"/{channel.pk}/remove"))
    assert not AlertDelivery.objects.exists()
    assert AlertWatch.objects.get(workspace=workspace).due_at is None


@pytest.mark.parametrize("role", [Membership.Role.EDITOR, Membership.Role.VIEWER])
def test_it_lets_only_owners_change_anything_or_see_a_webhooks_address(
    client: Client, workspace: Workspace, role: str
) -> None:
    channel = an_alert_channel(workspace, PUBLIC)
    AlertChannel.objects.update(shown="93.184.216.34")
    client.force_login(a_member(workspace, role))
    page = shown(client, workspace)
    assert "93.184.216.34" in page
    assert "a-token" not in page
    assert "/settings/alerts/" not in page.replace(address(workspace) + '"', "")
    for rest in ("/save", "/e-mail", "/webhook", f"/{channel.pk}/test", f"/{channel.pk}/remove"):
        assert client.post(address(workspace, rest), {"email": "x@northgate.example"}).status_code == 403


def test_it_lists_what_was_sent_with_each_ones_end(browser_client: Client, workspace: Workspace) -> None:
    channel = an_alert_channel(workspace)
    now = clock.now()
    fields: dict[str, Any] = {"workspace": workspace, "channel": channel, "made_at": now}
    item = {"title": "Sending is paused", "mend": "", "since": now.isoformat()}
    waits = {"raised": [item, item], "settled": []}
    tried = [{"at": now.isoformat(), "well": False, "said": "The mail server refused it."}]
    AlertDelivery.objects.create(**fields, content=waits, due_at=now, tried=1, tries=tried)
    AlertDelivery.objects.create(**fields, content={"raised": [], "settled": [item]}, arrived_at=now, tried=1)
    page = shown(browser_client, workspace)
    assert "Sending is paused, and 1 more" in page
    assert "The mail server refused it. Next try" in page
    assert "Over: Sending is paused" in page
