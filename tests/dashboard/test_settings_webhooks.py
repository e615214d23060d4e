"""Settings, Webhooks: who is told, what came of it, and what owners may do about it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from postcall.webhooks.models import WebhookDelivery, WebhookEndpoint
from postcall.workspaces.models import Membership, Workspace

from .factories import a_member, a_webhook

pytestmark = pytest.mark.django_db
URL = "https://93.184.216.34/in"  # by its number: nothing is looked up


@pytest.fixture
def owner(client: Client, workspace: Workspace) -> Client:
    client.force_login(a_member(workspace))
    return client


def path(workspace: Workspace, rest: str = "") -> str:
    return f"/w/{workspace.pk}/settings/webhooks{rest}"


def test_it_adds_one_and_shows_its_secret_once(owner: Client, workspace: Workspace) -> None:
    form = {"url": URL, "events": ["message.sent", "message.replied"], "with_text": "1"}
    shown = owner.post(path(workspace, "/add"), form, follow=True)
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.events, endpoint.with_text) == (["message.sent", "message.replied"], True)
    assert endpoint.secret in shown.content.decode()
    again = owner.get(path(workspace, f"/{endpoint.pk}")).content.decode()
    assert endpoint.secret not in again


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"url": "https://127.0.0.1/in", "events": ["message.sent"]}, "not a public address"),
        ({"url": URL}, "Choose at least one event"),
        ({"url": "", "events": ["message.sent"]}, "Not added"),
    ],
)
def test_it_says_what_is_wrong_and_keeps_what_was_typed(
    owner: Client, workspace: Workspace, form: dict[str, str], said: str
) -> None:
    refused = owner.post(path(workspace, "/add"), form | {"with_text": "1"})
    page = refused.content.decode()
    assert refused.status_code == 422
    assert said in page
    assert f'value="{form["url"]}"' in page
    assert not WebhookEndpoint.objects.exists()


def test_it_shows_every_try_and_why(owner: Client, workspace: Workspace) -> None:
    endpoint = a_webhook(workspace)
    page = owner.get(path(workspace, f"/{endpoint.pk}")).content.decode()
    for said in ("Answered with HTTP status 500.", "nope", "12 ms", "Next try", "failing"):
        assert said in page
    assert "Answered" not in owner.get(path(workspace, f"/{endpoint.pk}?status=arrived")).content.decode()


def test_it_replays(owner: Client, workspace: Workspace) -> None:
    endpoint = a_webhook(workspace)
    WebhookDelivery.objects.update(due_at=None, given_up_at=timezone.now())
    delivery = WebhookDelivery.objects.get()
    owner.post(path(workspace, f"/deliveries/{delivery.pk}/replay"))
    delivery.refresh_from_db()
    assert (delivery.due_at is not None, delivery.given_up_at) == (True, None)
    WebhookEndpoint.objects.update(disabled_at=endpoint.created_at)
    page = owner.post(path(workspace, f"/deliveries/{delivery.pk}/replay"), follow=True).content.decode()
    assert "switched off: enable it first" in page


def test_it_is_enabled_again(owner: Client, workspace: Workspace) -> None:
    endpoint = a_webhook(workspace)
    WebhookEndpoint.objects.update(disabled_at=timezone.now(), disabled_reason="gone")
    assert "410" in owner.get(path(workspace, f"/{endpoint.pk}")).content.decode()
    owner.post(path(workspace, f"/{endpoint.pk}/switch"))
    endpoint.refresh_from_db()
    assert (endpoint.disabled_at, endpoint.failing_since) == (None, None)


def test_it_changes_the_secret_with_both_in_force(owner: Client, workspace: Workspace) -> None:
    endpoint = a_webhook(workspace)
    old = endpoint.secret
    page = owner.post(path(workspace, f"/{endpoint.pk}/secret"), follow=True).content.decode()
    endpoint.refresh_from_db()
    assert endpoint.secret in page
    assert endpoint.previous_secret == old
    assert endpoint.previous_until
    assert endpoint.previous_until - timezone.now() > timedelta(hours=23)


def test_it_says_how_a_test_went(owner: Client, workspace: Workspace) -> None:
    endpoint = a_webhook(workspace)
    page = owner.post(path(workspace, f"/{endpoint.pk}/test"), follow=True).content.decode()
    assert "did not arrive" in page
    assert "not a public address" in page


def test_others_than_owners_see_no_address_and_change_nothing(client: Client, workspace: Workspace) -> None:
    endpoint = a_webhook(workspace)
    WebhookEndpoint.objects.update(url="https://hooks.example.com/a-secret-path")
    client.force_login(a_member(workspace, Membership.Role.EDITOR, "kim@northgate.example"))
    page = client.get(path(workspace, f"/{endpoint.pk}")).content.decode()
    assert "a-secret-path" not in page
    assert f'action="{path(workspace)}' not in page
    assert client.post(path(workspace, f"/{endpoint.pk}/remove")).status_code == 403
    assert WebhookEndpoint.objects.exists()


def test_the_overview_leads_to_one_that_fails(owner: Client, workspace: Workspace) -> None:
    endpoint = a_webhook(workspace)
    page = owner.get(f"/w/{workspace.pk}/").content.decode()
    assert "The webhook to 127.0.0.1 has failed for 60 min" in page
    assert path(workspace, f"/{endpoint.pk}") in page
