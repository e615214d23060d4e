"""The keys of programs: made, shown once, revoked."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from postcall.workspaces.models import ApiKey, Membership, Workspace

from .factories import a_member

pytestmark = pytest.mark.django_db


def make(client: Client, workspace: Workspace, **form: str) -> str:
    fields = {"name": "Booking system", "scope": "ingest"} | form
    return client.post(f"/w/{workspace.pk}/settings/keys/create", fields, follow=True).content.decode()


def shown(client: Client, workspace: Workspace) -> str:
    return client.get(f"/w/{workspace.pk}/settings/keys").content.decode()


def test_it_shows_a_new_key_this_once_and_it_opens_the_api(browser_client: Client, workspace: Workspace) -> None:
    page = make(browser_client, workspace)
    (key,) = re.findall(r'id="key" value="(pc_[^"]+)"', page)
    row = ApiKey.objects.get()
    assert (row.workspace, row.scope, row.digest) == (workspace, "ingest", ApiKey.digest_of(key))
    assert "/api/v1/calls -H" in page
    assert browser_client.get("/api/v1/calls", headers={"authorization": f"Bearer {key}"}).status_code == 200
    assert key not in shown(browser_client, workspace)
    assert (
        "was shown already" in browser_client.get(f"/w/{workspace.pk}/settings/keys?made={row.pk}").content.decode()
    )


@pytest.mark.parametrize("form", [{"name": ""}, {"name": "x" * 101}, {"scope": "root"}])
def test_it_makes_no_key_without_a_name_and_a_scope(
    browser_client: Client, workspace: Workspace, form: dict[str, str]
) -> None:
    assert f'id="{next(iter(form))}-error"' in make(browser_client, workspace, **form)
    assert not ApiKey.objects.exists()


def test_a_revoked_key_opens_nothing(browser_client: Client, workspace: Workspace) -> None:
    row, key = ApiKey.issue(workspace, "Booking system", "read")
    address = f"/w/{workspace.pk}/settings/keys/{row.pk}/revoke"
    assert "is revoked" in browser_client.post(address, follow=True).content.decode()
    assert browser_client.get("/api/v1/calls", headers={"authorization": f"Bearer {key}"}).status_code == 401
    assert "was revoked already" in browser_client.post(address, follow=True).content.decode()
    assert "1 revoked" in shown(browser_client, workspace)


@pytest.mark.parametrize("role", [Membership.Role.EDITOR, Membership.Role.VIEWER])
def test_only_owners_make_and_revoke(client: Client, workspace: Workspace, role: str) -> None:
    row, _ = ApiKey.issue(workspace, "Booking system", "read")
    client.force_login(a_member(workspace, role))
    page = shown(client, workspace)
    assert "Booking system" in page
    assert "keys/create" not in page
    assert "revoke" not in page
    assert client.post(f"/w/{workspace.pk}/settings/keys/create", {"name": "x", "scope": "read"}).status_code == 403
    assert client.post(f"/w/{workspace.pk}/settings/keys/{row.pk}/revoke").status_code == 403
