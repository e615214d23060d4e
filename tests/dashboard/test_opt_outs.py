"""Who must not be texted: listed with how it was said, added, and taken back."""

from __future__ import annotations

import pytest
from django.test import Client

from postcall.followups.models import OptOut
from postcall.followups.optouts import active_opt_out, hashed, opt_out
from postcall.workspaces.models import AuditEntry, Membership, Workspace

from .factories import a_call, a_member, an_agent

pytestmark = pytest.mark.django_db

MAYA = "+14155550132"
RAY = "+14155550177"


def page(client: Client, workspace: Workspace, query: str = "") -> str:
    return client.get(f"/w/{workspace.pk}/settings/opt-outs{query}").content.decode()


def post(client: Client, workspace: Workspace, where: str, **form: str) -> int:
    return client.post(f"/w/{workspace.pk}/{where}", form).status_code


def test_it_says_that_nobody_has_opted_out(browser_client: Client, workspace: Workspace) -> None:
    assert "Nobody has opted out" in page(browser_client, workspace)


def test_it_says_how_and_where_it_was_said(browser_client: Client, workspace: Workspace) -> None:
    call = a_call(an_agent(workspace))
    opt_out(workspace.pk, MAYA, "said", quote="please don't text me", call=call)
    shown = page(browser_client, workspace)
    assert "+1 415 555 0132" in shown
    assert "Said so during a call" in shown
    assert "please don&#x27;t text me" in shown
    assert f"/w/{workspace.pk}/calls/{call.pk}" in shown


def test_it_finds_a_number_by_some_of_its_digits(browser_client: Client, workspace: Workspace) -> None:
    for number in (MAYA, RAY):
        opt_out(workspace.pk, number, "stop")
    shown = page(browser_client, workspace, "?q=555 0132")
    assert ("555 0132" in shown, "555 0177" in shown) == (True, False)
    assert "No opt-out fits" in page(browser_client, workspace, "?q=nobody")


def test_it_adds_a_number_with_how_it_was_said(browser_client: Client, workspace: Workspace) -> None:
    post(browser_client, workspace, "settings/opt-outs/add", number="(415) 555-0132", quote="By letter")
    assert active_opt_out(workspace.pk, MAYA) is None
    post(browser_client, workspace, "settings/opt-outs/add", number="+1 (415) 555-0132", quote="By letter")
    row = active_opt_out(workspace.pk, MAYA)
    assert row is not None
    assert (row.origin, row.quote) == ("operator", "By letter")


def test_it_keeps_what_was_typed_when_it_is_no_number(browser_client: Client, workspace: Workspace) -> None:
    answer = browser_client.post(
        f"/w/{workspace.pk}/settings/opt-outs/add", {"number": "the one from Tuesday", "quote": "By letter"}
    )
    assert answer.status_code == 422
    assert b'value="the one from Tuesday"' in answer.content
    assert b'value="By letter"' in answer.content
    assert not OptOut.objects.exists()


def test_it_blocks_a_number_once_and_goes_back_to_where_one_was(
    browser_client: Client, workspace: Workspace
) -> None:
    there = f"/w/{workspace.pk}/calls"
    for _ in range(2):
        answer = browser_client.post(f"/w/{workspace.pk}/block", {"number": MAYA, "next": there})
        assert answer["Location"] == there
    assert OptOut.objects.get().number == MAYA
    assert AuditEntry.objects.get().object_kind == "opt_out"


def test_it_says_what_taking_back_means_before_it_is_done(browser_client: Client, workspace: Workspace) -> None:
    opt_out(workspace.pk, MAYA, "stop", quote="STOP")
    asked = page(browser_client, workspace, "?take_back=%2B14155550132")
    assert "until the owner texts START" in asked
    assert active_opt_out(workspace.pk, MAYA) is not None
    post(browser_client, workspace, "settings/opt-outs/take-back", number=MAYA)
    assert active_opt_out(workspace.pk, MAYA) is None
    assert "555 0132" in page(browser_client, workspace, "?show=ended")


def test_it_shows_an_erased_number_only_to_who_knows_it(browser_client: Client, workspace: Workspace) -> None:
    OptOut.objects.create(workspace=workspace, number=hashed(workspace.pk, MAYA), origin="erased")
    everybody = page(browser_client, workspace)
    assert ("Erased" in everybody, "#" + hashed(workspace.pk, MAYA)[1:] in everybody) == (True, False)
    assert "Take back" not in everybody
    assert "+1 415 555 0132" in page(browser_client, workspace, "?q=%2B14155550132")
    post(browser_client, workspace, "settings/opt-outs/take-back", number=MAYA)
    assert active_opt_out(workspace.pk, MAYA) is None


def test_it_shows_a_viewer_the_list_and_no_button(client: Client, workspace: Workspace) -> None:
    opt_out(workspace.pk, MAYA, "said")
    client.force_login(a_member(workspace, Membership.Role.VIEWER))
    shown = page(client, workspace, "?take_back=%2B14155550132")
    assert ("555 0132" in shown, "Take back" in shown, "Add a number" in shown) == (True, False, False)
